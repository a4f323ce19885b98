"""Which version of the code new runs get, and who serves a version. Reads and sets memory only."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mainspring.engine.state import State
from mainspring.model.deployment import AWAITED
from mainspring.model.run import Run, Status
from mainspring.model.task import QueueSpec, TaskSpec
from mainspring.store.protocol import QueueRow
from mainspring.wire.worker import Hello


def serves(state: State, env_id: int, version: str) -> bool:
    """Whether a worker of that version is connected."""
    pool = state.pools.get((env_id, version))
    return pool is not None and any(session.deliver is not None for session in pool.sessions)


def real(state: State, env_id: int, version: str) -> str:
    """The version that a run waits for, by its name once the deployment is there."""
    if version.startswith(AWAITED):
        return state.versions.get((env_id, version.removeprefix(AWAITED)), version)
    return version


def lacks_workers(state: State, env_id: int, version: str) -> bool:
    """Whether a run of that version ("" = the current one) waits because nobody has it."""
    wanted = real(state, env_id, version) or state.current.get(env_id, "")
    return bool(wanted) and not serves(state, env_id, wanted)


def tell_pending(state: State, run: Run) -> None:
    """The rows do not say that a queued run waits for workers of its version; memory does."""
    if run.status is Status.QUEUED and lacks_workers(state, run.env_id, run.version):
        run.status = Status.PENDING_VERSION


def pending_there(state: State, env_id: int) -> bool:
    """Whether queued runs of the environment may wait for workers of their version."""
    environment = state.core.tree.environments.get(env_id)
    listed = environment.tracks if environment is not None else ()
    return any(lacks_workers(state, env_id, version) for version in {"", *listed})


def news(state: State, env_id: int, hello: Hello) -> tuple[list[TaskSpec], list[QueueSpec]]:
    """What a worker tells of tasks and queues that is to hold: all of the current version, of
    another one what nobody else has told.
    """
    current = state.current.get(env_id, "")
    if not current or hello.version == current:
        return hello.tasks, hello.queues
    return (
        [task for task in hello.tasks if (env_id, task.id) not in state.tasks],
        [queue for queue in hello.queues if (env_id, queue.name) not in state.queues],
    )


def learn(
    state: State,
    env_id: int,
    version: str,
    tasks: Sequence[TaskSpec],
    queues: Sequence[QueueSpec],
) -> None:
    """Know tasks and limits; what people have changed of a queue stays."""
    for spec in queues:
        old = state.queues.get((env_id, spec.name))
        row = QueueRow(env_id, spec)
        state.set_queue(row if old is None else msgspec.structs.replace(old, spec=spec))
    for task in tasks:
        state.set_task(env_id, task, version)
