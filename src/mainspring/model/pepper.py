"""The server's secret, and everything that follows from it. Where it is kept is decided elsewhere.

Keys are stored as hashes under it, and what signs is computed from it when it is needed, so that a
copy of the database alone opens nothing and signs nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from mainspring.model.key import key_hash

SHORTEST: Final = 32
"""Characters that a pepper given by people has at least."""


class Pepper:
    """Turns the secret into the keys and hashes of each purpose; no two purposes share one."""

    __slots__ = ("_key",)

    def __init__(self, secret: str) -> None:
        self._key = secret.encode(errors="replace")

    def stored(self, key: str) -> str:
        """What is stored and looked up instead of a secret key or personal token."""
        return self.stored_of(key_hash(key))

    def stored_of(self, hash_: str) -> str:
        """The same from a key's `key_hash`, which is what older databases hold."""
        return self._of(f"stored key 1:{hash_}").hex()

    def signing(self, env_id: int, number: int) -> bytes:
        """What signs the public tokens of an environment; `number` counts its rotations."""
        return self._of(f"signing key 1:{env_id}:{number}")

    def callback(self, env_id: int) -> str:
        """What proves the addresses that complete an environment's wait tokens. It outlives keys:
        whoever was told an address can use it, also after a rotation.
        """
        return self._of(f"callback 1:{env_id}").hex()

    def chain(self) -> bytes:
        """What links the entries of the audit log."""
        return self._of("audit 1")

    def check(self) -> str:
        """What tells a database's own pepper from another one, and tells nothing else."""
        return self._of("check 1").hex()

    def _of(self, purpose: str) -> bytes:
        return hmac.digest(self._key, f"mainspring {purpose}".encode(), hashlib.sha256)

    def __repr__(self) -> str:
        return "Pepper(…)"
