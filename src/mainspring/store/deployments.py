"""Versions of the code and their promotions, over the database port."""

from __future__ import annotations

from mainspring.store.database import Database
from mainspring.store.operating import Window
from mainspring.store.operations import page
from mainspring.store.versions import DeploymentRow, PromotionRow


class Deployments:
    """See `mainspring.store.versions.Versions`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def see_version(
        self, shard_id: int, env_id: int, version: str, deployment_id: str, now: int
    ) -> None:
        values = {
            "shard": shard_id,
            "env_id": env_id,
            "version": version,
            "deployment_id": deployment_id,
            "now": now,
        }
        await self._database.write(("deployment_seen", values, ()))

    async def deployments(self, shard_id: int, env_id: int, window: Window) -> list[DeploymentRow]:
        return await page(self._database, "deployment", DeploymentRow, shard_id, env_id, window)

    async def deployment(self, shard_id: int, env_id: int, version: str) -> DeploymentRow | None:
        values = {"shard": shard_id, "env_id": env_id, "version": version}
        found = await self._database.fetch("deployment_one", DeploymentRow, values)
        return found[0] if found else None

    async def deployment_of_external(
        self, shard_id: int, env_id: int, external_id: str
    ) -> DeploymentRow | None:
        values = {"shard": shard_id, "env_id": env_id, "external_id": external_id}
        found = await self._database.fetch("deployment_of_external", DeploymentRow, values)
        return found[0] if found else None

    async def external_ids(self, shard_id: int) -> list[tuple[int, str, str]]:
        return await self._database.fetch(
            "deployment_external_ids", tuple[int, str, str], {"shard": shard_id}
        )

    async def in_use(self, shard_id: int, env_id: int) -> set[str]:
        values = {"shard": shard_id, "env_id": env_id}
        found = await self._database.fetch("versions_in_use", tuple[str], values)
        return {version for (version,) in found}

    async def drop_bundle(self, shard_id: int, epoch: int, env_id: int, version: str) -> None:
        values = {"shard": shard_id, "env_id": env_id, "version": version}
        await self._database.write(("deployment_drop_bundle", values, ()), fence=(shard_id, epoch))

    async def versions(self, shard_id: int, env_id: int, prefix: str) -> list[str]:
        values = {"shard": shard_id, "env_id": env_id, "low": prefix, "high": f"{prefix}~"}
        found = await self._database.fetch("deployment_versions", tuple[str], values)
        return [version for (version,) in found]

    async def promotions(self, shard_id: int, env_id: int, limit: int) -> list[PromotionRow]:
        values = {"shard": shard_id, "env_id": env_id, "most": limit}
        return await self._database.fetch("promotions", PromotionRow, values)
