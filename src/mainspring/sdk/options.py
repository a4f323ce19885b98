"""Options of one trigger as callers write them, checked and turned into what an engine takes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypedDict

from msgspec import Struct

from mainspring.errors import InvalidOptions
from mainspring.model.duration import Duration, milliseconds
from mainspring.model.limits import check_options
from mainspring.model.run import TriggerOptions
from mainspring.sdk.context import Context
from mainspring.sdk.encode import BEYOND_JSON, to_json, why
from mainspring.sdk.idempotency import TTL_MS, Key, Scope, finished
from mainspring.sdk.limits import Debounce, Queue
from mainspring.sdk.transport import Client

Delay = float | int | str | timedelta | datetime


class Options(TypedDict, total=False):
    """What `with_options` takes. Durations are seconds, a timedelta or text such as `"10m"`.

    Attributes:
        delay: start this much later, or at a moment (aware datetime, or ISO text with an offset).
        ttl: expire when not started within it; 0 never expires.
        idempotency_key: a second trigger with the same key gives the first run; a function is
            called with the task's arguments.
        idempotency_scope: who shares the key; default `run` inside a run, else `global`.
        idempotency_key_ttl: how long the key is remembered, 30 days by default.
        concurrency_key: splits the queue into parts with the queue's limit each.
        tags: at most 10 of at most 128 characters.
        metadata: JSON of at most 256 KB that the run and its readers see.
        priority: seconds of head start over others in the queue.
        version: of the code, such as "20261121.1"; the run waits for workers that have it.
        external_deployment_id: the same by the id of the deployment, such as a commit; the run also
            waits for the deployment.
        connection: a PostgreSQL connection of yours; the run exists once you commit.
        client: a `Client` or `SyncClient`, whose server gets the run.
        test: marks the run and those it triggers.
    """

    delay: Delay
    ttl: Duration
    idempotency_key: str | Sequence[str] | Callable[..., str | Sequence[str] | None]
    idempotency_scope: Scope
    idempotency_key_ttl: Duration
    concurrency_key: str | int | Callable[..., str | int | None]
    queue: Queue | str
    tags: str | Sequence[str]
    metadata: Mapping[str, Any]
    priority: float
    max_attempts: int
    max_duration: Duration
    machine: str
    version: str
    external_deployment_id: str
    debounce: Debounce
    connection: Any
    client: Client
    test: bool


class KeyFunctions(Struct, frozen=True):
    """Keys that a task computes from its arguments; options of the call come before them."""

    concurrency: Callable[..., str | int | None] | None = None
    idempotency: Callable[..., str | Sequence[str] | None] | None = None
    idempotency_ttl_ms: int | None = None


class Resolved(Struct, frozen=True):
    """Checked options: `fixed` is the same for every trigger, the rest depends on the arguments."""

    given: Options
    fixed: TriggerOptions
    idempotency_key: Any = None
    scope: Scope | None = None
    concurrency_key: Callable[..., str | int | None] | None = None
    connection: Any = None
    client: Client | None = None

    def build(
        self,
        ctx: Context | None,
        keys: KeyFunctions | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> TriggerOptions:
        """The options of one trigger, a copy of its own; `keys` are those of the task."""
        options = copy.copy(self.fixed)
        if ctx is not None:
            options.parent_id = ctx.run_id
            options.is_test = options.is_test or ctx.is_test
        concurrency, idempotency, scope = self.concurrency_key, self.idempotency_key, self.scope
        if keys is not None:
            if concurrency is None and options.concurrency_key is None:
                concurrency = keys.concurrency
            if idempotency is None and keys.idempotency is not None:
                idempotency, scope = keys.idempotency, "global"
                options.idempotency_ttl_ms = options.idempotency_ttl_ms or keys.idempotency_ttl_ms
        if concurrency is not None:
            key = concurrency(*args, **kwargs)
            options.concurrency_key = None if key is None else str(key)
        if idempotency is not None:
            text = idempotency(*args, **kwargs) if callable(idempotency) else idempotency
            if text is not None:
                _mark(options, finished(text, scope, ctx))
        return options


def _mark(options: TriggerOptions, key: Key) -> None:
    options.idempotency_key = str(key)
    options.idempotency_shown = key.shown
    options.idempotency_scope = key.scope
    options.idempotency_ttl_ms = options.idempotency_ttl_ms or TTL_MS


def resolve(given: Options) -> Resolved:
    """Check options. Raises: InvalidOptions naming the option and what is allowed."""
    given = {name: value for name, value in given.items() if value is not None}  # type: ignore[assignment]
    unknown = given.keys() - Options.__annotations__.keys()
    if unknown:
        raise InvalidOptions(
            f"No option is named {', '.join(sorted(unknown))}; there are "
            f"{', '.join(Options.__annotations__)}."
        )
    queue, key = given.get("queue"), given.get("concurrency_key")
    fixed = TriggerOptions(
        queue=queue.name if isinstance(queue, Queue) else queue,
        concurrency_key=None if key is None or callable(key) else str(key),
        tags=_tags(given.get("tags", ())),
        metadata=_metadata(given.get("metadata")),
        priority_ms=_ms(given, "priority") or 0,
        ttl_ms=_ms(given, "ttl"),
        idempotency_ttl_ms=_ms(given, "idempotency_key_ttl"),
        max_duration_ms=_ms(given, "max_duration"),
        max_attempts=given.get("max_attempts"),
        machine=given.get("machine"),
        version=given.get("version"),
        deployment=given.get("external_deployment_id"),
        is_test=given.get("test", False),
    )
    if "delay" in given:
        fixed.delay_ms, fixed.delay_until = delay(given["delay"])
    if "debounce" in given:
        fixed.debounce = given["debounce"].spec()
    if given.get("idempotency_scope") not in (None, "run", "attempt", "global"):
        raise InvalidOptions(
            f"idempotency_scope is {given['idempotency_scope']!r}; run, attempt or global is "
            "allowed."
        )
    try:
        check_options(fixed)
    except TypeError as error:
        raise InvalidOptions(f"An option is of the wrong type: {error}.") from error
    return Resolved(
        given,
        fixed,
        given.get("idempotency_key"),
        given.get("idempotency_scope"),
        key if callable(key) else None,
        given.get("connection"),
        given.get("client"),
    )


NONE: Final = Resolved({}, TriggerOptions())


def delay(value: Delay) -> tuple[int | None, int | None]:
    """A delay as (ms from now, None) or a moment as (None, epoch ms).

    Raises: InvalidOptions for anything else, and for a moment without an offset to UTC.
    """
    if isinstance(value, str) and not value.strip()[:5].isalnum():
        # "2026-" begins a date; no duration has a sign among its first five characters
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError as error:
            raise InvalidOptions(
                f'delay: {value!r} is not a moment; write "2026-01-31T09:00:00+00:00", or a '
                'duration such as "10m".'
            ) from error
    if not isinstance(value, datetime):
        return _duration(value, "delay"), None
    if value.utcoffset() is None:
        raise InvalidOptions(
            f"delay: {value} does not say of which zone it is; use an aware datetime, "
            "for example datetime.now(UTC)."
        )
    return None, max(0, round(value.timestamp() * 1000))


def _ms(given: Options, name: str) -> int | None:
    value = given.get(name)
    return None if value is None else _duration(value, name)


def _duration(value: object, name: str) -> int:
    if not isinstance(value, float | int | str | timedelta):
        raise InvalidOptions(f"{name}: {value!r} is not a duration; write seconds or '10m'.")
    return milliseconds(value, name)


def _tags(tags: str | Sequence[str]) -> tuple[str, ...]:
    found = (tags,) if isinstance(tags, str) else tuple(dict.fromkeys(tags))
    for tag in found:
        if not isinstance(tag, str):
            raise InvalidOptions(f"tags: {tag!r} is not a text.")
    return found


def _metadata(metadata: Mapping[str, Any] | None) -> str | None:
    if metadata is None:
        return None
    try:
        return to_json(dict(metadata)).decode()
    except BEYOND_JSON as error:
        raise InvalidOptions(f"metadata cannot be written as JSON: {why(error)}.") from error
