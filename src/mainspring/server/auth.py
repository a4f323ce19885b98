"""Whose key a request carries. Keys are looked up by hash; answers are kept for seconds."""

from __future__ import annotations

import asyncio
from typing import Final

from mainspring.clock import Clock
from mainspring.errors import Unauthorized
from mainspring.ids import shard_of
from mainspring.model.key import check_key, key_hash
from mainspring.server.port import EnginePort
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire.waitpoints import proves

KEPT_S: Final = 3.0
"""How long a found key is used without asking again; so long a revoked one still works."""
UNKNOWN_KEPT_S: Final = 1.0
_MOST: Final = 10_000
_LOOKUPS: Final = 8


class Keys:
    """Turns the Authorization header into an environment."""

    def __init__(self, engine: EnginePort, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._kept: dict[str, tuple[float, EnvironmentRow | None]] = {}
        # A flood of invented keys must not become a flood of queries.
        self._turn = asyncio.Semaphore(_LOOKUPS)

    async def environment(self, header: str | None) -> EnvironmentRow:
        """The environment of `Bearer <key>`.

        Raises: Unauthorized: without a key, with the reason for text of another form, and with one
        and the same answer for keys that are unknown, revoked or foreign; StoreUnavailable.
        """
        scheme, _, key = (header or "").partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer" or not key:
            raise Unauthorized(
                "Invalid or Missing API key: send the header `Authorization: Bearer <secret key>`."
            )
        check_key(key)
        hash_ = key_hash(key)
        kept = self._kept.get(hash_)
        if kept is not None and kept[0] > self._clock.monotonic():
            env = kept[1]
        else:
            env = await self._look_up(hash_)
        if env is None:
            raise Unauthorized(
                "Invalid or Missing API key: no environment of this server has that key. Copy it "
                "again from where it was printed, or check which server this is."
            )
        return env

    async def environment_of_callback(self, token_id: str, proof: str) -> EnvironmentRow:
        """The environment whose key made the address that completes this token.

        Raises: Unauthorized, the same for a wrong proof and an unknown token; StoreUnavailable.
        """
        try:
            shard_id = shard_of(token_id) if token_id.startswith("waitpoint_") else -1
        except ValueError:
            shard_id = -1
        keys: list[tuple[str, EnvironmentRow]] = []
        if shard_id >= 0:
            async with self._turn:
                keys = await self._engine.keys_of_shard(shard_id)
        for hash_, env in keys:
            if proves(hash_, token_id, proof):
                return env
        raise Unauthorized(
            "This address completes no token: it is incomplete, or the key that it was made with "
            "was revoked."
        )

    async def _look_up(self, hash_: str) -> EnvironmentRow | None:
        async with self._turn:
            env = await self._engine.environment_of_key(hash_)
        self._kept.pop(hash_, None)
        while len(self._kept) >= _MOST:
            self._kept.pop(next(iter(self._kept)))
        kept_s = UNKNOWN_KEPT_S if env is None else KEPT_S
        self._kept[hash_] = (self._clock.monotonic() + kept_s, env)
        return env
