"""Keys, what signs, and one-time tokens, over the database port."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from mainspring.errors import StoreUnavailable
from mainspring.model.audit import Entry
from mainspring.store.access import FoundKey, KeyRow, Signing, SigningRow
from mainspring.store.audit_table import AuditTable
from mainspring.store.database import Call, Database
from mainspring.store.environment import EnvironmentRow, StoredEnvironment
from mainspring.store.people_tables import PeopleTables


class _Found(Struct, array_like=True):
    key_id: str
    env_id: int
    label: str
    last_four: str
    scopes: str
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    used_at: int | None
    slug: str
    shard_id: int
    limit: int | None
    burst: float
    paused: int
    signing: int

    def key(self) -> FoundKey:
        env = EnvironmentRow(
            self.env_id, self.slug, self.shard_id, self.limit, self.burst, bool(self.paused)
        )
        values = {name: getattr(self, name) for name in KeyRow.__struct_fields__}
        return FoundKey(KeyRow(**values), env, self.signing)


class Keyring:
    """See `mainspring.store.access.Access`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.log = AuditTable(database)
        self.people = PeopleTables(database, self.log)

    async def secret(self, name: str, value: str) -> str:
        for _ in range(2):
            found = await self._database.fetch("secret_read", tuple[str], {"name": name})
            if found or not value:
                return found[0][0] if found else ""
            await self._database.write(("secret_make", {"name": name, "value": value}, ()))
        raise StoreUnavailable(f"the shared value {name!r} was not stored. Repeat.")

    async def former_keys(self) -> list[tuple[str, int, str, int]]:
        return await self._database.fetch("former_keys", tuple[str, int, str, int], {})

    async def replace_former(self, rows: Sequence[tuple[str, str, str]]) -> None:
        await self._database.write(("former_copy", {}, rows), ("former_drop", {}, ()))

    async def find_key(self, key_hash: str) -> FoundKey | None:
        rows = await self._database.fetch("key_find", _Found, {"key_hash": key_hash})
        return rows[0].key() if rows else None

    async def keys(self, env_id: int) -> list[KeyRow]:
        name = "keys_of" if env_id else "keys_all"
        return await self._database.fetch(name, KeyRow, {"env_id": env_id} if env_id else {})

    async def add_key(
        self,
        key_hash: str,
        row: KeyRow,
        chain: bytes,
        entry: Entry,
        *,
        former: tuple[str, int] | None = None,
    ) -> None:
        values = {"key_hash": key_hash} | msgspec.structs.asdict(row)
        calls: list[Call] = [("key_add", values, ())]
        if former is not None:
            calls.append(("key_expire", {"key_id": former[0], "expires_at": former[1]}, ()))
        await self.log.change(chain, [entry], *calls)

    async def show_key(self, key_hash: str, last_four: str) -> None:
        values = {"key_hash": key_hash, "last_four": last_four}
        await self._database.write(("key_show", values, ()))

    async def revoke_key(self, key_id: str, now: int, chain: bytes, entry: Entry) -> None:
        await self.log.change(chain, [entry], ("key_revoke", {"key_id": key_id, "now": now}, ()))

    async def use_keys(self, rows: Sequence[tuple[str, int, int]]) -> list[str]:
        return [key_id for (key_id,) in await self._database.write(("keys_use", {}, rows))]

    async def signing(self, env: int | str) -> Signing | None:
        name = "environment_by_slug" if isinstance(env, str) else "environment_by_id"
        values = {"slug" if isinstance(env, str) else "env_id": env}
        envs = await self._database.fetch(name, StoredEnvironment, values)
        if not envs:
            return None
        rotations = await self._database.fetch("signing_of", SigningRow, {"env_id": envs[0].env_id})
        return Signing(envs[0].row(), rotations, await self.keys(envs[0].env_id))

    async def rotate_signing(
        self, env_id: int, now: int, former_until: int, chain: bytes, entry: Entry
    ) -> int:
        rotations = await self._database.fetch("signing_of", SigningRow, {"env_id": env_id})
        number = rotations[-1].number + 1 if rotations else 1
        values = {"env_id": env_id, "number": number, "now": now, "former_until": former_until}
        await self.log.change(chain, [entry], ("signing_add", values, ()))
        return number

    async def environments_of_shard(self, shard_id: int) -> list[EnvironmentRow]:
        values = {"shard": shard_id}
        found = await self._database.fetch("environments_of_shard", StoredEnvironment, values)
        return [row.row() for row in found]

    async def spend(
        self, env_id: int, token_hash: str, request: str, now: int, expires_at: int
    ) -> bool:
        token = {"env_id": env_id, "token_hash": token_hash}
        use = {"request": request, "now": now, "expires_at": expires_at}
        written = await self._database.write(
            ("token_purge", {"now": now}, ()), ("token_spend", token | use, ())
        )
        return bool(written)

    async def repeat(self, env_id: int, token_hash: str, request: str, since: int) -> bool:
        values = {
            "env_id": env_id,
            "token_hash": token_hash,
            "request": request,
            "repeated": f"{request} again",
            "since": since,
        }
        return bool(await self._database.write(("token_repeat", values, ())))

    async def unspend(self, env_id: int, token_hash: str, request: str) -> None:
        values = {"env_id": env_id, "token_hash": token_hash, "request": request}
        await self._database.write(("token_unspend", values, ()))
