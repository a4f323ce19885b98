"""Chunks as events: the second protocol of streams, as text that any number of readers is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from mainspring.wire.calls import Chunk

PING: Final = b": ping\n\n"
HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"x-stream-version", b"v2"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]

_encode: Final = msgspec.json.Encoder().encode


class Record(Struct):
    """One record of an event. `body` is JSON: `{"data": chunk, "id": text}`."""

    seq_num: int
    timestamp: int
    headers: list[tuple[str, str]]
    body: str


class Records(Struct):
    """The data of an event named "batch"."""

    records: list[Record]


def event(chunks: Sequence[Chunk]) -> bytes:
    """One event with these chunks, which may not be none."""
    records = [
        Record(
            chunk.number,
            chunk.at,
            [("epoch", str(chunk.epoch))] if chunk.epoch > 1 else [],
            f'{{"data":{chunk.data},"id":"{chunk.number}"}}',
        )
        for chunk in chunks
    ]
    data = _encode(Records(records))
    return b"event: batch\nid: %d\ndata: %b\n\n" % (chunks[-1].number, data)
