"""What a task declares about retries, queues and rates, checked and turned into model values."""

from __future__ import annotations

import re
import sys
from dataclasses import KW_ONLY, dataclass
from typing import Final

from mainspring.errors import InvalidOptions, InvalidTask
from mainspring.model.duration import Duration, milliseconds
from mainspring.model.limits import NAME_LENGTH, check_text
from mainspring.model.machine import PRESETS
from mainspring.model.retry import MAX_ATTEMPTS, RetryPolicy
from mainspring.model.run import Debounce as DebounceSpec
from mainspring.model.task import QueueSpec, RateSpec
from mainspring.sdk.registry import registry

_RATE: Final = re.compile(r"\s*(\d+)\s*/\s*(\d*)\s*([a-z]*)\s*")
_PERIODS: Final = {
    "sec": "s",
    "second": "s",
    "seconds": "s",
    "minute": "m",
    "minutes": "m",
    "hour": "h",
    "hours": "h",
    "day": "d",
    "days": "d",
}


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a run is tried, and the exponential delay between its attempts.

    The delay before attempt n+1 is `min_delay * factor ** (n - 1)`, times a random 1 to 2 with
    `jitter`, never above `max_delay`. `on_out_of_memory`: the machine preset of the next attempt
    when one with `isolation="process"` reached its memory limit. Raises: InvalidTask.
    """

    max_attempts: int = 3
    min_delay: Duration = 1
    max_delay: Duration = 10
    factor: float = 2.0
    jitter: bool = True
    on_out_of_memory: str | None = None

    def __post_init__(self) -> None:
        if self.on_out_of_memory is not None:
            check_preset(self.on_out_of_memory, "Retry: on_out_of_memory")
        _whole(self.max_attempts, "max_attempts", 1, MAX_ATTEMPTS)
        if not 1 <= self.factor <= 1000:
            raise InvalidTask(f"Retry: factor is {self.factor!r}; 1 to 1000 is allowed.")
        policy = self.spec()
        if policy.min_delay_ms > policy.max_delay_ms:
            raise InvalidTask(
                f"Retry: min_delay {self.min_delay!r} is over max_delay {self.max_delay!r}; "
                "raise max_delay."
            )

    def spec(self) -> RetryPolicy:
        """The same as a model value."""
        return RetryPolicy(
            self.max_attempts,
            declared_ms(self.min_delay, "Retry: min_delay"),
            declared_ms(self.max_delay, "Retry: max_delay"),
            float(self.factor),
            self.jitter,
        )


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `limit` starts in each period `per`, `burst` of them at once (default: `limit`).

    With `per_key` each concurrency key has a rate of its own. Raises: InvalidTask.
    """

    limit: int
    per: Duration = "1m"
    _: KW_ONLY
    burst: int | None = None
    per_key: bool = False

    def __post_init__(self) -> None:
        _whole(self.limit, "RateLimit: limit", 1, 1_000_000_000)
        if self.burst is not None:
            _whole(self.burst, "RateLimit: burst", 1, 1_000_000_000)
        if self.spec().period_ms == 0:
            raise InvalidTask(f"RateLimit: per is {self.per!r}; write a period such as '1m'.")

    @classmethod
    def parse(cls, text: str) -> RateLimit:
        """A rate from text such as `"100/min"`, `"5/s"`, `"1000/1h"`. Raises: InvalidTask."""
        found = _RATE.fullmatch(text)
        if not found:
            raise InvalidTask(f"Rate {text!r} is not understood; write '100/min' or '10/30s'.")
        limit, count, unit = found.groups()
        unit = _PERIODS.get(unit, unit)
        return cls(int(limit), f"{count or 1}{unit}" if unit else float(count or 1))

    def spec(self) -> RateSpec:
        """The same as a model value."""
        period = declared_ms(self.per, "RateLimit: per")
        return RateSpec(self.limit, period, self.burst, self.per_key)


@dataclass(frozen=True)
class Queue:
    """A queue that tasks share, and its limits; making it registers it.

    `concurrency_limit` holds for the queue, or for each concurrency key of runs that have one;
    `total_limit` for all keys together. `rate` counts starts of attempts. Of two queues that
    both have work, one with twice the `weight` gets twice the starts. Raises: InvalidTask.
    """

    name: str
    _: KW_ONLY
    concurrency_limit: int | None = None
    total_limit: int | None = None
    rate: RateLimit | str | None = None
    weight: int = 1

    def __post_init__(self) -> None:
        check_name(self.name, "Queue: name")
        if self.concurrency_limit is not None:
            _whole(self.concurrency_limit, "Queue: concurrency_limit", 0, 1_000_000)
        if self.total_limit is not None:
            _whole(self.total_limit, "Queue: total_limit", 0, 1_000_000)
        _whole(self.weight, "Queue: weight", 1, 1_000_000)
        self.spec()
        declared_at = sys._getframe(2)  # below the generated __init__
        registry.add_queue(self, declared_at.f_code.co_filename, declared_at.f_lineno)

    def spec(self) -> QueueSpec:
        """The same as a model value."""
        rate = RateLimit.parse(self.rate) if isinstance(self.rate, str) else self.rate
        return QueueSpec(
            self.name,
            self.concurrency_limit,
            self.total_limit,
            rate.spec() if rate is not None else None,
            self.weight,
        )


@dataclass(frozen=True, slots=True)
class Debounce:
    """Triggers of one `key` within `delay` become one run.

    It starts `delay` after the last of them, at the latest `max_delay` after the first. Mode
    `leading` keeps the first payload, `trailing` the last. Raises: InvalidOptions.
    """

    key: str
    delay: Duration
    _: KW_ONLY
    mode: str = "leading"
    max_delay: Duration | None = None

    def __post_init__(self) -> None:
        check_text(self.key, "Debounce: key", 512)
        if self.mode not in ("leading", "trailing"):
            raise InvalidOptions(
                f"Debounce: mode is {self.mode!r}; 'leading' or 'trailing' is allowed."
            )
        self.spec()

    def spec(self) -> DebounceSpec:
        """The same as a model value."""
        return DebounceSpec(
            self.key,
            milliseconds(self.delay, "Debounce: delay"),
            self.mode,
            None if self.max_delay is None else milliseconds(self.max_delay, "Debounce: max_delay"),
        )


def declared_ms(value: Duration, name: str) -> int:
    """A duration of a declaration in ms. Raises: InvalidTask."""
    try:
        return milliseconds(value, name)
    except InvalidOptions as error:
        raise InvalidTask(error.message) from error
    except TypeError as error:
        raise InvalidTask(f"{name}: {value!r} is not a duration.") from error


def check_preset(name: object, what: str) -> str:
    """The name of a machine preset. Raises: InvalidTask."""
    if not isinstance(name, str) or name not in PRESETS:
        raise InvalidTask(f"{what} is {name!r}; there are {', '.join(PRESETS)}.")
    return name


def check_name(name: object, what: str) -> None:
    """Refuse a name that the server would refuse. Raises: InvalidTask."""
    if not isinstance(name, str):
        raise InvalidTask(f"{what} is {name!r}; a text is needed.")
    try:
        check_text(name, what, NAME_LENGTH)
    except InvalidOptions as error:
        raise InvalidTask(error.message) from error


def _whole(value: object, what: str, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidTask(f"{what} is {value!r}; a whole number from {low} to {high} is allowed.")
