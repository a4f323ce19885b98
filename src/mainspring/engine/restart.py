"""Runs that go on from an entry of a journal: a new one, or one whose code has diverged from it."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from mainspring.engine import query, requests
from mainspring.engine.again import again
from mainspring.engine.batch import Batch, Facts, Wanted
from mainspring.engine.intake import Prepared, prepare
from mainspring.engine.journal import OWN, START
from mainspring.engine.owner import Owner
from mainspring.engine.place import Place, enqueue, park, remind
from mainspring.engine.state import State
from mainspring.engine.trigger import (
    VERSION_RETRY_MS,
    insert,
    request_id,
)
from mainspring.errors import Conflict, InvalidOptions
from mainspring.model import limits
from mainspring.model.run import (
    INLINE_LIMIT,
    Run,
    TriggerAnswer,
)
from mainspring.store.changes import Row
from mainspring.store.protocol import EnvironmentRow
from mainspring.store.waiting import JournalRow
from mainspring.wire import calls

EDITABLE: Final = ("step", "checkpoint", "token", "event", "input")
SHOWN: Final = 12


class RestartCall(Struct):
    """A new run with what another one has behind it; answered once all of it is durable.

    `edits` are rows of the journal without their run; `source` is (run id, generation, seq below
    which entries are taken along).
    """

    env_id: int
    item: Prepared
    edits: list[Row]
    source: tuple[str, int, int] | None
    future: Future[TriggerAnswer]

    def want(self, wanted: Wanted) -> None:
        if self.item.options.request_key is not None:
            wanted.requests.add(request_id(self.item))
        if self.item.run_id is not None:
            wanted.known.add(self.item.run_id)

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Write the rows; planned again after a doubtful commit, it looks first whether they are
        there.
        """
        item, now = self.item, batch.now
        if item.run_id is None:
            item.run_id = state.ids.new("run", now, state.shard_id)
        elif item.run_id in facts.known:
            batch.answer(self.future, TriggerAnswer(item.run_id))
            return True
        if item.options.request_key is not None:
            made = facts.requests.get(request_id(item))
            if made is not None:
                batch.answer(self.future, TriggerAnswer(made))
                return True
            requests.keep(batch, facts, request_id(item), item.run_id)
        insert(state, batch, self.env_id, item)
        batch.changes.journal.extend((item.run_id, *row) for row in self.edits)
        if self.source is not None:
            batch.changes.copy_journal.append((item.run_id, 0, *self.source))
            batch.changes.copy_input.append((item.run_id, self.source[0]))
        # of a later epoch than a new run's, so that its journal is handed over with it
        place = Place(item.run_id, item.lane, now - item.options.priority_ms, epoch=1)
        if item.known_task:
            enqueue(state, batch, place)
        else:
            park(state, batch, place, "version", now + VERSION_RETRY_MS)
        if item.ttl_ms:
            remind(state, batch, now + item.ttl_ms, "ttl", item.run_id)
        batch.answer(self.future, TriggerAnswer(item.run_id))
        return True


async def restart(owner: Owner, env: EnvironmentRow, request: calls.RestartRun) -> TriggerAnswer:
    """A new run that begins where an ended or diverged one came to an entry.

    Raises: NotFound, Conflict while the run goes on, InvalidOptions for a key or an edit that fits
    no entry, InvalidPayload, PayloadTooLarge.
    """
    old = await query.one(owner, env, request.run_id)
    shard_id = owner.state.shard_id
    if not old.status.is_final:
        edges = await owner.store.waits.of_runs(shard_id, [old.id])
        if not any(edge.kind == "diverged" for edge in edges):
            raise Conflict(
                f"Run {old.id} is {old.status.value}; a run is restarted when it has ended, or its "
                f"code has diverged. End it first: `mainspring runs cancel {old.id}`."
            )
    rows = await owner.store.waits.history(shard_id, [old.id])
    generation = max((row.generation for row in rows), default=0)
    below = 0 if request.key is None else seq_of(rows, request.key)
    edits = await edited(owner, rows, below, request.edits)
    payload = request.payload
    if payload is None:
        payload = await payload_of(owner, rows, old)
    wanted = again(old, payload, request.request_key)
    (item,) = await prepare(owner.state, owner.objects, env.env_id, [wanted])
    source = (old.id, generation, below) if request.key is not None else None
    future: Future[TriggerAnswer] = asyncio.get_running_loop().create_future()
    owner.submit(RestartCall(env.env_id, item, edits, source, future))
    return await future


async def payload_of(owner: Owner, rows: Iterable[JournalRow], old: Run) -> str | None:
    """The payload that the run's present journal began with."""
    for row in rows:
        if row.key == START and row.data_ref is not None:
            return await owner.objects.get(row.data_ref)
        if row.key == START and row.data not in (None, "null"):
            return row.data
    return old.payload


def seq_of(rows: Sequence[JournalRow], key: str) -> int:
    """Where the journal has that entry; a step that failed counts under its own key.

    Raises: InvalidOptions with the keys that there are.
    """
    found = [row.seq for row in rows if row.key == key or row.key.startswith(f"{key}!")]
    if found and not key.startswith("!"):
        return min(found)
    known = [name for name in dict.fromkeys(_key(row) for row in rows) if name]
    listed = ", ".join(known[:SHOWN]) + (" …" if len(known) > SHOWN else "")
    raise InvalidOptions(
        f"The journal has no entry {key[:80]!r}. It has: {listed or 'no entries'}."
    )


async def edited(
    owner: Owner, rows: Sequence[JournalRow], below: int, edits: Mapping[str, str]
) -> list[Row]:
    """The rows of results that replace old ones. Raises: InvalidOptions."""
    by_key = {row.key: row for row in rows}
    found: list[Row] = []
    for key, text in edits.items():
        row = by_key.get(key)
        if row is None or row.seq >= below or row.status != "completed":
            raise InvalidOptions(
                f"edit {key[:80]!r}: no such result stands before the entry to restart from."
            )
        if row.kind not in EDITABLE:
            allowed = ", ".join(EDITABLE)
            raise InvalidOptions(
                f"edit {key[:80]!r}: it is of the kind {row.kind}; the results of these can be "
                f"replaced: {allowed}."
            )
        limits.check_payload(text)
        large = len(text.encode()) > INLINE_LIMIT
        ref = await owner.objects.put(text) if large else None
        data = None if large else text
        found.append(
            (key, 0, row.kind, 0, row.status, data, row.started_at, row.ended_at, row.seq, ref,
             row.fingerprint)
        )  # fmt: skip
    return found


def _key(row: JournalRow) -> str:
    """The key that people know an entry by; empty for what the engine notes for itself."""
    return "" if row.kind in OWN else row.key.partition("!")[0]
