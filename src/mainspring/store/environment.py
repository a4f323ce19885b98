"""The rows of an environment and of its queues, which every room above knows. No SQL."""

from __future__ import annotations

from msgspec import Struct

from mainspring.model.task import QueueSpec


class EnvironmentRow(Struct):
    """An environment. `slug` is dev, stg, prod or preview-…; `limit` None = unlimited."""

    env_id: int
    slug: str
    shard_id: int
    limit: int | None = None
    burst: float = 1.0
    paused: bool = False


class StoredEnvironment(Struct, array_like=True):
    """The same as databases give it: SQLite knows no truth values."""

    env_id: int
    slug: str
    shard_id: int
    limit: int | None
    burst: float
    paused: int

    def row(self) -> EnvironmentRow:
        """For those above."""
        return EnvironmentRow(
            self.env_id, self.slug, self.shard_id, self.limit, self.burst, bool(self.paused)
        )


class QueueRow(Struct):
    """A queue: the code's own `spec` and what people changed over it."""

    env_id: int
    spec: QueueSpec
    paused: bool = False
    override_limit: int | None = None
    override_at: int | None = None
