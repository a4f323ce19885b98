"""What runs write for those who watch them, as the rooms above read it: rows and protocol. No SQL.

Every coroutine may raise `StoreUnavailable`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

Writer = tuple[str, str, str]
"""(run id, stream, writer)."""


class HeadRow(Struct, array_like=True, gc=False):
    """Where a stream ends: `next` is the number of the next chunk, `place` what the writer has
    sent last, by its own count from 0, or -1.
    """

    run_id: str
    stream: str
    writer: str
    next: int
    place: int


class ChunkRow(Struct, array_like=True, gc=False):
    """A chunk, JSON text. `epoch` is that in which the code began that wrote it; 0 when the run's
    own code did not.
    """

    number: int
    data: str
    epoch: int
    created_at: int


class RecordRow(Struct, array_like=True, gc=False):
    """A record of an input stream, numbered from 0; large data is in the object store."""

    number: int
    data: str | None
    data_ref: str | None
    created_at: int


class PlaceRow(Struct, array_like=True):
    """Whose run it is and where it stands: final status or "", tags as a JSON list or None."""

    env_id: int
    task: str
    batch_id: str | None
    parent_id: str | None
    root_id: str | None
    status: str
    tags: str | None


class Streams(Protocol):
    """What runs have written."""

    async def heads(self, shard_id: int, wanted: Sequence[Writer]) -> list[HeadRow]:
        """Where each of these streams ends, also those that have not begun; for the owner of the
        shard, consistent while no commit of it is in flight.
        """
        ...

    async def chunks(
        self, shard_id: int, run_id: str, stream: str, first: int, limit: int
    ) -> list[ChunkRow]:
        """Chunks from the number `first` on, in order."""
        ...

    async def records(
        self, shard_id: int, run_id: str, stream: str, first: int, limit: int
    ) -> list[RecordRow]:
        """Records of an input stream from the number `first` on, in order."""
        ...

    async def place(self, shard_id: int, run_id: str) -> PlaceRow | None:
        """Whose run it is; None when unknown."""
        ...
