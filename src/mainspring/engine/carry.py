"""Runs that wait go on in another version of the code. Whether they fit it, others find out."""

from __future__ import annotations

import asyncio
from asyncio import Future
from typing import Final

import msgspec
from msgspec import Struct

from mainspring.engine import deployments
from mainspring.engine.batch import Batch, Facts, Wanted
from mainspring.engine.owner import Owner
from mainspring.engine.place import Place, enqueue
from mainspring.engine.state import State
from mainspring.errors import InvalidOptions
from mainspring.store.changes import RunOptions
from mainspring.store.protocol import EnvironmentRow, LiveRow
from mainspring.wire.deploying import Carried, CarryRuns

MOST: Final = 100
_decode_options: Final = msgspec.json.Decoder(RunOptions).decode


class CarryCall(Struct):
    """Pin runs that have started, and that nobody executes, to another version."""

    env_id: int
    version: str
    run_ids: list[str]
    future: Future[list[str]]

    def want(self, wanted: Wanted) -> None:
        wanted.located.update(self.run_ids)

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Write the rows; False = another turn, because this one has changed one of them."""
        if not batch.touched.isdisjoint(self.run_ids):
            return False
        carried = []
        for run_id in self.run_ids:
            row = facts.located.get(run_id)
            if row is None or row.env_id != self.env_id or not row.started_at or _chosen(row):
                continue
            if row.version != self.version and row.place == "parked":
                self._park(batch, row)
            elif row.version != self.version and row.place == "ready":
                self._queue(state, batch, row)
            elif row.version != self.version:
                continue  # its code runs at the moment
            carried.append(run_id)
        batch.answer(self.future, carried)
        return True

    def _park(self, batch: Batch, row: LiveRow) -> None:
        """It waits for the same, until the same time; its timers stay."""
        self._pin(batch, row.run_id)
        batch.changes.drop_parked.append((row.run_id,))
        batch.changes.park.append(
            (
                row.run_id,
                row.env_id,
                row.queue,
                row.ckey,
                self.version,
                row.ord,
                row.kind,
                row.due_at,
                row.epoch,
                row.attempt,
                row.started_at,
                row.active_ms,
                row.session_id,
            )
        )

    def _queue(self, state: State, batch: Batch, row: LiveRow) -> None:
        """It is about to go on, or to be tried again."""
        self._pin(batch, row.run_id)
        resume = row.kind == "resume"
        lane = (row.env_id, row.queue, row.ckey, row.version)
        state.core.remove(lane, row.ord, row.run_id, resume=resume)
        batch.changes.drop_ready.append((row.run_id,))
        lane = (row.env_id, row.queue, row.ckey, self.version)
        started = row.attempt, row.started_at, row.active_ms
        enqueue(state, batch, Place(row.run_id, lane, row.ord, row.epoch, *started), resume=resume)

    def _pin(self, batch: Batch, run_id: str) -> None:
        batch.touched.add(run_id)
        batch.changes.pin.append((run_id, self.version))


def _chosen(row: LiveRow) -> bool:
    """Whether who triggered the run has said which version it is for; it is not carried then."""
    return bool(row.options) and _decode_options(row.options).pinned


async def carry(owner: Owner, env: EnvironmentRow, wanted: CarryRuns) -> Carried:
    """Carry runs over; those that have ended, execute at the moment, or were triggered for a
    version, stay as they are.

    Raises: NotFound for a version that is none, InvalidOptions for too many runs.
    """
    if len(wanted.run_ids) > MOST:
        raise InvalidOptions(f"{len(wanted.run_ids):,} runs in one call; at most {MOST:,}.")
    version = (await deployments.found(owner, env, wanted.version)).version
    future: Future[list[str]] = asyncio.get_running_loop().create_future()
    run_ids = list(dict.fromkeys(wanted.run_ids))
    owner.submit(CarryCall(env.env_id, version, run_ids, future))
    return Carried(await future)
