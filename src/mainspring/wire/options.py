"""The options of a trigger in public JSON, read one by one into the model's. No bodies.

Each taker refuses a bad value with what is allowed; the name of the field is put before it by
whoever read the body.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from mainspring.errors import InvalidOptions, InvalidPayload, NotBuilt
from mainspring.model import limits
from mainspring.model.retry import MAX_ATTEMPTS
from mainspring.model.run import Debounce, TriggerOptions
from mainspring.wire import plain
from mainspring.wire.moments import duration_ms, is_duration, moment_ms

MACHINES: Final = (
    "micro", "small-1x", "small-2x", "medium-1x", "medium-2x", "large-1x", "large-2x",
)  # fmt: skip
SCOPES: Final = ("run", "attempt", "global")
MODES: Final = ("leading", "trailing")
DEBOUNCE_KEY: Final = 512
NAMED_LIMITS: Final = 2
GATES: Final = 3
MIN_DURATION_S: Final = 5


class Misshapen(InvalidOptions):
    """A value of another type than the option has, in whatever size."""


def take(options: TriggerOptions, name: str, value: Any) -> None:
    """Read one option. Names that nobody knows are passed over.

    Raises: InvalidOptions, Misshapen, NotBuilt; all without the name.
    """
    taker = _TAKERS.get(name)
    if taker is None:
        return
    if value is None and name != "metadata":
        raise Misshapen("is null; leave it out instead")
    taker(options, value)


def _text(value: Any, limit: int) -> str:
    if not isinstance(value, str):
        raise Misshapen("must be text")
    _storable(value)
    if not 0 < len(value.encode()) <= limit:
        raise InvalidOptions(f"has {len(value.encode())} bytes; 1 to {limit} are allowed")
    return value


def _storable(text: str) -> None:
    if "\0" in text:
        raise InvalidOptions("holds a NUL character; remove it")


def _whole(value: Any, low: int, high: int, unit: str = "") -> int:
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    kind = InvalidOptions if isinstance(value, int | float) else Misshapen
    shown = f"is {value!r:.40}" if isinstance(value, int | float | str) else "is no number"
    raise kind(f"{shown}; a whole number{unit} from {low} to {high} is allowed")


def _word(value: Any, allowed: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise Misshapen(f"must be one of {', '.join(allowed)}")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Misshapen("must be true or false")
    return value


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Misshapen("must be an object")
    return value


def _queue(options: TriggerOptions, value: Any) -> None:
    options.queue = _text(_object(value).get("name"), limits.NAME_LENGTH)


def _concurrency_key(options: TriggerOptions, value: Any) -> None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = plain.write(value)
    options.concurrency_key = _text(value, limits.NAME_LENGTH * 4)


def take_delay(options: TriggerOptions, value: Any) -> None:
    """A duration or a date. Raises: InvalidOptions."""
    if is_duration(value):
        options.delay_ms = duration_ms(value)
        return
    try:
        options.delay_until = moment_ms(value)
    except InvalidOptions as error:
        raise InvalidOptions(f'{error.message}; or a duration such as "10m" or "1h30m"') from error


def _ttl(options: TriggerOptions, value: Any) -> None:
    if isinstance(value, str):
        options.ttl_ms = duration_ms(value)
    else:
        options.ttl_ms = _whole(value, 0, 10**9, " of seconds (0 = never) or a duration,") * 1000


def _idempotency_key(options: TriggerOptions, value: Any) -> None:
    options.idempotency_key = _text(value, limits.KEY_LENGTH)


def _idempotency_ttl(options: TriggerOptions, value: Any) -> None:
    options.idempotency_ttl_ms = max(1, duration_ms(value))


def _idempotency_options(options: TriggerOptions, value: Any) -> None:
    given = _object(value)
    if given.get("key") is not None:
        key = given["key"]
        if isinstance(key, list) and all(isinstance(part, str) for part in key):
            key = "-".join(key)
        options.idempotency_shown = _text(key, limits.KEY_LENGTH)
    if given.get("scope") is not None:
        options.idempotency_scope = _word(given["scope"], SCOPES)


def tag_list(value: Any) -> tuple[str, ...]:
    """Tags given as a text or a list, without empty ones and repeats. Raises: InvalidOptions."""
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(tag, str) for tag in listed):
        raise Misshapen("must be a text or a list of texts")
    found = tuple(dict.fromkeys(tag for tag in listed if tag.strip()))
    if len(found) > limits.TAGS:
        raise InvalidOptions(f"has {len(found)} tags; at most {limits.TAGS} are allowed")
    for tag in found:
        if len(tag) > limits.TAG_LENGTH:
            raise InvalidOptions(
                f"{tag[:20]!r}… has {len(tag)} characters; at most {limits.TAG_LENGTH} are allowed"
            )
        _storable(tag)
    return found


def _tags(options: TriggerOptions, value: Any) -> None:
    options.tags = tag_list(value)


def _metadata(options: TriggerOptions, value: Any) -> None:
    if isinstance(value, str):  # encoded by its sender
        value = plain.read(value.encode(errors="replace"), "text", InvalidOptions)
    if value is None:
        return
    try:
        text = plain.write(_object(value), "metadata")
    except InvalidPayload as error:
        raise InvalidOptions("holds a NUL character; remove it") from error
    if len(text.encode()) > limits.METADATA_LIMIT:
        raise InvalidOptions(
            f"has {len(text.encode()):,} bytes; at most {limits.METADATA_LIMIT:,} are allowed"
        )
    options.metadata = text


def _max_attempts(options: TriggerOptions, value: Any) -> None:
    options.max_attempts = _whole(value, 1, MAX_ATTEMPTS)


def _max_duration(options: TriggerOptions, value: Any) -> None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    options.max_duration_ms = _whole(value, MIN_DURATION_S, 10**9, " of seconds") * 1000


def _machine(options: TriggerOptions, value: Any) -> None:
    options.machine = _word(value, MACHINES)


def _region(options: TriggerOptions, value: Any) -> None:
    options.region = _text(value, limits.NAME_LENGTH)


def _priority(options: TriggerOptions, value: Any) -> None:
    most = limits.PRIORITY_MS // 1000
    if not isinstance(value, int | float) or isinstance(value, bool) or not -most <= value <= most:
        raise InvalidOptions(f"must be a number of seconds from -{most} to {most}")
    options.priority_ms = round(value * 1000)


def _test(options: TriggerOptions, value: Any) -> None:
    options.is_test = _truth(value)


def _version(options: TriggerOptions, value: Any) -> None:
    options.version = _text(value, limits.NAME_LENGTH)


def _parent(options: TriggerOptions, value: Any) -> None:
    options.parent_id = _text(value, limits.NAME_LENGTH)


def _debounce(options: TriggerOptions, value: Any) -> None:
    given = _object(value)
    try:
        most = given.get("maxDelay")
        options.debounce = made = Debounce(
            _text(given.get("key"), DEBOUNCE_KEY),
            duration_ms(given.get("delay")),
            _word(given.get("mode", "leading"), MODES),
            None if most is None else duration_ms(most),
        )
    except InvalidOptions as error:
        raise type(error)(
            f"needs key, delay and perhaps mode, maxDelay: {error.message}"
        ) from error
    if made.max_delay_ms is not None and made.max_delay_ms <= made.delay_ms:
        raise InvalidOptions(
            "has a maxDelay that is not longer than its delay, so nothing could be put off"
        )


def _resume(_: TriggerOptions, value: Any) -> None:
    if _truth(value):
        raise NotBuilt("waiting for a child from another SDK's task is not built yet")


def _limits(_: TriggerOptions, value: Any) -> None:
    if not isinstance(value, list) or len(value) > NAMED_LIMITS:
        raise Misshapen(f"must be a list of at most {NAMED_LIMITS} names")
    for name in value:
        _text(name, limits.NAME_LENGTH)
    if value:
        raise NotBuilt("named concurrency limits are not built yet; use a queue, or leave it out")


def _gates(_: TriggerOptions, value: Any) -> None:
    if not isinstance(value, list) or len(value) > GATES:
        raise Misshapen(f"must be a list of at most {GATES} gates")
    for gate in value:
        _text(_object(gate).get("queue"), limits.NAME_LENGTH)
    if value:
        raise NotBuilt("gates are not built yet; use a queue, or leave it out")


def _deployment(options: TriggerOptions, value: Any) -> None:
    if not isinstance(value, str):
        raise Misshapen("must be text")
    if value.strip():
        options.deployment = _text(value.strip(), limits.NAME_LENGTH)


def _size(_: TriggerOptions, value: Any) -> None:
    _whole(value, 0, 1 << 53, " of bytes")


def _ignored(_: TriggerOptions, value: Any) -> None:
    _text(value, limits.NAME_LENGTH)


_TAKERS: Final[dict[str, Callable[[TriggerOptions, Any], None]]] = {
    "queue": _queue,
    "concurrencyKey": _concurrency_key,
    "delay": take_delay,
    "ttl": _ttl,
    "idempotencyKey": _idempotency_key,
    "idempotencyKeyTTL": _idempotency_ttl,
    "idempotencyKeyOptions": _idempotency_options,
    "tags": _tags,
    "metadata": _metadata,
    "maxAttempts": _max_attempts,
    "maxDuration": _max_duration,
    "machine": _machine,
    "region": _region,
    "priority": _priority,
    "test": _test,
    "lockToVersion": _version,
    "parentRunId": _parent,
    "debounce": _debounce,
    "resumeParentOnCompletion": _resume,
    "concurrency": _limits,
    "gates": _gates,
    "externalDeploymentId": _deployment,
    "payloadSize": _size,
    "metadataType": _ignored,
    "parentBatch": _ignored,
    "bulkActionId": _ignored,
}
