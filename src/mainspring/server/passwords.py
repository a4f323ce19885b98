"""Passwords of people: kept as hashes, compared slowly, and guessed at only so often."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any, Final

from mainspring.clock import Clock
from mainspring.errors import InvalidOptions, NotBuilt, RateLimited

SHORTEST: Final = 10
LONGEST: Final = 1_000
EACH_S: Final = 30.0
AT_ONCE: Final = 10
"""Sign-ins that may be tried at once for a name; after that, one each EACH_S."""
FROM_ADDRESS: Final = 10
"""So many times that for everybody behind one address."""
_NAMES: Final = 10_000
_HASHERS: Final = 2
_NOBODY: Final = (
    "$argon2id$v=19$m=19456,t=2,p=1$sr6fKt+mYxxKjmlDJRugJw"
    "$EilxCiFPvHkYVSrWcxk22bBiAcwAx8oZwa7dh0Sm6u8"
)
"""What is compared for names that nobody has, so that an answer comes as late."""


class Passwords:
    """Makes hashes and compares, a few at a time and in threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._turn = asyncio.Semaphore(_HASHERS)
        self._paid: dict[str, float] = {}

    async def hashed(self, password: str) -> str:
        """What to store. Raises: InvalidOptions for one that is too short, NotBuilt."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise InvalidOptions(
                f"The password has {len(password)} characters; {SHORTEST} to {LONGEST} are "
                "allowed. Several words in a row are a good one."
            )
        hasher = _hasher()
        async with self._turn:
            return str(await asyncio.to_thread(hasher.hashed, password))

    async def fits(self, name: str, address: str, password: str, stored: str | None) -> bool:
        """Whether that is the password of that name; nothing fits None.

        Raises: RateLimited when too much was tried, NotBuilt.
        """
        hasher = _hasher()
        self._spend(f"name {name}", EACH_S)
        self._spend(f"from {address}", EACH_S / FROM_ADDRESS)
        if len(password) > LONGEST:
            return False
        async with self._turn:
            right = await asyncio.to_thread(hasher.fits, password, stored or _NOBODY)
        if not right or stored is None:
            return False
        self._paid.pop(f"name {name}", None)
        return True

    def _spend(self, whose: str, each_s: float) -> None:
        now = self._clock.monotonic()
        paid = max(self._paid.get(whose, now), now) + each_s
        if paid - now > AT_ONCE * each_s * (1 + 1e-9):
            raise RateLimited(
                "Too many sign-ins were tried. Wait for the time in the header Retry-After, or "
                "sign in with a personal token.",
                details={"retry_after_s": paid - now - AT_ONCE * each_s, "limit": AT_ONCE},
            )
        if len(self._paid) >= _NAMES:
            self._paid = {one: at for one, at in self._paid.items() if at > now}
        self._paid[whose] = paid


def _hasher() -> Any:
    try:  # by name: a server whose people have no passwords need not load it
        return importlib.import_module("mainspring.server.argon")
    except ImportError as error:
        if (error.name or "").startswith("mainspring"):
            raise
        raise NotBuilt(
            "This server takes no passwords: what hashes them is not installed. Run: pip install "
            "'mainspring[encryption]', or sign in with a personal token."
        ) from error
