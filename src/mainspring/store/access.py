"""Keys, people and the audit log as the rooms above read them: rows and a protocol. No SQL.

Every coroutine may raise `StoreUnavailable`. Whatever changes something takes the entry of the
audit log that says so, and writes both or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from mainspring.model.audit import Entry, Link
from mainspring.store.environment import EnvironmentRow


class KeyRow(Struct, array_like=True):
    """A secret key, without its hash. `scopes`: separated by spaces, "" = no limits."""

    key_id: str
    env_id: int
    label: str
    last_four: str
    scopes: str
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    used_at: int | None = None

    def works(self, now: int) -> bool:
        """Whether it opens its environment at that moment."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


class FoundKey(Struct):
    """A key with its environment, and the number of what signs that one's tokens now."""

    key: KeyRow
    env: EnvironmentRow
    signing: int


class SigningRow(Struct, array_like=True):
    """A rotation: the former numbers end at `former_until`."""

    number: int
    created_at: int
    former_until: int


class Signing(Struct):
    """What public tokens of an environment are proved with: its rotations, and its keys, in whose
    names they were made.
    """

    env: EnvironmentRow
    rotations: list[SigningRow]
    keys: list[KeyRow]


class PersonRow(Struct, array_like=True):
    """A person."""

    person_id: str
    name: str
    created_at: int


class FoundPerson(Struct):
    """Whose personal token it is, when it ends, and the roles with the number of what signs that
    environment's tokens. A role that names its environment comes before one for all, and counts.
    """

    person: PersonRow
    expires_at: int | None
    roles: list[tuple[EnvironmentRow, str, int]]


class Member(Struct, array_like=True):
    """A role of a person; `slug` "" means all environments, `role` "" that there is none."""

    person_id: str
    name: str
    created_at: int
    slug: str
    role: str
    tokens: int


class People(Protocol):
    """Persons with their roles and personal tokens."""

    async def find(self, token_hash: str) -> FoundPerson | None:
        """Whose personal token has that hash."""
        ...

    async def members(self) -> list[Member]:
        """Everybody with every role, by name."""
        ...

    async def add(self, row: PersonRow, chain: bytes, entry: Entry) -> None:
        """Make a person. Raises: CommitRejected when the name is taken."""
        ...

    async def set_role(
        self, person_id: str, env_id: int, role: str, chain: bytes, entry: Entry
    ) -> None:
        """Give a role in an environment (0 = in all), or take it ("")."""
        ...

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
        """Make a personal token."""
        ...

    async def end_token(self, token_hash: str) -> None:
        """End one personal token, such as that of a session."""
        ...

    async def password(self, name: str) -> tuple[str, str] | None:
        """The person of that name and the hash of the password, "" for none."""
        ...

    async def set_password(
        self, person_id: str, hash_: str, now: int, chain: bytes, entry: Entry
    ) -> None:
        """Keep the hash of a password instead of the one before."""
        ...

    async def drop_tokens(self, person_id: str, chain: bytes, entry: Entry) -> None:
        """End all personal tokens of a person, and the password."""
        ...

    async def drop(self, person_id: str, chain: bytes, entry: Entry) -> None:
        """Remove a person with roles and tokens."""
        ...


class AuditLog(Protocol):
    """Who did what: entries are appended, and nothing else."""

    async def append(self, chain: bytes, *entries: Entry) -> None:
        """Append to the audit log."""
        ...

    async def page(self, after: int, limit: int) -> list[Link]:
        """Entries with greater numbers, in order."""
        ...

    async def head(self) -> Link | None:
        """The newest entry."""
        ...


class Access(Protocol):
    """Keys, what signs, and tokens that are good for once; beside them people and the log."""

    people: People
    log: AuditLog

    async def secret(self, name: str, value: str) -> str:
        """The shared value of that name, which is `value` if there was none. With "" it is only
        read.
        """
        ...

    async def former_keys(self) -> list[tuple[str, int, str, int]]:
        """(hash, env_id, label, created_at) of keys that are stored without a pepper."""
        ...

    async def replace_former(self, rows: Sequence[tuple[str, str, str]]) -> None:
        """(hash, hash with pepper, key_id): each key under its new hash only."""
        ...

    async def find_key(self, key_hash: str) -> FoundKey | None:
        """The key with that hash, also one that is over."""
        ...

    async def keys(self, env_id: int) -> list[KeyRow]:
        """All keys of an environment, the oldest first; 0 = of all environments."""
        ...

    async def add_key(
        self,
        key_hash: str,
        row: KeyRow,
        chain: bytes,
        entry: Entry,
        *,
        former: tuple[str, int] | None = None,
    ) -> None:
        """Make a key; repeating it does nothing. `former` is a key that it replaces, and when that
        one ends at the latest.
        """
        ...

    async def show_key(self, key_hash: str, last_four: str) -> None:
        """Give a key of an older database its last letters."""
        ...

    async def revoke_key(self, key_id: str, now: int, chain: bytes, entry: Entry) -> None:
        """End a key for ever."""
        ...

    async def use_keys(self, rows: Sequence[tuple[str, int, int]]) -> list[str]:
        """Note uses, (key_id, last use as it was read or 0, now); the ids whose use was not noted
        by another server meanwhile.
        """
        ...

    async def signing(self, env: int | str) -> Signing | None:
        """What proves tokens of that environment, by number or slug; None = there is none."""
        ...

    async def rotate_signing(
        self, env_id: int, now: int, former_until: int, chain: bytes, entry: Entry
    ) -> int:
        """Begin with the next number."""
        ...

    async def environments_of_shard(self, shard_id: int) -> list[EnvironmentRow]:
        """Those whose runs live there."""
        ...

    async def spend(
        self, env_id: int, token_hash: str, request: str, now: int, expires_at: int
    ) -> bool:
        """Use a one-time token up, durably. False = it was used before."""
        ...

    async def repeat(self, env_id: int, token_hash: str, request: str, since: int) -> bool:
        """Whether the same request used the token, at that time or later. If so, its use cannot be
        taken back any more.
        """
        ...

    async def unspend(self, env_id: int, token_hash: str, request: str) -> None:
        """Take the use by that request back, unless it was repeated."""
        ...
