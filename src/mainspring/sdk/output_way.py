"""Where chunks of a stream go: through the worker of the run that writes, or to a server.

In a run they are gathered by its worker and keep their order with everything else that it says.
What the body of a run wrote before is left out while it is replayed; the code of a step always
writes, because it is executed at all only when it has to be.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from mainspring.errors import InvalidOptions
from mainspring.sdk.context import Context, running
from mainspring.sdk.local import journal_for
from mainspring.sdk.port import Port
from mainspring.sdk.transport import ask
from mainspring.wire.calls import AppendChunks, StreamHead

T = TypeVar("T")


class Way(Protocol):
    """How one writer's chunks reach one stream."""

    async def write(self, chunk: str) -> None:
        """Hand a chunk over, waiting while too much is on its way."""
        ...

    async def flush(self) -> None:
        """Return once everything that was written is stored."""
        ...


def way(stream: str, target: str) -> Way:
    """The way from here to a stream of the run `target`: a run's id, or self, parent, root.

    Raises: InvalidOptions for another target, Misplaced outside a run without a run's id.
    """
    if target not in ("self", "parent", "root") and not target.startswith("run_"):
        raise InvalidOptions(
            f"target is {target[:80]!r}; it is self, parent, root, or the id of a run."
        )
    ctx = running.get()
    if ctx is None and target.startswith("run_"):
        return _FromOutside(stream, target)
    journal = journal_for("A stream of the run")
    if journal is None or ctx is None:
        return _Nowhere()
    relative = {"self": ctx.run_id, "parent": ctx.parent_id, "root": ctx.root_id}
    run_id = relative.get(target, target) or ctx.run_id
    return _FromRun(ctx, journal.port, stream, "" if run_id == ctx.run_id else run_id)


class _FromRun:
    def __init__(self, ctx: Context, port: Port, stream: str, target: str) -> None:
        self._ctx = ctx
        self._port = port
        self._stream = stream
        self._target = target

    async def write(self, chunk: str) -> None:
        if self._ctx.replaying:
            return
        if asyncio.get_running_loop() is self._port.loop:
            busy = self._port.append(self._stream, chunk, self._target)
            if busy is not None:
                await busy
        else:
            await self._there(self._append(chunk))

    async def flush(self) -> None:
        if asyncio.get_running_loop() is self._port.loop:
            await self._port.flush()
        else:
            await self._there(self._port.flush())

    async def _append(self, chunk: str) -> None:
        busy = self._port.append(self._stream, chunk, self._target)
        if busy is not None:
            await busy

    async def _there(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._port.loop))


class _FromOutside:
    """One request for each chunk; it is stored when it is answered."""

    def __init__(self, stream: str, run_id: str) -> None:
        self._stream = stream
        self._run_id = run_id
        self._writer = f"sdk:{uuid.uuid4().hex}"
        self._count = 0

    async def write(self, chunk: str) -> None:
        place, self._count = self._count, self._count + 1
        request = AppendChunks(self._run_id, self._stream, [chunk], self._writer, place)
        await ask(request, StreamHead)

    async def flush(self) -> None:
        return


class _Nowhere:
    """In code that `task.local` calls nobody reads."""

    async def write(self, chunk: str) -> None:
        return

    async def flush(self) -> None:
        return
