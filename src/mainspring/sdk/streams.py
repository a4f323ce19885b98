"""Input streams, through which others send records to a run that executes or waits."""

from __future__ import annotations

import builtins
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar, Unpack, overload

from mainspring.errors import InvalidOptions
from mainspring.model.limits import NAME_LENGTH, check_text
from mainspring.sdk import wait
from mainspring.sdk.encode import BEYOND_JSON, to_json, why
from mainspring.sdk.journal import quoted
from mainspring.sdk.kept import kept, request_key
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
