"""Making, replacing and ending secret keys. Who may do so is decided elsewhere."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

import msgspec

from mainspring.errors import InvalidOptions, NotFound
from mainspring.ids import IdSource
from mainspring.model import scope
from mainspring.model.audit import Entry
from mainspring.model.key import new_key
from mainspring.model.pepper import Pepper
from mainspring.store.access import Access, KeyRow
from mainspring.store.environment import EnvironmentRow

GRACE_MS: Final = 24 * 3_600_000
"""How long a key that was replaced goes on working."""
_LABEL: Final = 100

_bits: Final = random.SystemRandom()
_ids: Final = IdSource(_bits)


class KeyBook:
    """Makes, replaces and ends keys for `who`, who is at `origin`, and tells the audit log."""

    def __init__(
        self,
        access: Access,
        pepper: Pepper,
        now: int,
        who: str,
        origin: str = "",
        request: str = "",
    ) -> None:
        self._access = access
        self._pepper = pepper
        self._now = now
        self._who = who
        self._origin = origin
        self._request = request

    async def create(
        self,
        env: EnvironmentRow,
        label: str,
        scopes: Sequence[str] = (),
        expires_at: int | None = None,
    ) -> tuple[KeyRow, str]:
        """A new key, whose text is returned this once. Raises: InvalidOptions."""
        for text in scopes:
            if not scope.within(text, None) or " " in text:
                raise InvalidOptions(
                    f"{text[:80]!r} is no scope; expected action:type or action:type:id, such as "
                    "read:runs."
                )
        if len(label) > _LABEL or "\0" in label:
            raise InvalidOptions(f"label: at most {_LABEL} characters.")
        if expires_at is not None and expires_at <= self._now:
            raise InvalidOptions("A key must end in the future.")
        row, key = self._new(env, label, " ".join(scopes), expires_at)
        entry = self._entry(env.env_id, "keys.create", row.key_id)
        await self._access.add_key(self._pepper.stored(key), row, self._pepper.chain(), entry)
        return row, key

    async def rotate(self, env: EnvironmentRow, key_id: str, grace_ms: int) -> tuple[KeyRow, str]:
        """A new key in place of that one, which goes on for `grace_ms` at most.

        Raises: NotFound when there is no such key, or it is over.
        """
        old = await self._working(env, key_id)
        row, key = self._new(env, old.label, old.scopes, None)
        entry = self._entry(env.env_id, "keys.rotate", f"{old.key_id} {row.key_id}")
        await self._access.add_key(
            self._pepper.stored(key),
            row,
            self._pepper.chain(),
            entry,
            former=(old.key_id, self._now + grace_ms),
        )
        return row, key

    async def revoke(self, env: EnvironmentRow, key_id: str) -> KeyRow:
        """End a key for ever; tokens made in its name end with it. Raises: NotFound."""
        row = await self._working(env, key_id)
        entry = self._entry(row.env_id, "keys.revoke", row.key_id)
        await self._access.revoke_key(row.key_id, self._now, self._pepper.chain(), entry)
        return msgspec.structs.replace(row, revoked_at=self._now)

    async def rotate_signing(self, env: EnvironmentRow, grace_ms: int) -> int:
        """Sign public tokens with a new key; those signed before hold for `grace_ms` at most."""
        until = self._now + grace_ms
        entry = self._entry(env.env_id, "keys.rotate_signing", env.slug)
        return await self._access.rotate_signing(
            env.env_id, self._now, until, self._pepper.chain(), entry
        )

    async def _working(self, env: EnvironmentRow, key_id: str) -> KeyRow:
        for row in await self._access.keys(env.env_id):
            if row.key_id == key_id and row.works(self._now):
                return row
        raise NotFound(
            f"There is no key {key_id[:80]!r} that works; `mainspring keys ls` lists all."
        )

    def _new(
        self, env: EnvironmentRow, label: str, scopes: str, expires_at: int | None
    ) -> tuple[KeyRow, str]:
        key = new_key(env.slug, _bits)
        key_id = _ids.new("key", self._now, env.shard_id)
        row = KeyRow(key_id, env.env_id, label, key[-4:], scopes, self._now, expires_at)
        return row, key

    def _entry(self, env_id: int, what: str, target: str) -> Entry:
        return Entry(self._now, env_id, self._who, what, target, self._origin, self._request)
