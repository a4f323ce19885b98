"""What the SDK and the HTTP API ask about the streams of runs. See `wire.calls`."""

from __future__ import annotations

from typing import Final

from msgspec import Struct


class AppendChunks(Struct, tag="append_chunks"):
    """Add chunks (JSON text) to a stream of a run that has not ended → StreamHead.

    `writer` names who writes, `first` the place of the first chunk among all that this writer has
    sent: what is there already is left out, so a repeat changes nothing. `since` is the epoch in
    which the code began that writes for itself, else 0. Without chunks a stream is only announced.
    """

    run_id: str
    stream: str
    chunks: list[str]
    writer: str
    first: int = 0
    since: int = 0


class FindStream(Struct, tag="find_stream"):
    """How far a stream has come, and that writer in it → StreamHead."""

    run_id: str
    stream: str
    writer: str = ""


class StreamHead(Struct):
    """`next` is the number of the stream's next chunk, `place` what the writer has sent last by its
    own count, or -1.
    """

    next: int
    place: int


class ReadStream(Struct, tag="read_stream"):
    """Chunks from the number `first` on (-1 = from the next one on) → StreamPage, once there are
    some, the run has ended, or `timeout_ms` have passed. `input` = records of an input stream.
    """

    run_id: str
    stream: str
    first: int = 0
    limit: int = 1000
    timeout_ms: int = 0
    input: bool = False


class Chunk(Struct, array_like=True, gc=False):
    """A chunk, JSON text. `epoch` is that in which the code of the run began that wrote it: when it
    grows, the code was begun anew. 0 = somebody else wrote it.
    """

    number: int
    data: str
    at: int
    epoch: int = 0


class StreamPage(Struct):
    """`ended`: the run has ended and nothing comes after these. `next` is where to go on."""

    chunks: list[Chunk]
    next: int
    ended: bool = False


class FindRun(Struct, tag="find_run"):
    """What a run belongs to → RunPlace."""

    run_id: str


class RunPlace(Struct):
    """What a run belongs to; `status` is its final one or ""."""

    run_id: str
    task: str
    tags: tuple[str, ...] = ()
    batch_id: str | None = None
    parent_id: str | None = None
    root_id: str | None = None
    status: str = ""


StreamRequest = AppendChunks | FindStream | ReadStream | FindRun
StreamResponse = StreamHead | StreamPage | RunPlace
STREAMS: Final[dict[type[Struct], type[Struct]]] = {
    AppendChunks: StreamHead,
    FindStream: StreamHead,
    ReadStream: StreamPage,
    FindRun: RunPlace,
}
"""Which struct answers which request."""
