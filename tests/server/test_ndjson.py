"""Lines of a body, however they arrive."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterable
from typing import Any, cast

import pytest

from mainspring.errors import CallerError
from mainspring.server import ndjson
from mainspring.server.exchange import Exchange
from mainspring.server.ndjson import HEAD, Line, lines


class Body:
    """A body in these pieces."""

    def __init__(self, pieces: Iterable[bytes], wait_s: float = 0) -> None:
        self._pieces = iter(pieces)
        self._wait_s = wait_s

    async def receive(self) -> Any:
        await asyncio.sleep(self._wait_s)
        piece = next(self._pieces, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}


async def read(body: Body, limit: int) -> list[Line]:
    return [line async for line in lines(cast(Exchange, body), limit)]


@pytest.mark.parametrize("size", [1, 2, 7, 100, 10_000])
async def test_lines_are_the_same_however_they_are_cut(size: int) -> None:
    text = b"one\n\n  two \n" + b"x" * 2_000 + b"\n" + b"y" * 100 + b"\nlast"
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    found = await read(Body(pieces), 1_000)
    assert [(line.number, line.size, line.is_cut) for line in found] == [
        (1, 3, False), (3, 3, False), (4, 2_000, True), (5, 100, False), (6, 4, False),
    ]  # fmt: skip
    assert found[2].data == b"x" * len(found[2].data)
    assert len(found[2].data) <= HEAD


async def test_a_line_that_comes_byte_by_byte_takes_no_more_than_its_size() -> None:
    tracemalloc.start()
    try:
        [line] = await read(Body(b"x" for _ in range(20_000)), 1 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert line.size == 20_000
    assert peak < 220_000


async def test_a_line_that_drips_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndjson, "LINE_S", 0.05)
    with pytest.raises(CallerError, match="did not end"):
        await read(Body((b"x" for _ in range(10_000)), 0.005), 1 << 20)
    slow = (b"x\n" for _ in range(20))
    assert len(await read(Body(slow, 0.01), 1 << 20)) == 20
