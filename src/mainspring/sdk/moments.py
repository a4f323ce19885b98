"""Time, chance and ids in a run, the same in every replay."""

from __future__ import annotations

import random as chance
import uuid as ids
from datetime import UTC, datetime

from mainspring.sdk.journal import Journal
from mainspring.sdk.local import journal_for
from mainspring.wire.worker import Entry


def now() -> datetime:
    """The time of this call, in UTC, to the millisecond; a replay gets the time of the first call.

    It is one entry of the journal, which nothing waits for. Raises: Misplaced outside a run.
    """
    journal = journal_for("now()")
    if journal is None:
        return _moment(round(datetime.now(UTC).timestamp() * 1000))
    place = journal.place("now()")
    journal.check(place, "step", "")
    if place.entry is not None:
        return _moment(int(place.entry.data or 0))
    at = journal.clock.now()
    journal.post(Entry(place.key, place.seq, "step", data=str(at), started_at=at, ended_at=at))
    return _moment(at)


def random() -> chance.Random:
    """A generator of its own at each call, which gives the same numbers in every replay.

    Not for secrets. Raises: Misplaced outside a run.
    """
    journal = journal_for("random()")
    return chance.Random() if journal is None else _seeded(journal, "random()")


def uuid() -> ids.UUID:
    """A UUID (version 4), the same in every replay. Raises: Misplaced outside a run."""
    journal = journal_for("uuid()")
    if journal is None:
        return ids.uuid4()
    return ids.UUID(int=_seeded(journal, "uuid()").getrandbits(128), version=4)


def _seeded(journal: Journal, name: str) -> chance.Random:
    return chance.Random(f"{journal.seed}/{journal.place(name).key}")


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)
