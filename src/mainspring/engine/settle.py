"""A run whose code has diverged from its journal goes on as somebody decides. No detection."""

from __future__ import annotations

import asyncio
from asyncio import Future
from typing import Final

import msgspec
from msgspec import Struct

from mainspring.engine import query, wait
from mainspring.engine.batch import Batch, Facts, Wanted
from mainspring.engine.cancel import end_waiting
from mainspring.engine.journal import START
from mainspring.engine.owner import Owner
from mainspring.engine.state import State
from mainspring.errors import Conflict, InvalidOptions
from mainspring.model import limits
from mainspring.model.run import Run, RunError, Status
from mainspring.store.protocol import EnvironmentRow, LiveRow
from mainspring.store.waiting import EdgeRow, JournalRow
from mainspring.wire import calls

ACTIONS: Final = ("accept", "restart", "pin", "fail")
_decode_error: Final = msgspec.json.Decoder(RunError).decode


class SettleCall(Struct):
    """Somebody has decided. `generation` is the journal's, `entry` the one that the code did not
    fit, `start` the mark of the generation, all as they stood.
    """

    run_id: str
    action: str
    version: str | None
    generation: int
    entry: JournalRow | None
    start: JournalRow | None
    future: Future[None]
    planned: bool = False

    def want(self, wanted: Wanted) -> None:
        wanted.located.add(self.run_id)
        wanted.edges.add(self.run_id)
        wanted.ending.add(self.run_id)

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Write the rows; False = another turn, because this one has changed the run."""
        if self.run_id in batch.touched:
            return False
        row = facts.located.get(self.run_id)
        edges = facts.edges.of(self.run_id)
        edge = next((edge for edge in edges if edge.kind == "diverged"), None)
        if row is None or row.place != "parked" or edge is None:
            # planned before: its commit was doubtful, and is there
            batch.answer(self.future, None if self.planned else not_diverged(self.run_id))
            return True
        self.planned = True
        if self.action == "fail":
            error = _decode_error(edge.data) if edge.data else RunError("The code diverged.")
            end_waiting(state, batch, row, Status.FAILED, error)
        else:
            self._resume(state, batch, facts, row, edge)
        batch.answer(self.future, None)
        return True

    def _resume(
        self, state: State, batch: Batch, facts: Facts, row: LiveRow, edge: EdgeRow
    ) -> None:
        facts.edges.drop(edge)
        seq = self.entry.seq if self.entry is not None else 0
        if self.action == "accept":
            self._note(batch, row, f"!accept:{edge.key}", self.generation, seq)
        elif self.action == "restart":
            wait.clear(facts, self.run_id)  # they would answer the old generation
            self._note(batch, row, START, self.generation + 1, 0)
            batch.changes.copy_journal.append(
                (self.run_id, self.generation + 1, self.run_id, self.generation, seq)
            )
        if self.version is not None:
            row = msgspec.structs.replace(row, version=self.version)
            batch.changes.pin.append((row.run_id, self.version))
        wait.resume(state, batch, row)

    def _note(self, batch: Batch, row: LiveRow, key: str, generation: int, seq: int) -> None:
        """An entry of the engine's own; a new generation begins with the payload of the old one."""
        start = self.start if key == START else None
        batch.changes.journal.append(
            (
                row.run_id,
                key,
                generation,
                "step",
                row.epoch,
                "completed",
                start.data if start is not None else None,
                batch.now,
                batch.now,
                seq,
                start.data_ref if start is not None else None,
                "",
            )
        )


async def settle(owner: Owner, env: EnvironmentRow, request: calls.SettleRun) -> Run:
    """Go on with a diverged run. Raises: NotFound, Conflict when it has not, InvalidOptions."""
    if request.action not in ACTIONS:
        raise InvalidOptions(
            f"{request.action[:40]!r} is no way to settle; {', '.join(ACTIONS)} is allowed."
        )
    if (request.version is not None) != (request.action == "pin"):
        raise InvalidOptions("pin takes the version whose workers may run it, the others none.")
    if request.version is not None:
        limits.check_text(request.version, "version", limits.NAME_LENGTH)
    run = await query.one(owner, env, request.run_id)
    waits, shard_id = owner.store.waits, owner.state.shard_id
    edges = await waits.of_runs(shard_id, [run.id])
    edge = next((edge for edge in edges if edge.kind == "diverged"), None)
    if edge is None:
        raise not_diverged(run.id)
    generation = (await waits.generations(shard_id, [run.id])).get(run.id, 0)
    keys = [(run.id, key, generation) for key in (edge.key, START)]
    found = {row.key: row for row in await waits.entries(shard_id, keys)}
    future: Future[None] = asyncio.get_running_loop().create_future()
    owner.submit(
        SettleCall(
            run.id,
            request.action,
            request.version,
            generation,
            found.get(edge.key),
            found.get(START),
            future,
        )
    )
    await future
    return await query.one(owner, env, run.id)


def not_diverged(run_id: str) -> Conflict:
    """The error for a run that waits for no decision."""
    return Conflict(
        f"Run {run_id} has not diverged from its journal, or was settled already; only a run that "
        f"waits for a decision is settled. `mainspring runs journal {run_id}` shows what it has."
    )
