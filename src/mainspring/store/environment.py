"""The row of an environment, which every room above knows. No SQL."""

from __future__ import annotations

from msgspec import Struct


class EnvironmentRow(Struct):
    """An environment. `slug` is dev, stg, prod or preview-…; `limit` None = unlimited."""

    env_id: int
    slug: str
    shard_id: int
    limit: int | None = None
    burst: float = 1.0
    paused: bool = False
