"""Compares the owner's memory with the tables, row by row. Repairs nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mainspring.dispatch.audit import audit as recount
from mainspring.engine import ticks
from mainspring.engine.owner import Owner

MOST = 100_000


async def audit(owner: Owner) -> list[str]:
    """What memory and rows disagree about, one line each; nothing while no commit is in flight.

    Reads every live row of the shard: for tests and for `doctor`, not for a hot path.
    """
    state, live = owner.state, owner.store.live
    shard_id = state.shard_id
    found = recount(state.core)
    rows = {
        (row.run_id, row.epoch, row.attempt, row.cancel_at is not None)
        for row in await live.active(shard_id)
    }
    held = {
        (run.run_id, run.epoch, run.attempt, run.cancel_at is not None)
        for run in state.lives.values()
    }
    found += _differ("active run", rows, held)
    queued = {
        (count.env_id, count.queue, count.ckey, count.version): count.queued
        for count in await live.lanes(shard_id)
    }
    resumes: dict[tuple[int, str, str, str], set[str]] = {}
    for row in await live.resumes(shard_id):
        lane_key = (row.env_id, row.queue, row.ckey, row.version)
        resumes.setdefault(lane_key, set()).add(row.run_id)
    counted: dict[tuple[int, str, str, str], int] = {}
    running = 0
    for env in state.core.tree.environments.values():
        running += env.running
        for queue in env.queues.values():
            for key in queue.keys.values():
                for lane in key.lanes():
                    if lane.queued:
                        counted[env.id, queue.name, key.name, lane.version] = lane.queued
    expected = {
        lane: queued.get(lane, 0) + len(resumes.get(lane, ())) for lane in {*queued, *resumes}
    }
    found += _differ("queued runs of lane", expected.items(), counted.items())
    if running != len(state.lives):
        found.append(f"{running} slots are taken by {len(state.lives)} active runs")
    start = (-1, "", "")
    timers = await live.timers(shard_id, start, state.timers.horizon - 1, MOST)
    due = len(timers) + len(await ticks.load(owner.store, shard_id, 0, state.timers.horizon))
    if due != len(state.timers):
        found.append(f"{due} timers are due soon, {len(state.timers)} are in memory")
    return found


def _differ(what: str, rows: Iterable[Any], memory: Iterable[Any]) -> list[str]:
    rows, memory = set(rows), set(memory)
    return [f"{what} {item}: in the rows only" for item in sorted(rows - memory)] + [
        f"{what} {item}: in memory only" for item in sorted(memory - rows)
    ]
