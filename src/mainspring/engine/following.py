"""Follow runs and logs: what is new since a reader's number, as soon as it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from mainspring.engine import query
from mainspring.engine.feed import Topic, Watch
from mainspring.engine.listing import tell_status
from mainspring.engine.owner import Owner
from mainspring.errors import InvalidOptions, StoreUnavailable
from mainspring.model import limits
from mainspring.model.run import Run
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire import calls

T = TypeVar("T")
LONGEST_MS: Final = 60_000
SHOWN: Final = 1_000
"""Runs that a list is followed from, at most; later ones join by themselves."""
PAGE: Final = 100
LINES: Final = 10_000


async def answer(
    owner: Owner, env: EnvironmentRow, request: calls.ListLogs | calls.AwaitRuns
) -> calls.LogPage | calls.ChangedRuns:
    """Answer either request. Raises: as `logs` and `runs`."""
    if isinstance(request, calls.ListLogs):
        return await logs(owner, env, request)
    return await runs(owner, env, request)


async def runs(owner: Owner, env: EnvironmentRow, request: calls.AwaitRuns) -> calls.ChangedRuns:
    """What has changed of these runs. Raises: NotFound for an unknown run, InvalidOptions,
    StoreUnavailable when the runs get another owner meanwhile.
    """
    (topic,) = _topics(env, request)

    async def changed(watch: Watch) -> calls.ChangedRuns | None:
        place = request.after, request.beside
        rows, last = await _read(owner, env, request, watch)
        found = [
            run
            for run in rows
            if run.env_id == env.env_id
            and run.created_at >= (request.created_from or 0)
            and run.change <= last
            and (run.change, run.id) > place
        ]
        found.sort(key=lambda run: (run.change, run.id))
        whole = [await _whole(owner, run) for run in found[:PAGE]]
        if not whole:
            return None
        return calls.ChangedRuns(whole, whole[-1].change, whole[-1].id)

    nothing = calls.ChangedRuns([], request.after, request.beside)
    return await _once(owner, (topic,), request.timeout_ms, changed) or nothing


async def logs(owner: Owner, env: EnvironmentRow, request: calls.ListLogs) -> calls.LogPage:
    """Lines of a run; who has seen it end sees all that it wrote.

    Raises: NotFound, StoreUnavailable when the run gets another owner meanwhile.
    """
    limit = max(1, min(request.limit, LINES))

    async def lines(_: Watch) -> calls.LogPage | None:
        shard_id = owner.state.shard_id
        final = (await query.one(owner, env, request.run_id)).status.is_final
        await owner.write_lines()
        found = await owner.store.runs.logs(shard_id, request.run_id, request.after, limit)
        return calls.LogPage(found, final and len(found) < limit) if found or final else None

    topics: tuple[Topic, ...] = (("logs", request.run_id), ("run", request.run_id))
    return await _once(owner, topics, request.timeout_ms, lines) or calls.LogPage([])


async def _once(
    owner: Owner,
    topics: tuple[Topic, ...],
    timeout_ms: int,
    look: Callable[[Watch], Awaitable[T | None]],
) -> T | None:
    """What `look` finds, tried anew whenever one of the topics rings; None when time is over."""
    watch = owner.feed.watch(*topics)
    try:
        found = await look(watch)
        if found is not None or timeout_ms <= 0:
            return found
        async with asyncio.timeout(min(timeout_ms, LONGEST_MS) / 1000):
            while found is None:
                if not await watch.wait():
                    raise StoreUnavailable("The run has another owner now; repeat the request.")
                found = await look(watch)
        return found
    except TimeoutError:
        return None
    finally:
        watch.close()


def _topics(env: EnvironmentRow, request: calls.AwaitRuns) -> tuple[Topic, ...]:
    limits.check_tags(request.tags)
    tags = tuple(sorted(set(request.tags)))
    topics: list[Topic] = [("tag", env.env_id, *tags)] if tags else []
    if request.run_id is not None:
        topics.append(("run", request.run_id))
    if request.batch_id is not None:
        topics.append(("batch", request.batch_id))
    if len(topics) != 1:
        raise InvalidOptions("Follow exactly one of a run, tags, and a batch.")
    return tuple(topics)


async def _read(
    owner: Owner, env: EnvironmentRow, request: calls.AwaitRuns, watch: Watch
) -> tuple[list[Run], int]:
    """At least the runs that have changed since, and up to which commit. Later ones ring again."""
    last = owner.feed.last
    if request.run_id is not None:
        return [await query.one(owner, env, request.run_id)], last
    # several runs may share the number that the page before has ended at
    changed = watch.since(request.after - 1) if request.after else None
    if changed is not None:
        return await owner.store.runs.many(owner.state.shard_id, list(changed)), last
    newest = await owner.store.runs.latest(
        owner.state.shard_id, env.env_id, request.tags, request.batch_id, SHOWN
    )
    watch.expect(reversed(newest))
    last = owner.feed.last
    return await owner.store.runs.many(owner.state.shard_id, newest), last


async def _whole(owner: Owner, run: Run) -> Run:
    if run.payload is None and run.payload_ref is not None:
        run.payload = await owner.objects.get(run.payload_ref)
    if run.output is None and run.output_ref is not None:
        run.output = await owner.objects.get(run.output_ref)
    tell_status(owner.state, run)
    return run
