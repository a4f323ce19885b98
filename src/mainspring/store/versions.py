"""Versions of the code and their promotions as the rooms above read them: rows and the protocol.

Every coroutine may raise `StoreUnavailable`. Both are written by commits, but for what workers
announce.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from mainspring.store.operating import Window


class DeploymentRow(Struct, array_like=True):
    """A version, since it was deployed or its first worker came, and until the last one that
    announced it. The bundle and the manifest are objects; a version without is one that only
    workers have announced, or one whose code is in an `image`.
    """

    version: str
    deployment_id: str
    created_at: int
    seen_at: int
    external_id: str | None
    bundle_ref: str | None
    bundle_hash: str
    bundle_size: int
    manifest_ref: str | None
    runtime: str
    image: str = ""


class PromotionRow(Struct, array_like=True):
    """New runs of an environment get that version, from then until the next number's time."""

    number: int
    version: str
    promoted_at: int


class Versions(Protocol):
    """Which versions there were, and which of them new runs got."""

    async def see_version(
        self, shard_id: int, env_id: int, version: str, deployment_id: str, now: int
    ) -> None:
        """A worker announced that version; the id and time of the first one stay."""
        ...

    async def deployments(self, shard_id: int, env_id: int, window: Window) -> list[DeploymentRow]:
        """By id, which is by the time of the first worker."""
        ...

    async def deployment(
        self, shard_id: int, env_id: int, version: str
    ) -> DeploymentRow | None: ...

    async def deployment_of_external(
        self, shard_id: int, env_id: int, external_id: str
    ) -> DeploymentRow | None: ...

    async def external_ids(self, shard_id: int) -> list[tuple[int, str, str]]:
        """(env_id, external id, version) of all deployments that have one."""
        ...

    async def in_use(self, shard_id: int, env_id: int) -> set[str]:
        """The versions that runs are pinned to which have not ended. It looks at all of these."""
        ...

    async def drop_bundle(self, shard_id: int, epoch: int, env_id: int, version: str) -> None:
        """Know of a version that its code is not kept any more. Raises: FencedOut."""
        ...

    async def versions(self, shard_id: int, env_id: int, prefix: str) -> list[str]:
        """The versions that begin so."""
        ...

    async def promotions(self, shard_id: int, env_id: int, limit: int) -> list[PromotionRow]:
        """The latest first."""
        ...
