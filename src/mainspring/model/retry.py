"""When a failed attempt is tried again. Pure; the jitter comes in as a number."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

MAX_ATTEMPTS: Final = 250


class RetryPolicy(Struct, frozen=True, omit_defaults=True):
    """Attempts at most, and the exponential delay between them (ms)."""

    max_attempts: int = 3
    min_delay_ms: int = 1_000
    max_delay_ms: int = 10_000
    factor: float = 2.0
    jitter: bool = True


def next_delay_ms(policy: RetryPolicy, attempt: int, chance: float) -> int | None:
    """The delay before the attempt after `attempt` (from 1), or None when none is left.

    `chance` in [0, 1) spreads the delay over [1, 2) times the base, as the wire contract's SDK
    does; without jitter it is not used. Never above `max_delay_ms`.
    """
    if attempt >= min(policy.max_attempts, MAX_ATTEMPTS):
        return None
    exponent = min(attempt - 1, 64)
    base = policy.min_delay_ms * policy.factor**exponent
    spread = base * (1 + chance) if policy.jitter else base
    return int(min(spread, policy.max_delay_ms))
