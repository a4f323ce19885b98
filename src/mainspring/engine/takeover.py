"""Rebuild the owner's memory from the tables: at the start, and after a doubtful commit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec

from mainspring.dispatch.timers import Timer
from mainspring.engine import ticks
from mainspring.engine.live import Live
from mainspring.engine.session import Session
from mainspring.engine.state import State
from mainspring.errors import FencedOut
from mainspring.store.changes import RunOptions
from mainspring.store.protocol import LiveRow, Store
from mainspring.wire.worker import LEASE_S

HORIZON_MS = 120_000
PAGE = 5_000
WINDOW = 4_096
NOBODY: Final[dict[str, float]] = {}

_decode_options = msgspec.json.Decoder(RunOptions).decode


async def again(state: State, store: Store, server_id: str) -> int:
    """Take a shard that is ours once more, which waits for every commit in flight, and rebuild.

    Returns the new epoch. Raises: FencedOut when another server has taken it: it stays there.
    """
    epoch = await store.shards.take_from(state.shard_id, server_id, server_id)
    if epoch is None:
        raise FencedOut(f"shard {state.shard_id} was taken over by another server.")
    await rebuild(state, store, ended=True)
    return epoch


async def rebuild(
    state: State, store: Store, heard: Mapping[str, float] = NOBODY, *, ended: bool = False
) -> None:
    """Read what holds slots completely, then the lanes' counts, resumes and the next timers.

    Until everything is read the old memory stays, so that nobody ever sees half of it. The lease of
    a session that is named in rows but not known yet goes on from when it was `heard` of (monotonic
    seconds); who is not in there gets a fresh one. `ended`: those that are not known were, and have
    ended, so that their leases are over.
    """
    live, shard_id = store.live, state.shard_id
    until = state.clock.now() + HORIZON_MS
    environments = list(state.environments)
    # side by side: nobody answers for the shard meanwhile
    rates, active, lanes, resumes = await asyncio.gather(
        live.rates(shard_id), live.active(shard_id), live.lanes(shard_id), live.resumes(shard_id)
    )
    awaited, timers, named, versions = await asyncio.gather(
        store.waits.foreign(shard_id),
        _read_timers(store, shard_id, 0, until),
        store.catalog.external_ids(shard_id),
        asyncio.gather(*(_promoted(store, shard_id, env_id) for env_id in environments)),
    )
    current = dict(zip(environments, versions, strict=True))
    state.reset()
    state.current = current
    for env_id, external_id, version in named:
        state.name_version(env_id, external_id, version)
    state.awaited.update(awaited)
    state.core.rates.restore((rate.env_id, rate.queue, rate.key, rate.tat) for rate in rates)
    for row in active:
        _occupy(state, row, heard, ended)
    for count in lanes:
        state.core.load((count.env_id, count.queue, count.ckey, count.version), count.queued)
    for row in resumes:
        lane_key = (row.env_id, row.queue, row.ckey, row.version)
        state.core.push(lane_key, row.ord, row.run_id, resume=True)
    state.timers.begin_load(until)
    state.timers.loaded(timers)


async def _promoted(store: Store, shard_id: int, env_id: int) -> str:
    latest = await store.catalog.promotions(shard_id, env_id, 1)
    return latest[0].version if latest else ""


def _occupy(state: State, row: LiveRow, heard: Mapping[str, float], ended: bool) -> None:
    """Know an active run again."""
    session = state.sessions.get(row.session_id)
    if session is None:
        now = state.clock.monotonic()
        unknown = now - 2 * LEASE_S if ended else now
        heard_at = min(heard.get(row.session_id, unknown), now)
        session = Session(row.session_id, row.env_id, heard_at)
        state.sessions[row.session_id] = session
    lane = state.core.occupy((row.env_id, row.queue, row.ckey, row.version))
    found = state.tasks.get((row.env_id, row.task))
    spec = found[0] if found is not None else None
    run = Live(row.run_id, row.epoch, row.attempt, lane, row.ord, session, spec, row.task)
    run.options = _decode_options(row.options) if row.options else None
    run.begun = True  # nobody knows, so it counts as begun
    run.cancel_at, run.cancel_seen = row.cancel_at, state.clock.monotonic()
    run.started_at = row.started_at
    run.claimed_at = run.created_at = row.created_at
    run.active_ms = row.active_ms
    run.parent_id, run.root_id, run.depth = row.parent_id, row.root_id, row.depth
    run.waited = True  # as little is known of that
    state.lives[row.run_id] = run
    session.holds.add(row.run_id)


async def load_timers(state: State, store: Store) -> None:
    """Bring the timers of the next two minutes into memory."""
    start, until = state.timers.begin_load(state.clock.now() + HORIZON_MS)
    state.timers.loaded(await _read_timers(store, state.shard_id, start, until))


async def _read_timers(store: Store, shard_id: int, start: int, until: int) -> list[Timer]:
    found: list[Timer] = []
    cursor = (start - 1, "\U0010ffff", "")
    while True:
        rows = await store.live.timers(shard_id, cursor, until - 1, PAGE)
        found.extend((row.fire_at, row.kind, row.run_id, "") for row in rows)
        if len(rows) < PAGE:
            return found + await ticks.load(store, shard_id, start, until)
        last = rows[-1]
        cursor = (last.fire_at, last.kind, last.run_id)


async def refill(state: State, store: Store) -> None:
    """Read the next rows of lanes whose window runs low. Only while no commit is in flight."""
    lanes = state.core.refills()
    if not lanes:
        return
    wanted = []
    for lane in lanes:
        assert lane.cursor is not None
        key = (lane.key.queue.env.id, lane.key.queue.name, lane.key.name, lane.version)
        wanted.append((key, *lane.cursor, WINDOW))
    pages = await store.live.refill(state.shard_id, wanted)
    for lane, entries in zip(lanes, pages, strict=True):
        state.core.refill(lane, entries, exhausted=len(entries) < WINDOW)
