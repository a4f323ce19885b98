"""Public as `mainspring.retry`: trying a part of a task again in place, and what `catch_error`
hooks answer. When a run itself is tried again is the business of `Retry` and of `policy`.
"""

from __future__ import annotations

import asyncio
import importlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict, TypeVar, Unpack

from mainspring.errors import (
    AbortRun,
    Diverged,
    EngineError,
    InvalidTask,
    JournalFull,
    RetryRun,
    StepConflict,
)
from mainspring.model.duration import Duration
from mainspring.model.retry import next_delay_ms
from mainspring.sdk.context import running
from mainspring.sdk.limits import Retry, declared_ms
from mainspring.sdk.logger import logger
from mainspring.sdk.policy import Matcher, after, at, matchers, matches, skip
from mainspring.sdk.portal import run

if TYPE_CHECKING:
    import httpx2  # loaded by the first fetch, not by importing the package

__all__ = ["FetchOptions", "RateHeaders", "after", "at", "fetch", "fetch_sync", "on_throw",
           "on_throw_sync", "skip"]  # fmt: skip

T = TypeVar("T")
ResetFormat = Literal["unix_timestamp", "unix_timestamp_in_ms", "seconds", "iso_8601", "duration"]
_FORMATS: Final = ("unix_timestamp", "unix_timestamp_in_ms", "seconds", "iso_8601", "duration")
_PASSING: Final = (AbortRun, RetryRun, Diverged, JournalFull, StepConflict, EngineError)
"""Errors about the whole run; trying a part of it again cannot help."""


class Attempts(TypedDict, total=False):
    """How a part of a task is tried again: as in `Retry`, and for which errors.

    Attributes:
        max_attempts: 3 by default, the first one included.
        min_delay: before the second attempt, 1 second by default.
        max_delay: 10 seconds by default.
        factor: 2 by default.
        jitter: True by default.
        retry_on: exception classes, or functions of the error; only these are tried again.
        abort_on: the same; these are raised at once.
    """

    max_attempts: int
    min_delay: Duration
    max_delay: Duration
    factor: float
    jitter: bool
    retry_on: Matcher | Sequence[Matcher]
    abort_on: Matcher | Sequence[Matcher]


async def on_throw(part: Callable[[], Awaitable[T]], **attempts: Unpack[Attempts]) -> T:
    """What `part()` returns, called again as long as it raises and attempts are left.

    The run keeps its slot, and nothing is stored: for delays of seconds. For longer ones let the
    attempt fail, or raise `RetryRun(after=…)`. AbortRun, RetryRun and cancellation pass at once.
    Around something that must not happen twice, put it inside a step, not a step inside it.

    Raises: the error of the last attempt; InvalidTask for options that make no sense.
    """
    rule = _Rule(attempts)
    number = 1
    while True:
        try:
            return await part()
        except Exception as error:
            delay = rule.delay_s(error, number)
            if delay is None:
                raise
            _tell(error, number, delay)
        await asyncio.sleep(delay)
        number += 1


def on_throw_sync(part: Callable[[], T], **attempts: Unpack[Attempts]) -> T:
    """`on_throw` for a plain function in blocking code; a cancel ends it at the next delay."""
    rule = _Rule(attempts)
    ctx = running.get()
    number = 1
    while True:
        try:
            return part()
        except Exception as error:
            delay = rule.delay_s(error, number)
            if delay is None:
                raise
            _tell(error, number, delay)
            if ctx is None:
                time.sleep(delay)
            elif ctx.canceled.wait_blocking(delay):
                raise
        number += 1


@dataclass(frozen=True, slots=True)
class RateHeaders:
    """Wait until the moment at which, says a header of the response, the rate limit is over.

    Attributes:
        reset: name of the header.
        format: what it holds: `unix_timestamp` (seconds), `unix_timestamp_in_ms`, `seconds` from
            now, `iso_8601` (a moment), `duration` from now such as `6m0s` or `1h30m`.
        retry: how many attempts, and the delay when the header is not there.
    """

    reset: str = "x-ratelimit-reset"
    format: ResetFormat = "unix_timestamp"
    retry: Retry = Retry()  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        if self.format not in _FORMATS:
            raise InvalidTask(
                f"RateHeaders: format is {self.format!r}; there are {', '.join(_FORMATS)}."
            )


class FetchOptions(TypedDict, total=False):
    """What `fetch` takes beside the address. The rest of a request is named as in httpx.

    Attributes:
        method: GET by default.
        by_status: what to do about a status: `{"429": RateHeaders(), "500-599": Retry()}`. Keys
            are statuses, ranges, `5xx`, or several of them with commas; the first that fits holds,
            None means not to try again. Default: `{"408,409,429,5xx": Retry()}`.
        on_timeout: when the answer is not there in time; None means not to try again.
        on_connection_error: when no connection is made, or it breaks.
        timeout: of one attempt, 30 seconds by default.
        max_wait: when the server asks to wait for longer, 1 minute by default, the response is
            returned instead.
        client: an AsyncClient of yours, which keeps its connections open.
    """

    method: str
    by_status: Mapping[str | int, Retry | RateHeaders | None]
    on_timeout: Retry | None
    on_connection_error: Retry | None
    timeout: Duration
    max_wait: Duration
    client: httpx2.AsyncClient
    headers: Mapping[str, str]
    params: Mapping[str, Any]
    json: Any
    data: Mapping[str, Any]
    content: bytes | str


async def fetch(url: str, **options: Unpack[FetchOptions]) -> httpx2.Response:
    """The response to an HTTP request, made again by status, time-out or lost connection.

    A `Retry-After` of the server comes before the delays of the options. Once no attempt is left,
    the last response is returned as it is: call `raise_for_status()` on it. Any method is repeated,
    so give a POST an idempotency key where the other side takes one.

    Raises: the error of httpx when the last attempt got no response; InvalidTask for options.
    """
    made: httpx2.Response = await importlib.import_module("mainspring.sdk.fetch").fetch(
        url, options
    )
    return made


def fetch_sync(url: str, **options: Unpack[FetchOptions]) -> httpx2.Response:
    """`fetch` for blocking code. Raises: Misplaced where an event loop runs."""
    return run(fetch(url, **options))


class _Rule:
    """The options of `on_throw`, checked."""

    def __init__(self, given: Attempts) -> None:
        options: dict[str, Any] = dict(given)
        unknown = options.keys() - Attempts.__annotations__.keys()
        if unknown:
            raise InvalidTask(
                f"on_throw: no option is named {', '.join(sorted(unknown))}; there are "
                f"{', '.join(Attempts.__annotations__)}."
            )
        only = options.pop("retry_on", None)
        self._only = None if only is None else matchers(only, "on_throw: retry_on")
        self._never = matchers(options.pop("abort_on", ()), "on_throw: abort_on")
        if "max_delay" not in options and "min_delay" in options:
            least = declared_ms(options["min_delay"], "on_throw: min_delay")
            options["max_delay"] = max(10, least / 1000)
        self._policy = Retry(**options).spec()

    def delay_s(self, error: Exception, attempt: int) -> float | None:
        """Seconds until the attempt after this one; None when there is none."""
        if isinstance(error, _PASSING) or matches(self._never, error):
            return None
        if self._only is not None and not matches(self._only, error):
            return None
        delay = next_delay_ms(self._policy, attempt, random.random())
        return None if delay is None else delay / 1000


def _tell(error: Exception, attempt: int, delay: float) -> None:
    logger.warning(
        f"{type(error).__name__}: {error}; trying again in {delay:.3g} s", attempt=attempt
    )
