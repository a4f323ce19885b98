"""What is looked after from time to time: old uploads, and variables under an old key."""

from __future__ import annotations

from typing import Final

from mainspring.engine.uploads import KEPT_MS
from mainspring.engine.variables import Variables
from mainspring.store.objects import Objects

EVERY_MS: Final = 10 * 60 * 1000


class Sweep:
    """Looks every ten minutes, the first time at once."""

    def __init__(self, objects: Objects, variables: Variables) -> None:
        self._objects = objects
        self._variables = variables
        self._next = 0

    async def look(self, now: int) -> None:
        """Do it if it is time. `now` is epoch ms. Raises: StoreUnavailable, ConfigurationError."""
        if now >= self._next:
            self._next = now + EVERY_MS
            await self._objects.sweep(now - KEPT_MS)
            await self._variables.reseal()
