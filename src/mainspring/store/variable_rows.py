"""Environment variables over the database port."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mainspring.store.database import Database
from mainspring.store.variables import VariableRow


class VariableRows:
    """See `mainspring.store.variables.Variables`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, env_id: int) -> list[VariableRow]:
        return await self._database.fetch("variables", VariableRow, {"env_id": env_id})

    async def set(self, rows: Sequence[VariableRow]) -> None:
        if rows:
            await self._database.write(("variables_set", {}, _sorted(rows)))

    async def add(self, rows: Sequence[VariableRow]) -> list[str]:
        if not rows:
            return []
        made = await self._database.write(("variables_add", {}, _sorted(rows)))
        return sorted(name for (name,) in made)

    async def drop(self, env_id: int, name: str) -> bool:
        values = {"env_id": env_id, "name": name}
        return bool(await self._database.write(("variable_drop", values, ())))

    async def sealed_otherwise(self, key_id: str, limit: int) -> list[VariableRow]:
        values = {"key_id": key_id, "most": limit}
        return await self._database.fetch("variables_sealed_otherwise", VariableRow, values)

    async def reseal(self, row: VariableRow, sealed: str, key_id: str) -> None:
        values = {
            "env_id": row.env_id,
            "name": row.name,
            "was": row.sealed,
            "sealed": sealed,
            "key_id": key_id,
        }
        await self._database.write(("variable_reseal", values, ()))


def _sorted(rows: Sequence[VariableRow]) -> list[tuple[object, ...]]:
    """In the order of the primary key: two who write at once take the locks in the same order."""
    return sorted(msgspec.structs.astuple(row) for row in rows)
