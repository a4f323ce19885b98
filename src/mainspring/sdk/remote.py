"""Tasks whose code is elsewhere, with the types of their payloads; generated files make them."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any, Generic, TypeVar, Unpack, overload

from mainspring.sdk import tasks
from mainspring.sdk.call import Call, send, send_one, send_sync
from mainspring.sdk.handles import Handle, plain
from mainspring.sdk.options import Options

A = TypeVar("A")
R = TypeVar("R")


class RemoteTask(Generic[A, R]):
    """A task by its id: `A` is its payload, `R` what it returns, both as JSON has them.

    `mainspring generate client` writes a file of them. The server checks payloads. Without the
    option `client` runs go where this process sends its requests.
    """

    __slots__ = ("id",)

    def __init__(self, id: str) -> None:
        self.id = id

    def __repr__(self) -> str:
        return f"<RemoteTask {self.id}>"

    @overload
    def call(
        self: RemoteTask[None, R], payload: None = None, **options: Unpack[Options]
    ) -> Call[R]: ...
    @overload
    def call(self, payload: A, **options: Unpack[Options]) -> Call[R]: ...
    def call(self, payload: Any = None, **options: Unpack[Options]) -> Call[R]:
        """A call for `tasks.batch` or `gather`; nothing is sent. Raises: as `tasks.call`."""
        return tasks.call(self.id, payload, **options)

    @overload
    def trigger(
        self: RemoteTask[None, R], payload: None = None, **options: Unpack[Options]
    ) -> Coroutine[Any, Any, Handle[R]]: ...
    @overload
    def trigger(self, payload: A, **options: Unpack[Options]) -> Coroutine[Any, Any, Handle[R]]: ...
    def trigger(
        self, payload: Any = None, **options: Unpack[Options]
    ) -> Coroutine[Any, Any, Handle[R]]:
        """Make a run. Raises: UnknownTask, InvalidPayload, InvalidOptions."""
        call: Call[R] = tasks.call(self.id, payload, **options)
        return send_one(call)

    @overload
    def trigger_sync(
        self: RemoteTask[None, R], payload: None = None, **options: Unpack[Options]
    ) -> Handle[R]: ...
    @overload
    def trigger_sync(self, payload: A, **options: Unpack[Options]) -> Handle[R]: ...
    def trigger_sync(self, payload: Any = None, **options: Unpack[Options]) -> Handle[R]:
        """`trigger` for blocking code."""
        call: Call[R] = tasks.call(self.id, payload, **options)
        return send_sync([call])[0]

    def batch_trigger(
        self, payloads: Iterable[A], **options: Unpack[Options]
    ) -> Coroutine[Any, Any, list[Handle[R]]]:
        """Make a run for each payload, at most 1,000, all or none; in the same order."""
        calls: list[Call[R]] = [tasks.call(self.id, payload, **options) for payload in payloads]
        return send(calls)

    def handle(self, run_id: str) -> Handle[R]:
        """The handle of a run of this task whose id was stored. Sends nothing."""
        return Handle(run_id, plain)
