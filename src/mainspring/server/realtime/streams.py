"""Streams of runs over HTTP: readers' events, and what others than workers write."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from typing import Any, Final

import msgspec
from msgspec import Struct
from starlette.responses import Response

from mainspring.errors import CallerError, NotFound, PayloadTooLarge
from mainspring.model.limits import CHUNK_LIMIT
from mainspring.server.answers import json
from mainspring.server.asking import ask
from mainspring.server.exchange import Exchange
from mainspring.server.ndjson import lines
from mainspring.server.realtime.streams_pump import Place, Pumps
from mainspring.server.realtime.streams_reader import StreamReader
from mainspring.server.routes import Route
from mainspring.wire import calls, plain

LATEST: Final = "x-trigger-stream-start"
IDLE: Final = "timeout-seconds"
LONGEST_S: Final = 600
MANY: Final = 500
"""Chunks that are written at once."""
TARGETS: Final = ("self", "parent", "root")


class Announced(Struct):
    """How a stream is written: `v1` = as lines, to the same address."""

    version: str


class Appended(Struct):
    """The chunk is stored."""

    ok: bool


async def read(exchange: Exchange) -> Response:
    """`GET /realtime/v1/streams/{run}/{key}`: events with what the run writes, as it comes."""
    return await _read(exchange, *exchange.parameters)


async def read_input(exchange: Exchange) -> Response:
    """`GET …/{run}/input/{key}`: events with what was sent to the run."""
    return await _read(exchange, *exchange.parameters, input=True)


async def read_of(exchange: Exchange) -> Response:
    """`GET …/{run}/{target}/{key}`: the stream of the run or of a relative. `HEAD`: how far a
    writer, named by `X-Client-Id`, has come.
    """
    run_id, key = await _aimed(exchange)
    if exchange.scope["method"] != "HEAD":
        return await _read(exchange, run_id, key)
    head = await ask(exchange, calls.FindStream(run_id, key, _client(exchange)), calls.StreamHead)
    return Response(headers={"x-last-chunk-index": str(head.place)})


async def announce(exchange: Exchange) -> Response:
    """`PUT …/{run}/{target}/{key}`: the run has such a stream from now on."""
    run_id, key = await _aimed(exchange)
    request = calls.AppendChunks(run_id, key, [], _client(exchange))
    await ask(exchange, request, calls.StreamHead)
    return json({"version": "v1"}, 202, {"x-stream-version": "v1"})


async def announce_input(exchange: Exchange) -> Response:
    """`PUT …/{run}/input/{key}`: an input stream needs no announcement."""
    place = await _place(exchange, exchange.parameters[0], "write")
    if place.status:
        raise CallerError(f"Run {place.run_id} has ended; it takes no more inputs.")
    return json({"version": "v1"}, 202, {"x-stream-version": "v1"})


async def write(exchange: Exchange) -> Response:
    """`POST …/{run}/{target}/{key}`: chunks, each a line of JSON, stored while they come."""
    run_id, key = await _aimed(exchange)
    first = exchange.header("x-resume-from-chunk") or "0"
    if not (first.isascii() and first.isdigit() and len(first) < 10):
        raise CallerError(f"X-Resume-From-Chunk is {first[:20]!r}; expected a number from 0 on.")
    pen = _Pen(exchange, run_id, key, _client(exchange), int(first))
    try:
        async for line in lines(exchange, CHUNK_LIMIT):
            if line.is_cut:
                raise PayloadTooLarge(
                    f"Line {line.number} has {line.size:,} bytes; {CHUNK_LIMIT:,} are allowed."
                )
            value = plain.read(line.data, f"line {line.number}")
            await pen.write(plain.write(value, f"line {line.number}"))
        await pen.close()
    finally:
        pen.drop()
    return json({"ok": True})


async def append(exchange: Exchange) -> Response:
    """`POST …/{run}/{target}/{key}/append`: the body, as it is, is one chunk of text."""
    run_id, key = await _aimed(exchange)
    data = await exchange.body(CHUNK_LIMIT)
    try:
        chunk = plain.write(data.decode(), "chunk")
    except UnicodeDecodeError as error:
        raise CallerError(f"The body is no text in UTF-8: {error}.") from error
    part = exchange.header("x-part-id") or exchange.request_key
    request = calls.AppendChunks(run_id, key, [chunk], _named("part", part))
    await ask(exchange, request, calls.StreamHead)
    return json({"ok": True})


async def _read(exchange: Exchange, run_id: str, key: str, *, input: bool = False) -> Response:
    await _place(exchange, run_id, "read")
    place = Place(exchange.env, run_id, key, input)
    first = await _first(exchange, place)
    pumps = Pumps.of(exchange.engine, exchange.stopping)
    return StreamReader(pumps, place, first, _idle(exchange))


async def _first(exchange: Exchange, place: Place) -> int:
    """The number at which reading begins; the stream's name is looked at, too."""
    last = exchange.header("last-event-id")
    if last:
        number = last.removeprefix("-")
        if not (number.isascii() and number.isdigit() and len(number) < 16):
            raise CallerError(f"Last-Event-ID is {last[:40]!r}; expected the number of a chunk.")
        first = max(int(last) + 1, 0)
    else:
        first = -1 if exchange.header(LATEST) == "latest" else 0
    page = await ask(exchange, place.ask(first, limit=1), calls.StreamPage)
    return page.next if first < 0 else first


def _idle(exchange: Exchange) -> float | None:
    """After how much silence a reader wants to be sent away."""
    wanted = exchange.header(IDLE)
    if wanted is None:
        return None
    if not (wanted.isascii() and wanted.isdigit() and 1 <= int(wanted[:9]) <= LONGEST_S):
        raise CallerError(f"Timeout-Seconds is {wanted[:20]!r}; expected 1 to {LONGEST_S}.")
    return float(wanted)


async def _aimed(exchange: Exchange) -> tuple[str, str]:
    """The run whose stream is meant, and the stream."""
    run_id, target, key = exchange.parameters
    if target not in TARGETS:
        raise NotFound(f"A stream is one of {', '.join(TARGETS)}, not of {target[:40]!r}.")
    action = "read" if exchange.scope["method"] in ("GET", "HEAD") else "write"
    place = await _place(exchange, run_id, action)
    relative = {"self": run_id, "parent": place.parent_id, "root": place.root_id}[target]
    if relative is not None and relative != run_id:
        await _place(exchange, relative, action)  # who may see a run may not all around it
    return relative or run_id, key


async def _place(exchange: Exchange, run_id: str, action: str) -> calls.RunPlace:
    """What the run belongs to, if the caller may do this to it. Raises: NotFound, Forbidden."""
    place = await ask(exchange, calls.FindRun(run_id), calls.RunPlace)
    resources = [("runs", run_id), ("tasks", place.task), *(("tags", tag) for tag in place.tags)]
    if place.batch_id is not None:
        resources.append(("batch", place.batch_id))
    exchange.allow(action, *resources)
    return place


def _client(exchange: Exchange) -> str:
    return _named("client", exchange.header("x-client-id"))


def _named(kind: str, name: str | None) -> str:
    """The writer of that name; without one nobody can repeat what it writes."""
    text = secrets.token_hex(16) if name is None else hashlib.sha256(name.encode()).hexdigest()
    return f"{kind}:{text[:32]}"


class _Pen:
    """Writes lines as they come, those in one go that came while others were being stored."""

    def __init__(self, exchange: Exchange, run_id: str, key: str, writer: str, first: int) -> None:
        self._exchange = exchange
        self._request = calls.AppendChunks(run_id, key, [], writer, first)
        self._waiting: list[str] = []
        self._task: asyncio.Task[Any] | None = None

    async def write(self, chunk: str) -> None:
        """Take a chunk. Raises: what went wrong with those before."""
        self._waiting.append(chunk)
        if self._task is not None and (self._task.done() or len(self._waiting) >= MANY):
            await self._task
            self._task = None
        if self._task is None:
            self._task = asyncio.create_task(self._store(), name="stream writer")

    async def close(self) -> None:
        """Return once everything is stored."""
        if self._task is not None:
            await self._task
        if self._waiting:
            await self._store()

    def drop(self) -> None:
        """Store no more."""
        if self._task is not None:
            self._task.cancel()

    async def _store(self) -> None:
        while self._waiting:
            chunks, self._waiting = self._waiting[:MANY], self._waiting[MANY:]
            request = msgspec.structs.replace(self._request, chunks=chunks)
            self._request.first += len(chunks)
            await ask(self._exchange, request, calls.StreamHead)


_STREAM: Final = "/realtime/v1/streams/{run}/{target}/{key}"
ROUTES: Final = (
    Route("GET", "/realtime/v1/streams/{run}/{key}", read, public=True, lasts=True),
    Route("GET", "/realtime/v1/streams/{run}/input/{key}", read_input, public=True, lasts=True),
    Route(
        "PUT", "/realtime/v1/streams/{run}/input/{key}", announce_input, gives=Announced, status=202
    ),
    Route("GET", _STREAM, read_of, public=True, lasts=True),
    Route("PUT", _STREAM, announce, gives=Announced, status=202),
    Route("POST", _STREAM, write, lasts=True, gives=Appended),
    Route("POST", f"{_STREAM}/append", append, takes=str, gives=Appended),
)
