"""The namespaces of clients: which verbs they have, each awaited and blocking. One line a verb."""

from __future__ import annotations

from typing import Any

from mainspring.sdk import (
    batches,
    bulk,
    deployments,
    env_vars,
    events,
    idempotency,
    public_tokens,
    queues,
    runs,
    schedules,
    streams,
    tasks,
    tokens,
)
from mainspring.sdk.client_bound import Namespace, sync_verb, sync_walk, verb, walk
from mainspring.sdk.handles import Handle, plain


class Tasks(Namespace):
    """Tasks by their ids, and what makes runs of them."""

    trigger = verb(tasks.trigger)
    batch_trigger = verb(tasks.batch_trigger)
    batch = verb(tasks.batch)
    trigger_and_poll = verb(tasks.trigger_and_poll)
    call = staticmethod(tasks.call)
    list = verb(tasks.list)


class SyncTasks(Namespace):
    """Tasks by their ids, and what makes runs of them."""

    trigger = sync_verb(tasks.trigger)
    batch_trigger = sync_verb(tasks.batch_trigger)
    batch = sync_verb(tasks.batch)
    trigger_and_poll = sync_verb(tasks.trigger_and_poll)
    call = staticmethod(tasks.call)
    list = sync_verb(tasks.list)


class Runs(Namespace):
    """Runs by their ids."""

    retrieve = verb(runs.retrieve)
    list = walk(runs.list)
    page = verb(runs.page)
    cancel = verb(runs.cancel)
    replay = verb(runs.replay)
    reschedule = verb(runs.reschedule)
    add_tags = verb(runs.add_tags)
    poll = verb(runs.poll)
    result = verb(runs.result)
    logs = walk(runs.logs)
    subscribe = walk(runs.subscribe)
    subscribe_tag = walk(runs.subscribe_tag)
    explain = verb(runs.explain)

    def handle(self, run_id: str) -> Handle[Any]:
        """The handle of a run whose id was stored."""
        return Handle(run_id, plain, transport=self.transport)


class SyncRuns(Namespace):
    """Runs by their ids."""

    retrieve = sync_verb(runs.retrieve)
    list = sync_walk(runs.list)
    page = sync_verb(runs.page)
    cancel = sync_verb(runs.cancel)
    replay = sync_verb(runs.replay)
    reschedule = sync_verb(runs.reschedule)
    add_tags = sync_verb(runs.add_tags)
    poll = sync_verb(runs.poll)
    result = sync_verb(runs.result)
    logs = sync_walk(runs.logs)
    subscribe = sync_walk(runs.subscribe)
    subscribe_tag = sync_walk(runs.subscribe_tag)
    explain = sync_verb(runs.explain)

    def handle(self, run_id: str) -> Handle[Any]:
        """The handle of a run whose id was stored; its blocking verbs end in `_sync`."""
        return Handle(run_id, plain, transport=self.transport)


class Batches(Namespace):
    """Batches by their ids."""

    trigger = verb(batches.trigger)
    retrieve = verb(batches.retrieve)
    runs = walk(batches.runs)
    subscribe = walk(batches.subscribe)


class SyncBatches(Namespace):
    """Batches by their ids."""

    trigger = sync_verb(batches.trigger)
    retrieve = sync_verb(batches.retrieve)
    runs = sync_walk(batches.runs)
    subscribe = sync_walk(batches.subscribe)


class Queues(Namespace):
    """Queues by their names."""

    list = verb(queues.list)
    retrieve = verb(queues.retrieve)
    pause = verb(queues.pause)
    resume = verb(queues.resume)
    set_limit = verb(queues.set_limit)
    reset_limit = verb(queues.reset_limit)


class SyncQueues(Namespace):
    """Queues by their names."""

    list = sync_verb(queues.list)
    retrieve = sync_verb(queues.retrieve)
    pause = sync_verb(queues.pause)
    resume = sync_verb(queues.resume)
    set_limit = sync_verb(queues.set_limit)
    reset_limit = sync_verb(queues.reset_limit)


class Tokens(Namespace):
    """Tokens, which runs wait for and anybody can complete."""

    create = verb(tokens.create_token)
    retrieve = verb(tokens.retrieve_token)
    complete = verb(tokens.complete_token)
    list = walk(tokens.list_tokens)
    public = verb(public_tokens.public)


class SyncTokens(Namespace):
    """Tokens, which runs wait for and anybody can complete."""

    create = sync_verb(tokens.create_token)
    retrieve = sync_verb(tokens.retrieve_token)
    complete = sync_verb(tokens.complete_token)
    list = sync_walk(tokens.list_tokens)
    public = sync_verb(public_tokens.public)


async def _send(run_id: str, stream: str, data: Any) -> int:
    """Send a record to an input stream of a run; answers its number in the stream, from 1.

    Raises: NotFound, Conflict when the run has ended, InvalidOptions without a JSON form.
    """
    return await streams.input(stream).send(run_id, data)


class Streams(Namespace):
    """Streams of runs."""

    send = verb(_send)


class SyncStreams(Namespace):
    """Streams of runs."""

    send = sync_verb(_send)


class Events(Namespace):
    """Events, which runs wait for."""

    emit = verb(events.emit)


class SyncEvents(Namespace):
    """Events, which runs wait for."""

    emit = sync_verb(events.emit)


class Idempotency(Namespace):
    """Idempotency keys of tasks."""

    create_key = staticmethod(idempotency.create_key)
    reset = verb(idempotency.reset)


class SyncIdempotency(Namespace):
    """Idempotency keys of tasks."""

    create_key = staticmethod(idempotency.create_key)
    reset = sync_verb(idempotency.reset)


class Bulk(Namespace):
    """Canceling and replaying many runs."""

    cancel = verb(bulk.cancel)
    replay = verb(bulk.replay)
    retrieve = verb(bulk.retrieve)
    poll = verb(bulk.poll)
    abort = verb(bulk.abort)
    list = walk(bulk.list)


class Schedules(Namespace):
    """Schedules by their ids."""

    create = verb(schedules.create)
    update = verb(schedules.update)
    retrieve = verb(schedules.retrieve)
    activate = verb(schedules.activate)
    deactivate = verb(schedules.deactivate)
    delete = verb(schedules.delete)
    run_now = verb(schedules.run_now)
    next_runs = verb(schedules.next_runs)
    list = walk(schedules.list)


class Deployments(Namespace):
    """Versions of the code."""

    list = walk(deployments.list)
    retrieve = verb(deployments.retrieve)
    current = verb(deployments.current)
    promote = verb(deployments.promote)
    rollback = verb(deployments.rollback)


class EnvVars(Namespace):
    """Variables of the environment."""

    list = verb(env_vars.list)
    retrieve = verb(env_vars.retrieve)
    set = verb(env_vars.set)
    delete = verb(env_vars.delete)


class SyncBulk(Namespace):
    """Canceling and replaying many runs."""

    cancel = sync_verb(bulk.cancel)
    replay = sync_verb(bulk.replay)
    retrieve = sync_verb(bulk.retrieve)
    poll = sync_verb(bulk.poll)
    abort = sync_verb(bulk.abort)
    list = sync_walk(bulk.list)


class SyncSchedules(Namespace):
    """Schedules by their ids."""

    create = sync_verb(schedules.create)
    update = sync_verb(schedules.update)
    retrieve = sync_verb(schedules.retrieve)
    activate = sync_verb(schedules.activate)
    deactivate = sync_verb(schedules.deactivate)
    delete = sync_verb(schedules.delete)
    run_now = sync_verb(schedules.run_now)
    next_runs = sync_verb(schedules.next_runs)
    list = sync_walk(schedules.list)


class SyncDeployments(Namespace):
    """Versions of the code."""

    list = sync_walk(deployments.list)
    retrieve = sync_verb(deployments.retrieve)
    current = sync_verb(deployments.current)
    promote = sync_verb(deployments.promote)
    rollback = sync_verb(deployments.rollback)


class SyncEnvVars(Namespace):
    """Variables of the environment."""

    list = sync_verb(env_vars.list)
    retrieve = sync_verb(env_vars.retrieve)
    set = sync_verb(env_vars.set)
    delete = sync_verb(env_vars.delete)
