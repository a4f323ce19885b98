"""Checkpoints: values that say how far a run has come."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from mainspring.errors import InvalidOutput
from mainspring.sdk.encode import BEYOND_JSON, to_json, why
from mainspring.sdk.journal import Journal, Place, check_name, fits
from mainspring.sdk.local import journal_for
from mainspring.sdk.shape import plain
from mainspring.sdk.step_options import Durability
from mainspring.wire.worker import Entry

T = TypeVar("T")


class CheckpointVerb:
    """Keeps values: `await checkpoint("rows", 100)`, and reads the last with `last`."""

    def __call__(
        self, name: str, value: T, *, durability: Durability = "durable"
    ) -> Coroutine[Any, Any, T]:
        """Keep a value in the journal, for all to see, and give it back as a replay will.

        In a replay the value of the first time is returned. With `durability="relaxed"` the code
        goes on before it is stored. Raises: InvalidOutput, JournalFull, as `step` does.
        """
        check_name(name)
        journal = journal_for("checkpoint")
        if journal is None:
            return _given(value)
        place = journal.place(f"checkpoint:{name}")
        return _kept(journal, place, value, durability == "relaxed")

    def last(self, name: str, default: Any = None) -> Any:
        """The newest value under the name that this run has kept before, as builtins.

        For code that begins where an earlier attempt has stopped. Read it once, before the first
        checkpoint of the name; steps after it need a `key`, since their number is another now.
        """
        check_name(name)
        journal = journal_for("checkpoint.last")
        if journal is None:
            return default
        entry = journal.take(f"checkpoint:{name}", "checkpoint")
        return default if entry is None else plain(entry.data or "null")


async def _kept(journal: Journal, place: Place, value: Any, relaxed: bool) -> Any:
    journal.check(place, "checkpoint", "")
    if place.entry is not None:
        return plain(place.entry.data or "null")
    try:
        text = to_json(value).decode()
    except BEYOND_JSON as error:
        raise InvalidOutput(
            f"{place.key} holds what cannot be stored: {why(error)}. Keep builtins, dataclasses or "
            "models."
        ) from error
    data, now = fits(text, f"The value of {place.key}"), journal.clock.now()
    entry = Entry(place.key, place.seq, "checkpoint", data=data, started_at=now, ended_at=now)
    if relaxed:
        journal.post(entry)
    else:
        await journal.record(entry)
    return plain(data)


async def _given(value: T) -> T:
    return value


checkpoint: Final = CheckpointVerb()
