"""How many requests a caller may make. Nobody waits here: who is over it is told when to repeat."""

from __future__ import annotations

from typing import Final

from mainspring.clock import Clock
from mainspring.errors import RateLimited

_PURGE_FROM: Final = 10_000


class Budget:
    """So many requests a second for each caller, a second's worth of them at once.

    The rule is GCRA: a caller has one number, the time by which its requests so far are paid for.
    """

    def __init__(self, per_s: int, clock: Clock) -> None:
        self._each_s = 1 / per_s
        self._per_s = per_s
        self._clock = clock
        self._paid: dict[str, float] = {}
        self._purge_at = _PURGE_FROM

    def spend(self, caller: str) -> None:
        """Count a request. Raises: RateLimited, whose details say when there is room again."""
        now = self._clock.monotonic()
        paid = max(self._paid.get(caller, now), now) + self._each_s
        if paid - now > 1.0 + 1e-9:
            raise RateLimited(
                f"Too many requests: {self._per_s:,} a second may be made here with one key. "
                "Repeat it after the time in the header Retry-After.",
                details={"retry_after_s": paid - now - 1.0, "limit": self._per_s},
            )
        self._paid[caller] = paid
        if len(self._paid) > self._purge_at:
            self._paid = {name: at for name, at in self._paid.items() if at > now}
            self._purge_at = max(_PURGE_FROM, 2 * len(self._paid))
