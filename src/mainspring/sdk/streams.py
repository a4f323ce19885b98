"""Streams of runs: those that a run writes for its readers (`define`, `pipe`, `append`, `writer`,
`read`), and input streams, through which others send records to it.
"""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterable, AsyncIterator, Coroutine, Iterable
from typing import Any, Generic, TypeVar, Unpack, overload

from mainspring.errors import InvalidOptions
from mainspring.model.limits import NAME_LENGTH, check_text
from mainspring.sdk import wait
from mainspring.sdk.encode import BEYOND_JSON, to_json, why
from mainspring.sdk.journal import quoted
from mainspring.sdk.kept import kept, request_key
from mainspring.sdk.output import OutputStream, Piped, Writer
from mainspring.sdk.output_read import From, data, records
from mainspring.sdk.transport import ask
from mainspring.wire.calls import SendInput, Sent

T = TypeVar("T")


class InputStream(Generic[T]):
    """A stream by its name; each run has one of its own. Made by `streams.input`.

    `name` and `type` are as given.
    """

    __slots__ = ("name", "type")

    def __init__(self, name: str, type: Any = None) -> None:
        check_text(name, "name of an input stream", NAME_LENGTH)
        self.name = name
        self.type = type

    def __repr__(self) -> str:
        return f"<InputStream {self.name}>"

    def wait(self, **how: Unpack[wait.How]) -> Coroutine[Any, Any, T]:
        """Wait, durably, for the next record that was sent to this run.

        Records are read one after another from the first, each once; `timeout` and `key` as in
        `wait.input`. Raises: WaitTimeout, InvalidPayload, Misplaced outside a run.
        """
        return wait.input(self.name, self.type, **how)

    def read(self, run_id: str, **how: Unpack[From]) -> AsyncIterator[T]:
        """Walk through what was sent to a run, from outside of it, as `OutputStream.read` does."""
        return data(records(self.name, self.type, run_id, input=True, **how))

    async def send(self, run_id: str, data: T) -> int:
        """Send a record to a run that has not ended; it is kept until the run reads it.

        In a run this is a step, and sends once whatever happens. Answers the record's number in the
        stream, from 1.

        Raises: NotFound, Conflict when the run has ended, InvalidOptions without a JSON form.
        """
        try:
            text = to_json(data).decode()
        except BEYOND_JSON as error:
            raise InvalidOptions(f"The record cannot be written as JSON: {why(error)}.") from error
        name = f"send:{quoted(self.name)}"[:128]
        return await kept(name, _sent, run_id, self.name, text)


@overload
def define(id: str = "default", *, type: builtins.type[T]) -> OutputStream[T]: ...
@overload
def define(id: str, type: builtins.type[T]) -> OutputStream[T]: ...
@overload
def define(id: str = "default", type: Any = None) -> OutputStream[Any]: ...
def define(id: str = "default", type: Any = None) -> OutputStream[Any]:
    """The stream of that id, for the runs that write it and for those who read it.

    `type` is that of its chunks. Raises: InvalidOptions for an id that is empty or over 128
    characters.
    """
    return OutputStream(id, type)


async def append(id: str, chunk: Any, *, target: str = "self") -> None:
    """Write one chunk; see `OutputStream.append`."""
    await OutputStream(id).append(chunk, target=target)


def append_sync(id: str, chunk: Any, *, target: str = "self") -> None:
    """`append` for blocking code."""
    OutputStream(id).append_sync(chunk, target=target)


def pipe(id: str, source: AsyncIterable[T] | Iterable[T], *, target: str = "self") -> Piped[T]:
    """Write everything that comes out of `source`; see `OutputStream.pipe`."""
    return Piped(OutputStream(id).id, source, target)


def pipe_sync(id: str, source: Iterable[Any], *, target: str = "self") -> int:
    """`pipe` for blocking code; how many chunks it were."""
    return OutputStream(id).pipe_sync(source, target=target)


def writer(id: str = "default", *, target: str = "self") -> Writer[Any]:
    """For writing from several places; see `OutputStream.writer`."""
    return OutputStream(id).writer(target=target)


def read(run_id: str, id: str = "default", **how: Unpack[From]) -> AsyncIterator[Any]:
    """Walk through the chunks of a run's stream until it ends; see `OutputStream.read`."""
    return OutputStream(id).read(run_id, **how)


def read_sync(run_id: str, id: str = "default", **how: Unpack[From]) -> Iterable[Any]:
    """`read` for blocking code."""
    return OutputStream(id).read_sync(run_id, **how)


@overload
def input(name: str, type: builtins.type[T]) -> InputStream[T]: ...
@overload
def input(name: str, type: Any = None) -> InputStream[Any]: ...
def input(name: str, type: Any = None) -> InputStream[Any]:
    """The input stream of that name, for the run that reads it and for those who send to it.

    Raises: InvalidOptions for a name that is empty or over 128 characters.
    """
    return InputStream(name, type)


async def _sent(run_id: str, stream: str, data: str) -> int:
    return (await ask(SendInput(run_id, stream, data, request_key()), Sent)).number
