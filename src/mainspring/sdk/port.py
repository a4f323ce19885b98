"""What the journal of one run needs from its worker. Implemented by the worker, not here."""

from __future__ import annotations

import asyncio
from typing import Protocol

from mainspring.wire.calls import Request, Response
from mainspring.wire.worker import Entry, Op, Wait


class Port(Protocol):
    """The way of one run to its worker; every method is called on `loop`.

    A run that was taken away gets FencedOut from whatever it awaits here, or never an answer.
    """

    loop: asyncio.AbstractEventLoop

    async def record(self, entries: list[Entry]) -> None:
        """Keep entries; returns once they are durable. Raises: FencedOut, JournalFull."""
        ...

    def post(self, entries: list[Entry], generation: int | None = None) -> None:
        """Keep entries without waiting; they are durable before anything said later is.

        `generation` is that of the journal they are for, the run's present one by default.
        """
        ...

    async def wait(self, wait: Wait) -> Entry:
        """Wait, durably, until the entry of `wait.key` is there, and return it.

        The run may lose its slot meanwhile; the entry is returned when it has one again. `run_id`
        and `epoch` of the wait are filled in here. Raises: FencedOut.
        """
        ...

    async def call(self, request: Request) -> Response:
        """Ask the engine in the name of the run. Raises: MainspringError, those of the engine."""
        ...

    def update(self, ops: list[Op], tags: tuple[str, ...]) -> None:
        """Change the metadata and add tags, in order with everything else."""
        ...

    def append(self, stream: str, chunk: str, target: str = "") -> asyncio.Future[None] | None:
        """Write a chunk (JSON text) to a stream of the run, or of the run `target`, in order with
        everything else. What is answered is to be awaited before the next chunk.
        """
        ...

    async def flush(self) -> None:
        """Return once everything said so far is durable. Raises: FencedOut."""
        ...
