"""Why a run is not running, in a word and a sentence. Reads memory and rows, decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mainspring.dispatch.explain import Explanation, Gate, explain as ask_core
from mainspring.engine.owner import Owner
from mainspring.engine.query import one
from mainspring.engine.state import State
from mainspring.engine.versions import lacks_workers, real
from mainspring.model.deployment import AWAITED
from mainspring.model.duration import spell
from mainspring.model.run import Run, Status
from mainspring.store.protocol import EnvironmentRow, LiveRow
from mainspring.wire import calls

HOLDERS: Final = 10

SENTENCES: Final = {
    Gate.ENVIRONMENT_PAUSED: "The environment is paused.",
    Gate.QUEUE_PAUSED: "Queue {queue!r} is paused; `mainspring queues resume {queue}` lets it go.",
    Gate.KEY_PAUSED: "Concurrency key {ckey!r} is paused.",
    Gate.ENVIRONMENT_LIMIT: "The environment runs {running} of {limit} runs at once.",
    Gate.QUEUE_LIMIT: "Queue {queue!r} runs {running} of {limit} runs at once.",
    Gate.QUEUE_TOTAL: "Queue {queue!r} runs {running} of {limit} runs over all its keys.",
    Gate.KEY_LIMIT: "Key {ckey!r} of queue {queue!r} runs {running} of {limit} runs at once.",
    Gate.RATE_LIMIT: "The rate limit of queue {queue!r} lets the next run go in {wait}.",
    Gate.BEHIND: "{position} runs of its queue go first.",
    Gate.NOTHING: "Nothing holds it; it starts at its lane's next turn.",
}

NO_VERSION: Final = (
    "No connected worker has version {version!r}, which it needs. `mainspring worker --deployed` "
    "starts one; `mainspring promote` lets new runs get another version."
)

NO_DEPLOYMENT: Final = (
    "There is no deployment with the external id {version!r}, which it needs. `mainspring deploy "
    "--external-id {version}` makes one."
)

WAITS: Final = {
    "time": "It waits for {wait} more, in {key!r}.",
    "run": "It waits in {key!r} for other runs, among them {point}.",
    "token": "It waits in {key!r} for token {point}; `mainspring tokens complete {point}` ends it.",
    "event": "It waits in {key!r} for the event {point!r}.",
    "input": "It waits in {key!r} for an input.",
    "diverged": "Its code is not what its journal tells, from {key!r} on; "
    "`mainspring runs settle {run}` decides how it goes on.",
}


async def explain(owner: Owner, env: EnvironmentRow, run_id: str) -> calls.Explanation:
    """The gate that holds a run, who holds its slots, and about when it starts."""
    rows = await owner.store.live.locate(owner.state.shard_id, [run_id])
    if not rows or rows[0].env_id != env.env_id or rows[0].place != "ready":
        run = await one(owner, env, run_id)
        if run.status is Status.WAITING:
            return await _waiting(owner, run)
        return _not_queued(run, owner.state.clock.now())
    row, state = rows[0], owner.state
    now = state.clock.now()
    pinned = real(state, env.env_id, row.version) or state.current.get(env.env_id, "")
    if lacks_workers(state, env.env_id, pinned):
        awaited = pinned.startswith(AWAITED)
        text = NO_DEPLOYMENT if awaited else NO_VERSION
        text = text.format(version=pinned.removeprefix(AWAITED) if awaited else pinned)
        return calls.Explanation(run_id, "pending_version", text)
    pools = [
        pool
        for (env_id, version), pool in state.pools.items()
        if env_id == env.env_id and pinned in ("", version)
    ]
    able = [s for pool in pools for s in pool.sessions if row.task in s.tasks and s.deliver]
    found = ask_core(
        state.core,
        (row.env_id, row.queue, row.ckey, row.version),
        row.ord,
        run_id,
        now,
        resume=row.kind == "resume",
        free_slots=sum(max(session.free, 0) for session in able),
        holders=lambda env_id, queue, key: _holders(state, env_id, queue, key),
    )
    return calls.Explanation(
        run_id,
        found.gate.value,
        _sentence(found, row, len(able), now),
        position=found.position,
        running=found.running,
        limit=found.limit,
        starts_at=None if found.starts_in_ms is None else now + found.starts_in_ms,
        holders=found.holders,
    )


def _holders(state: State, env_id: int, queue: str | None, key: str | None) -> Sequence[str]:
    ids = (
        live.run_id
        for live in state.lives.values()
        if live.env_id == env_id and queue in (None, live.queue) and key in (None, live.ckey)
    )
    return sorted(ids)[:HOLDERS]


def _sentence(found: Explanation, row: LiveRow, able: int, now: int) -> str:
    if found.gate is Gate.NO_WORKER:
        if not able:
            return f"No connected worker has task {row.task!r}; start one with `mainspring worker`."
        return f"All slots of the {able} workers that have task {row.task!r} are taken."
    return SENTENCES[found.gate].format(
        queue=row.queue,
        ckey=row.ckey,
        running=found.running,
        limit=found.limit,
        position=found.position,
        wait=spell(max((found.free_at or now) - now, 0)),
    )


async def _waiting(owner: Owner, run: Run) -> calls.Explanation:
    """What a parked run waits for: the wait that ends first by time, or else the oldest."""
    edges = await owner.store.waits.of_runs(owner.state.shard_id, [run.id])
    if not edges:
        return _not_queued(run, owner.state.clock.now())
    first = min(edges, key=lambda edge: (not edge.due_at, edge.due_at, edge.seq, edge.waitpoint_id))
    sentence = WAITS[first.kind].format(
        key=first.key,
        point=first.waitpoint_id.rpartition(":")[2],
        wait=spell(max(first.due_at - owner.state.clock.now(), 0)),
        run=run.id,
    )
    count = len({edge.key for edge in edges})
    more = f" It has {count} open waits." if count > 1 else ""
    starts_at = first.due_at or None
    return calls.Explanation(run.id, "waiting", f"{sentence}{more}", starts_at=starts_at)


def _not_queued(run: Run, now: int) -> calls.Explanation:
    status = run.status
    if status.is_final:
        return calls.Explanation(run.id, "finished", f"It has ended: {status.value}.")
    if status is Status.DELAYED:
        wait = spell(max((run.delayed_until or now) - now, 0))
        text = f"It is delayed and becomes ready in {wait}."
        return calls.Explanation(run.id, "delayed", text, starts_at=run.delayed_until)
    if status is Status.PENDING_VERSION:
        text = f"No connected worker has task {run.task!r} in the version it needs."
        return calls.Explanation(run.id, "pending_version", text)
    if run.retry_at is not None:
        wait = spell(max(run.retry_at - now, 0))
        text = f"Attempt {run.attempt} starts in {wait}, after a failed one."
        return calls.Explanation(run.id, "retrying", text, starts_at=run.retry_at)
    return calls.Explanation(run.id, status.value, f"It is {status.value}.")
