"""Streams that runs write for those who watch them: defining, writing, piping. Reading is
`output_read`'s, and input streams are in `streams`.
"""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterable, AsyncIterator, Generator, Iterable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, Unpack

from mainspring.errors import InvalidOptions
from mainspring.model.limits import check_chunk, check_stream
from mainspring.sdk.encode import BEYOND_JSON, to_json, why
from mainspring.sdk.local import blocking
from mainspring.sdk.output_read import From, StreamRecord, data, records
from mainspring.sdk.output_way import Way, way
from mainspring.sdk.portal import iterate

T = TypeVar("T")


class OutputStream(Generic[T]):
    """A stream by its id; each run has one of its own. Made by `streams.define`.

    Chunks are numbered from 0 in the order in which they are stored, and kept as long as the run.
    `target` says whose stream is written: that of this run (`"self"`), of the run that triggered it
    (`"parent"`), of the run at the top (`"root"`), or of the run with that id; the last one also
    outside of runs. `id` and `type` are as given.
    """

    __slots__ = ("id", "type")

    def __init__(self, id: str = "default", type: Any = None) -> None:
        check_stream(id)
        self.id = id
        self.type = type

    def __repr__(self) -> str:
        return f"<OutputStream {self.id}>"

    async def append(self, chunk: T, *, target: str = "self") -> None:
        """Write one chunk, any value that has a JSON form.

        In a run it is on its way then, and stored before anything that the run does later; the call
        takes longer only when too much is on its way. A body that is replayed writes nothing twice.

        Raises: InvalidOptions without a JSON form, PayloadTooLarge over 512 KiB, Misplaced.
        """
        await way(self.id, target).write(_text(chunk))

    def append_sync(self, chunk: T, *, target: str = "self") -> None:
        """`append` for blocking code."""
        blocking(self.append(chunk, target=target))

    def pipe(self, source: AsyncIterable[T] | Iterable[T], *, target: str = "self") -> Piped[T]:
        """Write everything that comes out of `source`.

        `await` it to have all of it written and stored, and get the number of chunks; or walk
        through it with `async for`, which gives each chunk once it has been written.
        """
        return Piped(self.id, source, target)

    def pipe_sync(self, source: Iterable[T], *, target: str = "self") -> int:
        """Write everything that comes out of `source`, for blocking code; how much it was."""
        count = 0
        writer = self.writer(target=target)
        for chunk in source:
            blocking(writer.write(chunk))
            count += 1
        blocking(writer.flush())
        return count

    def writer(self, *, target: str = "self") -> Writer[T]:
        """For writing from several places: `async with stream.writer() as out: await out.write(…)`.

        Raises: InvalidOptions, Misplaced.
        """
        return Writer(self.id, target)

    def read(self, run_id: str, **how: Unpack[From]) -> AsyncIterator[T]:
        """Walk through the chunks of a run's stream, waiting for those to come, until the run ends.

        It begins at `start_index` (0), or with `latest=True` at the next chunk to come, goes on
        where it was after a broken connection, and ends early when nothing comes for `timeout`.

        Raises: NotFound, InvalidPayload for a chunk that is not of the `type`.
        """
        return data(self.records(run_id, **how))

    def read_sync(self, run_id: str, **how: Unpack[From]) -> Iterable[T]:
        """`read` for blocking code."""
        return iterate(self.read(run_id, **how))

    def records(self, run_id: str, **how: Unpack[From]) -> AsyncIterator[StreamRecord[T]]:
        """`read` with each chunk's number, time and epoch, which tells when code began anew."""
        return records(self.id, self.type, run_id, **how)


class Piped(Generic[T]):
    """What is being written while it is walked through; once. Made by `pipe`."""

    def __init__(self, id: str, source: AsyncIterable[T] | Iterable[T], target: str) -> None:
        self._way = way(id, target)
        self._source = source
        self._count = 0

    def __await__(self) -> Generator[Any, None, int]:
        return self._all().__await__()

    async def __aiter__(self) -> AsyncIterator[T]:
        if isinstance(self._source, AsyncIterable):
            async for chunk in self._source:
                await self._write(chunk)
                yield chunk
        else:
            for chunk in self._source:
                await self._write(chunk)
                yield chunk
        await self._way.flush()

    async def _all(self) -> int:
        async for _ in self:
            pass
        return self._count

    async def _write(self, chunk: T) -> None:
        await self._way.write(_text(chunk))
        self._count += 1


class Writer(Generic[T]):
    """Writes to one stream; leaving the `async with` block waits until everything is stored."""

    def __init__(self, id: str, target: str) -> None:
        self._way: Way = way(id, target)

    async def write(self, chunk: T) -> None:
        """Write a chunk, as `append` does."""
        await self._way.write(_text(chunk))

    async def flush(self) -> None:
        """Return once everything that was written is stored."""
        await self._way.flush()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: builtins.type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            await self.flush()


def _text(chunk: Any) -> str:
    try:
        text = to_json(chunk).decode()
    except BEYOND_JSON as error:
        raise InvalidOptions(f"The chunk cannot be written as JSON: {why(error)}.") from error
    check_chunk(text)
    return text
