"""Finds runs that await, in their slots, what only their own slots could let start. Changes none.

A run that waits durably gives its slot back; one that calls `result()` in the body of a step keeps
it. A set of runs that can only go on when one of the set ends would stand still for ever. Runs that
only await each other are one, too, whether in slots or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from mainspring.dispatch.explain import Gate, explain as ask_core
from mainspring.engine.owner import Owner
from mainspring.engine.state import Await, State
from mainspring.engine.wait import is_waiting
from mainspring.errors import Deadlock
from mainspring.store.protocol import LiveRow
from mainspring.store.waiting import EdgeRow

MOST: Final = 2_000
"""Runs that are looked at; a set that is larger is not found."""
EVERY_S: Final = 2.0
WORKERS_S: Final = 20.0
"""How long a further worker is hoped for; less than one request of who awaits takes."""
LIMITS: Final = frozenset(
    {Gate.ENVIRONMENT_LIMIT, Gate.QUEUE_LIMIT, Gate.QUEUE_TOTAL, Gate.KEY_LIMIT}
)


class Need(Struct):
    """What a run that stands still waits for: it goes on when one of `any_of` has come, each of
    which comes when all its runs go on. `of_workers`: what it waits for is a slot of any worker,
    which a further one would have as well.
    """

    any_of: list[list[str]]
    of_workers: bool = False


async def look(owner: Owner) -> None:
    """Look at all calls that wait, every two seconds: most stand still only after they began.

    Raises: StoreUnavailable.
    """
    state = owner.state
    now = state.clock.monotonic()
    if state.awaits and now - state.awaits_seen_at >= EVERY_S:
        state.awaits_seen_at = now
        await check(owner, list(state.awaits))


async def check(owner: Owner, awaits: list[Await]) -> None:
    """Answer the first of these calls that can never end otherwise. Raises: StoreUnavailable."""
    async with owner.state.awaits_seen:  # two looks at once would each end a call of one knot
        await _check(owner, [call for call in awaits if not call.future.done()])


async def _check(owner: Owner, awaits: list[Await]) -> None:
    if not awaits:
        return
    needs = await _needs(owner, [call.awaited for call in awaits])
    stuck, now = _stuck(needs), owner.state.clock.monotonic()
    for call in sorted(awaits, key=lambda call: call.run_id):
        if call.future.done():
            continue
        reached = _reached(needs, call.awaited) if call.awaited in stuck else set()
        if call.run_id not in reached:
            call.stuck_at = None
            continue
        if call.stuck_at is None:
            call.stuck_at = now
        elastic = any(needs[run_id].of_workers for run_id in reached & needs.keys())
        if not elastic or now - call.stuck_at >= WORKERS_S:
            call.future.set_exception(_error(call))
            return


def _error(call: Await) -> Deadlock:
    return Deadlock(
        f"Run {call.awaited} cannot end before run {call.run_id} does: a limit that holds it, the "
        "slots of all workers, or what it waits for, are full of runs that wait for each other in "
        "their slots. Wait outside of steps with `result` or `trigger_and_wait`, which give the "
        "slot back; or use a queue of its own for the awaited task, or more workers."
    )


async def _needs(owner: Owner, first: list[str]) -> dict[str, Need]:
    """What every run that these depend on waits for; who can go on by itself is left out."""
    state, needs = owner.state, dict[str, Need]()
    frontier, seen = set(first), set(first)
    while frontier and len(seen) <= MOST:
        away = sorted(run_id for run_id in frontier if run_id not in state.lives)
        rows = await owner.store.live.locate(state.shard_id, away) if away else []
        located = {row.run_id: row for row in rows}
        parked = [row.run_id for row in rows if is_waiting(row)]
        edges: dict[str, list[EdgeRow]] = {}
        for edge in await owner.store.waits.of_runs(state.shard_id, parked) if parked else ():
            edges.setdefault(edge.run_id, []).append(edge)
        for run_id in frontier:
            need = _need(state, run_id, located.get(run_id), edges.get(run_id, []))
            if need is not None:
                needs[run_id] = need
        depended = {other for need in needs.values() for group in need.any_of for other in group}
        frontier = depended - seen
        seen |= frontier
    return {} if frontier else needs


def _need(state: State, run_id: str, row: LiveRow | None, edges: list[EdgeRow]) -> Need | None:
    """What the run waits for; None when it can go on, or something outside lets it."""
    if run_id in state.lives:
        awaited = [
            call.awaited
            for call in state.awaits
            if call.run_id == run_id and not call.future.done()
        ]
        return Need([awaited]) if awaited else None
    if row is None:
        return None
    if row.place == "ready":
        return _slot(state, row)
    if not edges or any(edge.kind != "run" or edge.due_at for edge in edges):
        return None
    keys: dict[str, list[str]] = {}
    for edge in edges:
        keys.setdefault(edge.key, []).append(edge.waitpoint_id)
    return Need(list(keys.values()))


def _slot(state: State, row: LiveRow) -> Need | None:
    """The runs that hold the slots of the limit that keeps a ready run from starting."""
    found = ask_core(
        state.core,
        (row.env_id, row.queue, row.ckey, row.version),
        row.ord,
        row.run_id,
        state.clock.now(),
        resume=row.kind == "resume",
        holders=lambda env_id, queue, key: [
            live.run_id
            for live in state.lives.values()
            if live.env_id == env_id and queue in (None, live.queue) and key in (None, live.ckey)
        ],
    )
    if found.gate in (Gate.NOTHING, Gate.BEHIND):
        return _of_workers(state, row)
    if found.gate not in LIMITS or not found.holders or len(found.holders) != found.running:
        return None  # a slot is just being given, or there is none to give
    return _held(state, found.holders)


def _of_workers(state: State, row: LiveRow) -> Need | None:
    """The runs that hold all slots of the workers that could execute a ready run."""
    version = row.version or state.current.get(row.env_id, "")
    sessions = [
        session
        for (env_id, theirs), pool in state.pools.items()
        if env_id == row.env_id and (not version or version == theirs)
        for session in pool.sessions
        if session.slots
    ]
    if not sessions or any(session.deliver is None or session.free > 0 for session in sessions):
        return None
    need = _held(state, [run_id for session in sessions for run_id in sorted(session.holds)])
    if need is not None:
        need.of_workers = True
    return need


def _held(state: State, holders: Sequence[str]) -> Need | None:
    """Slots that these hold; None when one of them gives its own back soon."""
    if any(call.brief and call.run_id in holders for call in state.awaits):
        return None
    return Need([[run_id] for run_id in holders])


def _stuck(needs: dict[str, Need]) -> set[str]:
    """The largest set of runs of which none goes on unless another one of it does."""
    stuck = set(needs)
    while True:
        free = {
            run_id
            for run_id in stuck
            if any(stuck.isdisjoint(group) for group in needs[run_id].any_of)
        }
        if not free:
            return stuck
        stuck -= free


def _reached(needs: dict[str, Need], first: str) -> set[str]:
    """Every run that this one depends on."""
    seen, frontier = {first}, [first]
    while frontier:
        need = needs.get(frontier.pop())
        for group in need.any_of if need is not None else ():
            frontier += [other for other in group if other not in seen]
            seen.update(group)
    return seen
