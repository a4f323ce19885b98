"""Environments, tasks and queues, over the database port; versions are inherited."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from mainspring.errors import StoreUnavailable
from mainspring.model.task import QueueSpec, TaskSpec
from mainspring.store.database import Call, Database
from mainspring.store.deployments import Deployments
from mainspring.store.environment import StoredEnvironment
from mainspring.store.protocol import EnvironmentRow, QueueRow

_TRIES: Final = 20
_encode: Final = msgspec.json.Encoder().encode
_task_spec: Final = msgspec.json.Decoder(TaskSpec)
_queue_spec: Final = msgspec.json.Decoder(QueueSpec)


class _Queue(Struct, array_like=True):
    env_id: int
    spec: str
    paused: int
    override_limit: int | None
    override_at: int | None


class Catalog(Deployments):
    """See `mainspring.store.protocol.Catalog`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def environments(self) -> list[EnvironmentRow]:
        return [
            row.row() for row in await self._database.fetch("environments", StoredEnvironment, {})
        ]

    async def ensure_environment(self, slug: str) -> EnvironmentRow:
        for _ in range(_TRIES):
            found = await self._database.fetch(
                "environment_by_slug", StoredEnvironment, {"slug": slug}
            )
            if found:
                return found[0].row()
            await self._database.write(
                ("environment_make", {"slug": slug}, ()), ("shards_of_environments", {}, ())
            )
        raise StoreUnavailable(
            f"environment {slug} could not be made: other servers made others each time. Repeat."
        )

    async def tasks(self, env_id: int) -> list[tuple[TaskSpec, str]]:
        rows = await self._database.fetch("tasks", tuple[str, str], {"env_id": env_id})
        return [(_task_spec.decode(spec), version) for spec, version in rows]

    async def register(
        self, env_id: int, version: str, tasks: Sequence[TaskSpec], queues: Sequence[QueueSpec]
    ) -> None:
        env = {"env_id": env_id}
        task_rows = {task.id: (task.id, version, _encode(task).decode()) for task in tasks}
        queue_rows = {queue.name: (queue.name, _encode(queue).decode()) for queue in queues}
        calls: list[Call] = [
            # sorted: two servers that register at once take the rows' locks in the same order
            ("task_register", env, [task_rows[task] for task in sorted(task_rows)]),
            ("queue_register", env, [queue_rows[queue] for queue in sorted(queue_rows)]),
        ]
        await self._database.write(*(call for call in calls if call[2]))

    async def queues(self, env_id: int) -> list[QueueRow]:
        rows = await self._database.fetch("queues", _Queue, {"env_id": env_id})
        return [
            QueueRow(
                row.env_id,
                _queue_spec.decode(row.spec),
                bool(row.paused),
                row.override_limit,
                row.override_at,
            )
            for row in rows
        ]

    async def set_queue(self, row: QueueRow) -> None:
        values = {
            "env_id": row.env_id,
            "name": row.spec.name,
            "spec": _encode(row.spec).decode(),
            "paused": int(row.paused),
            "override_limit": row.override_limit,
            "override_at": row.override_at,
        }
        await self._database.write(("queue_set", values, ()))
