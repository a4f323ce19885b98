"""People, their roles and their personal tokens, over the database port."""

from __future__ import annotations

from msgspec import Struct

from mainspring.model.audit import Entry
from mainspring.store.access import FoundPerson, Member, PersonRow
from mainspring.store.audit_table import AuditTable
from mainspring.store.database import Call, Database
from mainspring.store.environment import EnvironmentRow


class _Role(Struct, array_like=True):
    env_id: int
    slug: str
    shard_id: int
    limit: int | None
    burst: float
    paused: int
    role: str
    signing: int

    def found(self) -> tuple[EnvironmentRow, str, int]:
        env = EnvironmentRow(
            self.env_id, self.slug, self.shard_id, self.limit, self.burst, bool(self.paused)
        )
        return env, self.role, self.signing


class _Owner(PersonRow, array_like=True):
    expires_at: int | None


class _Password(Struct, array_like=True):
    person_id: str
    hash: str


class PeopleTables:
    """See `mainspring.store.access.People`."""

    def __init__(self, database: Database, log: AuditTable) -> None:
        self._database = database
        self._log = log

    async def find(self, token_hash: str) -> FoundPerson | None:
        owners = await self._database.fetch("person_find", _Owner, {"token_hash": token_hash})
        if not owners:
            return None
        owner = owners[0]
        roles = await self._database.fetch(
            "person_environments", _Role, {"person_id": owner.person_id}
        )
        person = PersonRow(owner.person_id, owner.name, owner.created_at)
        return FoundPerson(person, owner.expires_at, [role.found() for role in roles])

    async def members(self) -> list[Member]:
        return await self._database.fetch("members", Member, {})

    async def add(self, row: PersonRow, chain: bytes, entry: Entry) -> None:
        values = {"person_id": row.person_id, "name": row.name, "now": row.created_at}
        await self._log.change(chain, [entry], ("person_add", values, ()))

    async def set_role(
        self, person_id: str, env_id: int, role: str, chain: bytes, entry: Entry
    ) -> None:
        values = {"person_id": person_id, "env_id": env_id}
        call: Call = ("role_drop", values, ())
        if role:
            call = ("role_set", values | {"role": role}, ())
        await self._log.change(chain, [entry], call)

    async def add_token(
        self,
        token_hash: str,
        person_id: str,
        last_four: str,
        now: int,
        expires_at: int | None,
        chain: bytes,
        entry: Entry,
    ) -> None:
        values = {
            "token_hash": token_hash,
            "person_id": person_id,
            "last_four": last_four,
            "now": now,
            "expires_at": expires_at,
        }
        await self._log.change(chain, [entry], ("person_token_add", values, ()))

    async def end_token(self, token_hash: str) -> None:
        await self._database.write(("person_token_end", {"token_hash": token_hash}, ()))

    async def password(self, name: str) -> tuple[str, str] | None:
        found = await self._database.fetch("password_find", _Password, {"name": name})
        return (found[0].person_id, found[0].hash) if found else None

    async def set_password(
        self, person_id: str, hash_: str, now: int, chain: bytes, entry: Entry
    ) -> None:
        values = {"person_id": person_id, "hash": hash_, "now": now}
        await self._log.change(chain, [entry], ("password_set", values, ()))

    async def drop_tokens(self, person_id: str, chain: bytes, entry: Entry) -> None:
        whose = {"person_id": person_id}
        names = ("person_tokens_drop", "password_drop")
        await self._log.change(chain, [entry], *((name, whose, ()) for name in names))

    async def drop(self, person_id: str, chain: bytes, entry: Entry) -> None:
        whose = {"person_id": person_id}
        names = ("person_tokens_drop", "password_drop", "person_roles_drop", "person_drop")
        await self._log.change(chain, [entry], *((name, whose, ()) for name in names))
