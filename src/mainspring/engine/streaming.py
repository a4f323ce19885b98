"""Answers about the streams of runs: checks, then the verb or the rows. No rules of theirs."""

from __future__ import annotations

import asyncio
from typing import Final, assert_never

import msgspec

from mainspring.engine.gone import missing
from mainspring.engine.owner import Owner
from mainspring.engine.streams import AppendCall
from mainspring.errors import InvalidOptions, StoreUnavailable
from mainspring.model import limits
from mainspring.store.protocol import EnvironmentRow
from mainspring.store.streaming import PlaceRow
from mainspring.wire import calls
from mainspring.wire.streams import StreamRequest

CHUNKS: Final = 1_000
"""Chunks of one request, either way."""
LONGEST_MS: Final = 600_000

_texts: Final = msgspec.json.Decoder(tuple[str, ...]).decode


async def answer(
    owner: Owner, env: EnvironmentRow, request: StreamRequest, asker: str | None, epoch: int
) -> calls.StreamHead | calls.StreamPage | calls.RunPlace:
    """Answer one of these requests. Raises: as the function that answers it."""
    match request:
        case calls.AppendChunks():
            by = (asker, epoch) if asker is not None and epoch else None
            return await append(owner, env, request, by)
        case calls.FindStream():
            return await find(owner, env, request)
        case calls.ReadStream():
            return await read(owner, env, request)
        case calls.FindRun():
            return _shown(request.run_id, await _place(owner, env, request.run_id))
        case _:
            assert_never(request)


async def append(
    owner: Owner, env: EnvironmentRow, request: calls.AppendChunks, asker: tuple[str, int] | None
) -> calls.StreamHead:
    """Add chunks; returns once they are durable.

    Raises: NotFound, Conflict when the run has ended, InvalidOptions, InvalidPayload,
    PayloadTooLarge, FencedOut when the asking attempt is over.
    """
    limits.check_stream(request.stream)
    limits.check_text(request.writer, "the writer of a stream", limits.KEY_LENGTH)
    limits.check_number(len(request.chunks), "the number of chunks", 0, CHUNKS)
    for number in (request.first, request.since):
        limits.check_number(number, "the place of a chunk", 0, limits.LONGEST_MS)
    for chunk in request.chunks:
        limits.check_chunk(chunk)
    if request.writer.startswith("@"):
        raise InvalidOptions("The writer of a stream cannot begin with @; only a run's own does.")
    await _place(owner, env, request.run_id)
    future: asyncio.Future[calls.StreamHead] = asyncio.get_running_loop().create_future()
    owner.submit(
        AppendCall(
            request.run_id,
            request.stream,
            request.chunks,
            request.writer,
            request.first,
            request.since,
            asker,
            future,
        )
    )
    return await future


async def find(owner: Owner, env: EnvironmentRow, request: calls.FindStream) -> calls.StreamHead:
    """How far a stream has come. Raises: NotFound, InvalidOptions."""
    limits.check_stream(request.stream)
    await _place(owner, env, request.run_id)
    wanted = [(request.run_id, request.stream, request.writer)]
    [head] = await owner.store.streams.heads(owner.state.shard_id, wanted)
    return calls.StreamHead(head.next, head.place)


async def read(owner: Owner, env: EnvironmentRow, request: calls.ReadStream) -> calls.StreamPage:
    """What comes next in a stream, waiting for it if there is time.

    Raises: NotFound, InvalidOptions, StoreUnavailable when the run gets another owner meanwhile.
    """
    limits.check_stream(request.stream)
    if request.timeout_ms <= 0:
        return await _page(owner, env, request, request.first)
    run_id, first = request.run_id, request.first
    topic = ("input" if request.input else "stream", run_id, request.stream)
    watch = owner.feed.watch(topic, ("run", run_id))
    try:
        async with asyncio.timeout(min(request.timeout_ms, LONGEST_MS) / 1000):
            while True:
                page = await _page(owner, env, request, first)
                if page.chunks or page.ended:
                    return page
                first = page.next
                if not await watch.wait():
                    raise StoreUnavailable("The run has another owner now; repeat the request.")
    except TimeoutError:
        return calls.StreamPage([], first)
    finally:
        watch.close()


async def _page(
    owner: Owner, env: EnvironmentRow, request: calls.ReadStream, first: int
) -> calls.StreamPage:
    run_id, stream, shard_id = request.run_id, request.stream, owner.state.shard_id
    live = owner.state.lives.get(run_id)
    # asked before the chunks are read: after its end is durable a run writes nothing more
    ended = bool(
        (live is None or live.env_id != env.env_id) and (await _place(owner, env, run_id)).status
    )
    limit = max(1, min(request.limit, CHUNKS))
    if first < 0:
        first = await _next(owner, request)
    store = owner.store.streams
    if request.input:
        records = await store.records(shard_id, run_id, stream, first, limit)
        texts = [
            row.data if row.data is not None else await owner.objects.get(row.data_ref or "")
            for row in records
        ]
        chunks = [
            calls.Chunk(row.number, text, row.created_at)
            for row, text in zip(records, texts, strict=True)
        ]
    else:
        rows = await store.chunks(shard_id, run_id, stream, first, limit)
        chunks = [calls.Chunk(row.number, row.data, row.created_at, row.epoch) for row in rows]
    after = chunks[-1].number + 1 if chunks else first
    return calls.StreamPage(chunks, after, ended and len(chunks) < limit)


async def _next(owner: Owner, request: calls.ReadStream) -> int:
    """The number that the next chunk will have."""
    shard_id, place = owner.state.shard_id, (request.run_id, request.stream)
    if request.input:
        return (await owner.store.waitpoints.last_inputs(shard_id, [place]))[place]
    [head] = await owner.store.streams.heads(shard_id, [(*place, "")])
    return head.next


async def _place(owner: Owner, env: EnvironmentRow, run_id: str) -> PlaceRow:
    """Raises: NotFound, also for a run of another environment."""
    place = None
    if run_id.isascii() and "\0" not in run_id:  # no database could even look for another one
        place = await owner.store.streams.place(owner.state.shard_id, run_id)
    if place is None or place.env_id != env.env_id:
        raise missing(run_id)
    return place


def _shown(run_id: str, row: PlaceRow) -> calls.RunPlace:
    tags = _texts(row.tags) if row.tags else ()
    return calls.RunPlace(
        run_id, row.task, tags, row.batch_id, row.parent_id, row.root_id, row.status
    )
