"""Passwords as Argon2id of OWASP's smallest strength. Needs `cryptography`; loaded by name."""

from __future__ import annotations

import os
from typing import Final

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

_MEMORY_KIB: Final = 19 * 1024
_ITERATIONS: Final = 2
_SALT: Final = 16
_LENGTH: Final = 32


def hashed(password: str) -> str:
    """What is stored instead of a password, with its salt and strength. Takes 0.1 s of CPU."""
    kdf = Argon2id(
        salt=os.urandom(_SALT),
        length=_LENGTH,
        iterations=_ITERATIONS,
        lanes=1,
        memory_cost=_MEMORY_KIB,
    )
    return kdf.derive_phc_encoded(_bytes(password))


def fits(password: str, stored: str) -> bool:
    """Whether that was the password. Takes as long as `hashed`."""
    try:
        Argon2id.verify_phc_encoded(_bytes(password), stored)
    except InvalidKey:
        return False
    return True


def _bytes(password: str) -> bytes:
    return password.encode(errors="surrogatepass")
