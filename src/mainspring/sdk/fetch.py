"""HTTP requests that are made again. What callers write is in `retrying`; this loads the client."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx2
from msgspec import Struct

from mainspring.errors import InvalidOptions, InvalidTask
from mainspring.model.duration import milliseconds
from mainspring.model.retry import RetryPolicy, next_delay_ms
from mainspring.sdk.limits import Retry, declared_ms
from mainspring.sdk.logger import logger
from mainspring.sdk.retrying import FetchOptions, RateHeaders, ResetFormat
from mainspring.sdk.tracer import tracer

BY_STATUS: Final = "408,409,429,5xx"
TIMEOUT_S: Final = 30.0
LONGEST_MS: Final = 60_000
_OURS: Final = (
    "method", "by_status", "on_timeout", "on_connection_error", "timeout", "max_wait", "client",
)  # fmt: skip


class Rule(Struct, frozen=True):
    """What to do about some statuses; without a policy nothing."""

    statuses: tuple[range, ...]
    policy: RetryPolicy | None
    headers: RateHeaders | None = None

    def means(self, status: int) -> bool:
        """Whether the status is one of these."""
        return any(status in span for span in self.statuses)


class Plan(Struct, frozen=True):
    """When a request is made again: by status, after a time-out, after a lost connection."""

    by_status: tuple[Rule, ...]
    on_timeout: RetryPolicy | None
    on_connection_error: RetryPolicy | None
    longest_ms: int

    def after_response(self, response: httpx2.Response, attempt: int, now_ms: int) -> int | None:
        """Ms until the next attempt; None when this response is the answer."""
        rule = next((rule for rule in self.by_status if rule.means(response.status_code)), None)
        if rule is None or rule.policy is None:
            return None
        delay = next_delay_ms(rule.policy, attempt, random.random())
        if delay is None:
            return None
        asked = retry_after_ms(response.headers.get("retry-after"), now_ms)
        if asked is None and rule.headers is not None:
            said = response.headers.get(rule.headers.reset)
            asked = reset_ms(said, rule.headers.format, now_ms)
        if asked is None:
            return delay
        return asked if asked <= self.longest_ms else None

    def after_error(self, error: httpx2.TransportError, attempt: int) -> int | None:
        """Ms until the next attempt; None when the error is to be raised."""
        late = isinstance(error, httpx2.TimeoutException)
        policy = self.on_timeout if late else self.on_connection_error
        return None if policy is None else next_delay_ms(policy, attempt, random.random())


async def fetch(url: str, options: FetchOptions) -> httpx2.Response:
    """See `retrying.fetch`."""
    unknown = options.keys() - FetchOptions.__annotations__.keys()
    if unknown:
        raise InvalidTask(
            f"fetch: no option is named {', '.join(sorted(unknown))}; there are "
            f"{', '.join(FetchOptions.__annotations__)}."
        )
    made = plan(options)
    timeout = declared_ms(options.get("timeout", TIMEOUT_S), "fetch: timeout") / 1000
    asked: dict[str, Any] = {name: value for name, value in options.items() if name not in _OURS}
    asked["timeout"] = timeout
    method = options.get("method", "GET")
    given = options.get("client")
    if given is not None:
        return await _repeated(given, made, method, url, asked)
    async with httpx2.AsyncClient() as client:
        return await _repeated(client, made, method, url, asked)


async def _repeated(
    client: httpx2.AsyncClient, made: Plan, method: str, url: str, asked: dict[str, Any]
) -> httpx2.Response:
    attempt = 1
    bare = httpx2.URL(url).copy_with(query=None, fragment=None, userinfo=b"")
    while True:
        try:
            with tracer.span(f"{method} {bare.host}") as span:
                span.set(**{"http.request.method": method, "url.full": str(bare)})
                response = await client.request(method, url, **asked)
                span.set(**{"http.response.status_code": response.status_code})
        except httpx2.TransportError as error:
            delay = made.after_error(error, attempt)
            if delay is None:
                raise
            problem = f"{type(error).__name__}: {error}"
        else:
            delay = made.after_response(response, attempt, time.time_ns() // 1_000_000)
            if delay is None:
                return response
            problem = f"status {response.status_code}"
        logger.warning(
            f"{method} {bare}: {problem}; trying again in {delay / 1000:.3g} s", attempt=attempt
        )
        await asyncio.sleep(delay / 1000)
        attempt += 1


def plan(options: FetchOptions) -> Plan:
    """The options, checked. Raises: InvalidTask."""
    usual = Retry()
    strategies = options.get("by_status", {BY_STATUS: usual})
    return Plan(
        tuple(_rule(key, value) for key, value in strategies.items()),
        _policy(options.get("on_timeout", usual), "on_timeout"),
        _policy(options.get("on_connection_error", usual), "on_connection_error"),
        declared_ms(options.get("max_wait", LONGEST_MS / 1000), "fetch: max_wait"),
    )


def statuses(key: str | int) -> tuple[range, ...]:
    """The statuses that a key such as `"429,500-599"` or `"5xx"` means. Raises: InvalidTask."""
    spans = []
    for part in str(key).replace(" ", "").split(","):
        low, _, high = part.partition("-")
        if len(part) == 3 and part[0].isdigit() and part[1:].lower() == "xx":
            low, high = f"{part[0]}00", f"{part[0]}99"
        try:
            spans.append(range(int(low), int(high or low) + 1))
        except ValueError as error:
            raise InvalidTask(
                f'fetch: by_status has {key!r}; write a status, "500-599", "5xx" or several with '
                "commas."
            ) from error
    return tuple(spans)


def _rule(key: str | int, value: Any) -> Rule:
    if isinstance(value, RateHeaders):
        return Rule(statuses(key), value.retry.spec(), value)
    return Rule(statuses(key), _policy(value, f"by_status {key!r}"))


def _policy(value: Any, name: str) -> RetryPolicy | None:
    if value is not None and not isinstance(value, Retry):
        raise InvalidTask(f"fetch: {name} is {value!r}; write Retry(max_attempts=…) or None.")
    return None if value is None else value.spec()


def retry_after_ms(text: str | None, now_ms: int) -> int | None:
    """What a `Retry-After` header asks for, seconds or a date; None without one that is legible."""
    if not text:
        return None
    if text.strip().isdigit():
        return int(text) * 1000
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0, round(moment.timestamp() * 1000) - now_ms)


def reset_ms(text: str | None, form: ResetFormat, now_ms: int) -> int | None:
    """How long a rate limit lasts, says its header; None without one that is legible."""
    if not text:
        return None
    text = text.strip()
    try:
        match form:
            case "seconds":
                wait = float(text) * 1000
            case "unix_timestamp":
                wait = float(text) * 1000 - now_ms
            case "unix_timestamp_in_ms":
                wait = float(text) - now_ms
            case "duration":
                wait = milliseconds(text)
            case "iso_8601":
                moment = datetime.fromisoformat(text)
                if moment.tzinfo is None:
                    moment = moment.replace(tzinfo=UTC)
                wait = moment.timestamp() * 1000 - now_ms
        return max(0, round(wait))
    except (ValueError, OverflowError, InvalidOptions):
        return None
