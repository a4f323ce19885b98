"""Many runs that are triggered together: one id for all of them, and their handles in order."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Coroutine, Iterable, Sequence
from typing import Any, Final, TypeVar

from mainspring.errors import InvalidOptions
from mainspring.model.limits import BATCH, KEY_LENGTH, check_text
from mainspring.sdk import transport
from mainspring.sdk.call import Call, client_of, prepared, send, send_sync
from mainspring.sdk.handles import Handle
from mainspring.sdk.journal import Journal, Place
from mainspring.sdk.kept import kept as as_step, request_key
from mainspring.sdk.local import blocking, journal_of_run
from mainspring.sdk.options import NONE, Resolved
from mainspring.sdk.spawn import kept_batch, named
from mainspring.wire.calls import (
    AddItems,
    BatchItem,
    BatchMade,
    CreateBatch,
    ItemsAdded,
    Trigger,
    Triggered,
)

R = TypeVar("R")
PIECE: Final = 500
PIECE_BYTES: Final = 4 * 1024 * 1024
"""Calls, and bytes of their payloads, that are sent at once."""


class Batch(list[Handle[R]]):
    """The handles of a batch in the order of the calls. `batches.retrieve(batch.id)` tells how it
    stands, wherever the id was taken.

    `id` is "" where there was nothing to trigger, or your own transaction makes the runs. `missing`
    are the places of calls that became no run in a batch that was sent piece by piece; they have
    no handle, and the batch tells why.
    """

    def __init__(
        self, id_: str = "", handles: Iterable[Handle[R]] = (), missing: Sequence[int] = ()
    ) -> None:
        super().__init__(handles)
        self.id = id_
        self.missing = tuple(missing)

    def __repr__(self) -> str:
        return f"<Batch {self.id} of {len(self)} runs>"


def send_batch(calls: Sequence[Call[R]], outer: Resolved = NONE) -> Coroutine[Any, Any, Batch[R]]:
    """Make a run for each call, all or none; inside a run its place in the journal is taken now.

    More than 1,000 are sent piece by piece, each of which is stored as a whole.
    """
    ready, connection = prepared(calls, outer, most=None)
    if connection is not None:
        return _of(send(ready))
    client = client_of(ready)
    if client is not None:
        return _elsewhere(client.transport, ready)
    if len(ready) > BATCH:
        return stream(ready)
    journal = journal_of_run() if ready else None
    if journal is None:
        return _send(ready)
    place = journal.place(f"trigger:{named([call.task for call in ready])}")
    return _send_kept(journal, place, ready)


def send_batch_sync(calls: Sequence[Call[R]], outer: Resolved = NONE) -> Batch[R]:
    """`send_batch` for blocking code."""
    if prepared(calls, outer, most=None)[1] is not None:
        return Batch("", send_sync(calls, outer))
    return blocking(send_batch(calls, outer))


async def _send(calls: Sequence[Call[R]]) -> Batch[R]:
    if not calls:
        return Batch()
    if len(calls) > BATCH:
        return await stream(calls)
    to = transport.current()
    request = Trigger([call.request() for call in calls], as_batch=True)
    told = await transport.ask(request, Triggered, to)
    return Batch(
        told.batch_id or "",
        [
            Handle(answer.run_id, call.decode, cached=answer.cached, transport=to)
            for call, answer in zip(calls, told.answers, strict=True)
        ],
    )


async def _send_kept(journal: Journal, place: Place, calls: Sequence[Call[R]]) -> Batch[R]:
    to = transport.active.get()
    answers, batch_id = await kept_batch(journal, place, [call.request() for call in calls])
    return Batch(
        batch_id or "",
        [
            Handle(answer.run_id, call.decode, cached=answer.cached, transport=to)
            for call, answer in zip(calls, answers, strict=True)
        ],
    )


async def _elsewhere(to: transport.Transport, calls: Sequence[Call[R]]) -> Batch[R]:
    with transport.elsewhere(to):
        return await _send(calls)


async def _of(handles: Coroutine[Any, Any, list[Handle[R]]]) -> Batch[R]:
    return Batch("", await handles)


async def stream(
    calls: Iterable[Call[R]] | AsyncIterable[Call[R]], *, idempotency_key: str | None = None
) -> Batch[R]:
    """Make a run for each call, any number, as they come.

    Each piece is stored as a whole and at once; a call that cannot be triggered takes no other one
    with it. With a key, a second attempt after a failure goes on in the same batch: no call that
    was stored is triggered again. Inside a run the batch is one step.
    """
    if idempotency_key is not None:
        check_text(idempotency_key, "idempotency_key", KEY_LENGTH)
    sending: _Sending[R] | None = None
    async for call in _each(calls):
        if sending is None:
            made = await as_step("create_batch", _create, idempotency_key)
            sending = _Sending(made.id)
        await sending.add(call)
    return Batch() if sending is None else await sending.end()


class _Sending(list[Handle[R]]):
    """A batch on its way, piece by piece."""

    def __init__(self, batch_id: str) -> None:
        super().__init__()
        self._id = batch_id
        self._to = transport.current()
        self._calls: list[Call[R]] = []
        self._items: list[BatchItem] = []
        self._bytes = 0
        self._count = 0
        self._missing: list[int] = []

    async def add(self, call: Call[R]) -> None:
        """Take a call, and send what has come together."""
        request = call.request()
        if call.resolved.connection is not None:
            raise InvalidOptions("A batch that is sent piece by piece takes no connection.")
        if self._items and self._bytes + len(request.payload) > PIECE_BYTES:
            await self._send(None)
        self._items.append(BatchItem(self._count, request))
        self._calls.append(call)
        self._bytes += len(request.payload)
        self._count += 1
        if len(self._items) == PIECE:
            await self._send(None)

    async def end(self) -> Batch[R]:
        """Send the rest, and say that it is the last."""
        await self._send(self._count)
        return Batch(self._id, self, self._missing)

    async def _send(self, total: int | None) -> None:
        calls, self._calls = self._calls, []
        items, self._items, self._bytes = self._items, [], 0
        request = AddItems(self._id, items, total)
        added = await transport.ask(request, ItemsAdded, self._to)
        cached = set(added.cached)
        for call, item, run_id in zip(calls, items, added.run_ids, strict=True):
            if run_id is None:
                self._missing.append(item.number)
            else:
                old = item.number in cached
                self.append(Handle(run_id, call.decode, cached=old, transport=self._to))


async def _create(idempotency_key: str | None) -> BatchMade:
    request = CreateBatch(idempotency_key=idempotency_key, request_key=request_key())
    return await transport.ask(request, BatchMade)


async def _each(calls: Iterable[Call[R]] | AsyncIterable[Call[R]]) -> AsyncIterator[Call[R]]:
    if isinstance(calls, AsyncIterable):
        async for call in calls:
            yield call
    else:
        for call in calls:
            yield call
