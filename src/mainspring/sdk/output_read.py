"""Reading the stream of a run from any number on, over whatever transport is in force."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any, Final, Generic, TypedDict, TypeVar

import msgspec
from msgspec import Struct

from mainspring.errors import InvalidOptions, InvalidPayload
from mainspring.model.duration import Duration, milliseconds
from mainspring.sdk.codec import UNREADABLE
from mainspring.sdk.shape import reader
from mainspring.sdk.transport import ask
from mainspring.wire.calls import ReadStream, StreamPage

T = TypeVar("T")
SLICE_MS: Final = 20_000
"""How long one request waits at most."""
_plain: Final = msgspec.json.Decoder().decode


class StreamRecord(Struct, Generic[T], frozen=True):
    """One chunk of a stream.

    Attributes:
        index: its number, from 0 without gaps.
        at: when it was stored, epoch ms.
        epoch: that in which the code of the run began that wrote it. When it is greater than that
            of the record before, the run was executed again, and what an unfinished step had
            written comes once more. 0 = another than the run's own code wrote it.
    """

    index: int
    data: T
    at: int
    epoch: int


class From(TypedDict, total=False):
    """Where reading begins and ends.

    Attributes:
        start_index: the number of the first chunk to give.
        latest: begin with the next chunk to come.
        timeout: end when no chunk has come for so long; otherwise only when the run has ended.
    """

    start_index: int
    latest: bool
    timeout: Duration | None


async def records(
    stream: str,
    type: Any,
    run_id: str,
    *,
    start_index: int = 0,
    latest: bool = False,
    timeout: Duration | None = None,
    input: bool = False,
) -> AsyncIterator[StreamRecord[Any]]:
    """Walk through the records of a run's stream. Raises: as `OutputStream.read`."""
    if start_index < 0 or (latest and start_index):
        raise InvalidOptions(
            f"start_index is {start_index}; a number from 0 on is allowed, and not with latest."
        )
    known = None if type is None else reader(type, f"stream {stream!r}: type")
    limit = None if timeout is None else milliseconds(timeout, "timeout")
    first = start_index
    if latest:
        page = await ask(ReadStream(run_id, stream, -1, input=input), StreamPage)
        first = page.next
    since = time.monotonic()
    while True:
        left = SLICE_MS
        if limit is not None:
            left = max(0, limit - int((time.monotonic() - since) * 1000))
        request = ReadStream(run_id, stream, first, timeout_ms=min(left, SLICE_MS), input=input)
        page = await ask(request, StreamPage)
        for chunk in page.chunks:
            value = _plain(chunk.data) if known is None else _read(known, chunk.data, stream)
            yield StreamRecord(chunk.number, value, chunk.at, chunk.epoch)
        first = page.next
        if page.ended:
            return
        if page.chunks:
            since = time.monotonic()
        elif limit is not None and (time.monotonic() - since) * 1000 >= limit:
            return


async def data(found: AsyncIterator[StreamRecord[T]]) -> AsyncIterator[T]:
    """The chunks alone."""
    async for record in found:
        yield record.data


def _read(known: Any, text: str, stream: str) -> Any:
    try:
        return known.decode(text)
    except UNREADABLE as error:
        raise InvalidPayload(
            f"A chunk of stream {stream!r} does not fit: {error}. Correct the type that is read, "
            "or whoever writes it.",
            details=known.faults(text),
        ) from error
