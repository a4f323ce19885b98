"""Public as `mainspring.wait`: waits that cost no slot and no process, and outlive both."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Coroutine, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypedDict, TypeVar, Unpack, overload

import msgspec

from mainspring.errors import (
    InvalidOptions,
    InvalidPayload,
    MainspringError,
    StepConflict,
    WaitTimeout,
    from_code,
)
from mainspring.model.duration import Duration, milliseconds
from mainspring.model.run import RunError
from mainspring.sdk.codec import UNREADABLE
from mainspring.sdk.encode import BEYOND_JSON, to_json, why
from mainspring.sdk.journal import Journal, Place, check_name, quoted
from mainspring.sdk.local import journal_for, outside
from mainspring.sdk.shape import reader
from mainspring.sdk.tokens import (
    HasId,
    Token,
    complete_token,
    create_token,
    list_tokens,
    retrieve_token,
)
from mainspring.wire.worker import Entry, Wait

__all__ = ["How", "Token", "complete_token", "create_token", "event", "for_", "input",
           "list_tokens", "retrieve_token", "seconds", "token", "until"]  # fmt: skip

T = TypeVar("T")

_plain: Final = msgspec.json.Decoder().decode
_fault: Final = msgspec.json.Decoder(RunError).decode


class How(TypedDict, total=False):
    """Options of a wait.

    Attributes:
        timeout: wait at most so long, or until an aware datetime.
        key: marks this wait among others of its kind, wherever in the run it is made.
    """

    timeout: Duration | datetime | None
    key: str | None


def seconds(number: float, *, key: str | None = None) -> Coroutine[Any, Any, None]:
    """Wait that many seconds; `for_` with a number."""
    return for_(number, key=key)


def for_(duration: Duration, *, key: str | None = None) -> Coroutine[Any, Any, None]:
    """Wait for seconds, a timedelta or text such as `"1h30m"`, counted from this call.

    The run gives its slot back when nothing else in it goes on, and a replay does not wait again.

    Raises: InvalidOptions, Misplaced outside a run, StepConflict.
    """
    after_ms = milliseconds(duration, "wait.for_")
    journal = journal_for("wait.for_")
    if journal is None:
        return asyncio.sleep(after_ms / 1000)
    place = _place(journal, "time", key)
    return _time(journal, place, Wait("", 0, 0, place.key, place.seq, "time", after_ms=after_ms))


def until(moment: datetime, *, key: str | None = None) -> Coroutine[Any, Any, None]:
    """Wait until an aware datetime; one that is over takes no time. As `for_`."""
    if moment.utcoffset() is None:
        raise InvalidOptions(
            f"wait.until: {moment!r} does not say of which zone it is; use an aware datetime, for "
            "example mainspring.now() + timedelta(days=1)."
        )
    journal = journal_for("wait.until")
    if journal is None:
        left = (moment - datetime.now(moment.tzinfo)).total_seconds()
        return asyncio.sleep(max(0.0, left))
    place = _place(journal, "time", key)
    due_at = max(0, round(moment.timestamp() * 1000))
    return _time(journal, place, Wait("", 0, 0, place.key, place.seq, "time", due_at=due_at))


@overload
def token(
    token: str | HasId,
    type: builtins.type[T],
    **how: Unpack[How],
) -> Coroutine[Any, Any, T]: ...
@overload
def token(
    token: str | HasId,
    type: Any = None,
    **how: Unpack[How],
) -> Coroutine[Any, Any, Any]: ...
def token(
    token: str | HasId,
    type: Any = None,
    **how: Unpack[How],
) -> Coroutine[Any, Any, Any]:
    """Wait until somebody completes the token, and return its output as `type`.

    Raises:
        WaitTimeout: the token's own time, or `timeout`, was over first.
        NotFound: there is no such token.
        InvalidPayload: the output does not fit the type.
    """
    token_id = token if isinstance(token, str) else token.id
    return _thing("token", token_id, "token", type, mark=token_id, **how)


@overload
def event(
    name: str,
    type: builtins.type[T],
    *,
    match: Mapping[str, Any] | None = None,
    **how: Unpack[How],
) -> Coroutine[Any, Any, T]: ...
@overload
def event(
    name: str,
    type: Any = None,
    *,
    match: Mapping[str, Any] | None = None,
    **how: Unpack[How],
) -> Coroutine[Any, Any, Any]: ...
def event(
    name: str,
    type: Any = None,
    *,
    match: Mapping[str, Any] | None = None,
    **how: Unpack[How],
) -> Coroutine[Any, Any, Any]:
    """Wait for an event that is emitted after this call, and return its payload as `type`.

    `match` names fields of the payload that must be equal. Raises: WaitTimeout, InvalidPayload.
    """
    try:
        data = None if match is None else to_json(dict(match)).decode()
    except BEYOND_JSON as error:
        raise InvalidOptions(f"match cannot be written as JSON: {why(error)}.") from error
    mark = name if data is None else f"{name} {data}"
    return _thing("event", name, f"event:{quoted(name)}", type, mark=mark, data=data, **how)


@overload
def input(
    stream: str,
    type: builtins.type[T],
    **how: Unpack[How],
) -> Coroutine[Any, Any, T]: ...
@overload
def input(
    stream: str,
    type: Any = None,
    **how: Unpack[How],
) -> Coroutine[Any, Any, Any]: ...
def input(
    stream: str,
    type: Any = None,
    **how: Unpack[How],
) -> Coroutine[Any, Any, Any]:
    """Wait for the next record of an input stream of this run, and return it as `type`.

    Records are read one after another from the first, each once. After a time-out the next call
    waits for the same record. Raises: WaitTimeout, InvalidPayload, and StepConflict when another
    asyncio task of the run is waiting for the stream already.
    """
    return _thing("input", stream, f"input:{quoted(stream)}", type, mark=stream, **how)


def _thing(
    kind: str,
    point: str,
    name: str,
    wanted: Any,
    *,
    mark: str,
    data: str | None = None,
    timeout: Duration | datetime | None = None,
    key: str | None = None,
) -> Coroutine[Any, Any, Any]:
    journal = journal_for(f"wait.{kind}")
    if journal is None:
        raise outside(f"wait.{kind}")
    known = None if wanted is None else reader(wanted, f"wait.{kind}: type")
    after_ms, due_at = _limit(timeout)
    place = _place(journal, name, key)
    wait = Wait("", 0, 0, place.key, place.seq, kind, [point], after_ms, due_at, data, 0, mark)
    return _awaited(journal, place, wait, known)


async def _time(journal: Journal, place: Place, wait: Wait) -> None:
    wait.generation = journal.generation
    journal.check(place, "time", "")
    await journal.wait(place, wait)


async def _awaited(journal: Journal, place: Place, wait: Wait, known: Any) -> Any:
    kind, point = wait.kind, wait.points[0]
    journal.check(place, kind, wait.fingerprint)
    wait.generation = journal.generation
    if kind == "input":
        entry = await _record(journal, place, wait)
    else:
        entry = await journal.wait(place, wait)
    if entry.status == "timed_out":
        raise WaitTimeout(
            f"{kind} {point!r} did not come in time.", details={"kind": kind, "name": point}
        )
    if entry.status == "failed":
        raise _failure(entry, point)
    data = entry.data or "null"
    if known is None:
        return _plain(data)
    try:
        return known.decode(data)
    except UNREADABLE as error:
        raise InvalidPayload(
            f"What came for {kind} {point!r} does not fit: {error}. Correct the type that is "
            "waited for, or whoever sends it.",
            details=known.faults(data),
        ) from error


async def _record(journal: Journal, place: Place, wait: Wait) -> Entry:
    """The next record of an input stream: its number is that of those which have come, and one."""
    stream = wait.points[0]
    number = journal.inputs.get(stream, 1)
    if number < 0:
        raise StepConflict(
            f"Two asyncio tasks of this run wait for input stream {stream!r}, and chance would "
            "decide which gets a record. Read it in one task, and pass the records on."
        )
    wait.number = number
    journal.inputs[stream] = -number
    try:
        entry = await journal.wait(place, wait)
    except BaseException:
        journal.inputs[stream] = number
        raise
    journal.inputs[stream] = number + (entry.status == "completed")
    return entry


def _failure(entry: Entry, point: str) -> MainspringError:
    stored = _fault(entry.data) if entry.data else RunError(f"nothing can be had of {point!r}")
    return from_code(stored.code, stored.message, stored.details)


def _limit(timeout: Duration | datetime | None) -> tuple[int | None, int | None]:
    """A time-out as (ms from now, None) or (None, epoch ms)."""
    if timeout is None:
        return None, None
    if isinstance(timeout, float | int | str | timedelta):
        return milliseconds(timeout, "timeout"), None
    if timeout.utcoffset() is None:
        raise InvalidOptions(
            f"timeout: {timeout} does not say of which zone it is; use an aware datetime."
        )
    return None, max(0, round(timeout.timestamp() * 1000))


def _place(journal: Journal, name: str, key: str | None) -> Place:
    if key is not None:
        check_name("-", key)
    return journal.place(f"wait:{name}", key)
