"""Calls of tasks with arguments that are checked and not yet sent, and sending many of them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

from mainspring.errors import InvalidOptions
from mainspring.model.limits import BATCH
from mainspring.model.run import TriggerRequest
from mainspring.sdk import transport
from mainspring.sdk.context import running
from mainspring.sdk.handles import Handle
from mainspring.sdk.journal import Journal, Place
from mainspring.sdk.local import blocking, journal_of_run
from mainspring.sdk.options import NONE, KeyFunctions, Resolved, resolve
from mainspring.sdk.spawn import kept, named
from mainspring.sdk.transaction import trigger_on, trigger_on_blocking
from mainspring.wire.calls import Trigger, Triggered

R = TypeVar("R")
T = TypeVar("T")


class Call(Generic[R]):
    """One call of a task, with its payload as text and its options. Sends nothing by itself."""

    __slots__ = ("_args", "_checked", "_keys", "_kwargs", "_payload", "decode", "resolved", "task")

    def __init__(
        self,
        task: str,
        payload: str,
        decode: Callable[[str | None], R],
        resolved: Resolved = NONE,
        *,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        keys: KeyFunctions | None = None,
        checked: bool = False,
    ) -> None:
        self.task = task
        self.decode = decode
        self.resolved = resolved
        self._payload = payload
        self._args = args
        self._kwargs = kwargs or {}
        self._keys = keys
        self._checked = checked

    def __repr__(self) -> str:
        return f"<Call of {self.task}>"

    def request(self) -> TriggerRequest:
        """What is sent. Raises: InvalidOptions, for a key that cannot be made here."""
        options = self.resolved.build(running.get(), self._keys, self._args, self._kwargs)
        options.checked = self._checked
        return TriggerRequest(self.task, self._payload, options)

    def under(self, outer: Resolved) -> Call[R]:
        """The same call with further options, which yield to its own."""
        merged = resolve({**outer.given, **self.resolved.given})
        return Call(
            self.task,
            self._payload,
            self.decode,
            merged,
            args=self._args,
            kwargs=self._kwargs,
            keys=self._keys,
            checked=self._checked,
        )


def send_one(call: Call[R]) -> Coroutine[Any, Any, Handle[R]]:
    """Make a run for the call; inside a run its place in the journal is taken now."""
    return _first(send([call]))


def send(calls: Sequence[Call[R]], outer: Resolved = NONE) -> Coroutine[Any, Any, list[Handle[R]]]:
    """Make a run for each call, at most 1,000, all or none; handles in the same order.

    `outer` are options for all of them, which yield to a call's own. Inside a run its place in the
    journal is taken now. Raises: InvalidOptions.
    """
    calls, connection = prepared(calls, outer)
    if connection is not None:
        return _send_on(connection, calls)
    client = client_of(calls)
    if client is not None:
        return _send_to(client.transport, calls)
    journal = journal_of_run() if calls else None
    if journal is None:
        return _send(calls)
    place = journal.place(f"trigger:{named([call.task for call in calls])}")
    return _send_kept(journal, place, calls)


async def _send(calls: Sequence[Call[R]]) -> list[Handle[R]]:
    if not calls:
        return []
    to = transport.current()
    requests = [call.request() for call in calls]
    triggered = await transport.ask(Trigger(requests), Triggered, to)
    return [
        Handle(answer.run_id, call.decode, cached=answer.cached, transport=to)
        for call, answer in zip(calls, triggered.answers, strict=True)
    ]


async def _send_to(to: transport.Transport, calls: Sequence[Call[R]]) -> list[Handle[R]]:
    with transport.elsewhere(to):
        return await _send(calls)


async def _send_kept(journal: Journal, place: Place, calls: Sequence[Call[R]]) -> list[Handle[R]]:
    to = transport.active.get()
    answers = await kept(journal, place, [call.request() for call in calls])
    return [
        Handle(answer.run_id, call.decode, cached=answer.cached, transport=to)
        for call, answer in zip(calls, answers, strict=True)
    ]


async def _send_on(connection: Any, calls: Sequence[Call[R]]) -> list[Handle[R]]:
    slug = transport.environment()
    return [
        Handle(await trigger_on(connection, slug, call.request()), call.decode) for call in calls
    ]


async def _first(handles: Coroutine[Any, Any, list[Handle[R]]]) -> Handle[R]:
    return (await handles)[0]


def send_sync(calls: Sequence[Call[R]], outer: Resolved = NONE) -> list[Handle[R]]:
    """`send` for blocking code."""
    ready, connection = prepared(calls, outer)
    if connection is None:
        return blocking(send(ready))
    slug = transport.environment()
    return [
        Handle(trigger_on_blocking(connection, slug, call.request()), call.decode) for call in ready
    ]


def prepared(
    calls: Sequence[Call[R]], outer: Resolved, most: int | None = BATCH
) -> tuple[Sequence[Call[R]], Any]:
    """The calls with the outer options, and the connection to send them on, if any."""
    if most is not None and len(calls) > most:
        raise InvalidOptions(
            f"A batch has {len(calls):,} calls; {most:,} are allowed. Send several batches."
        )
    if outer.given:
        calls = [call.under(outer) for call in calls]
    connection = _shared("connection", [call.resolved.connection for call in calls])
    if connection is not None and client_of(calls) is not None:
        raise InvalidOptions(
            "A call names both a client and a connection; a run is either sent to the client's "
            "server or stored in your transaction."
        )
    return calls, connection


def client_of(calls: Sequence[Call[Any]]) -> transport.Client | None:
    """Whose server the calls go to by their options, if any. Raises: InvalidOptions for several."""
    return _shared("client", [call.resolved.client for call in calls])


def _shared(option: str, values: Sequence[T]) -> T | None:
    different = {id(value): value for value in values}
    if len(different) > 1:
        raise InvalidOptions(f"The calls of a batch name different {option}s; use one for all.")
    return next(iter(different.values()), None)
