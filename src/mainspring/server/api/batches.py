"""Batches: made, filled by a stream of items, read."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from starlette.responses import Response, StreamingResponse

from mainspring.errors import CallerError, NotBuilt, PayloadTooLarge
from mainspring.model import limits
from mainspring.model.run import TriggerOptions, TriggerRequest
from mainspring.server import answers
from mainspring.server.answers import json
from mainspring.server.api.tasks import ONE
from mainspring.server.asking import ask, traced
from mainspring.server.exchange import Exchange
from mainspring.server.guard import Refusal
from mainspring.server.ndjson import TYPES, Line, lines
from mainspring.server.routes import Route
from mainspring.wire import batches, calls, plain, runs, tokens, triggers
from mainspring.wire.moments import iso

AT_ONCE: Final = 200
BYTES_AT_ONCE: Final = 1024 * 1024
"""Items, and bytes of them, that are collected before they become runs."""
_STATUS: Final = {
    "pending": "PENDING",
    "processing": "PROCESSING",
    "completed": "COMPLETED",
    "partial_failed": "PARTIAL_FAILED",
    "aborted": "ABORTED",
}
_HEAD: Final = re.compile(rb'\{\s*"index"\s*:\s*(\d{1,9})\s*,\s*"task"\s*:\s*("(?:[^"\\]|\\.)*")')


async def create(exchange: Exchange) -> Response:
    """`POST /api/v3/batches`: the first of two phases."""
    body = _read(await exchange.json(), batches.CreateBatchBody)
    if not 0 < body.run_count <= limits.BATCH:
        raise CallerError(
            f"Body Error: runCount is {body.run_count}; 1 to {limits.BATCH} are allowed."
        )
    if body.resume_parent_on_completion is True:
        raise NotBuilt("resumeParentOnCompletion: waiting for a batch of another SDK's task.")
    named = body.task_identifiers or [""]
    exchange.allow_all("batchTrigger", [("tasks", task) for task in named])
    asked = _asked(body)
    asked.request_key = exchange.repeat_key
    made = await ask(exchange, asked, calls.BatchMade)
    shown = batches.BatchCreated(made.id, made.run_count, made.cached, body.idempotency_key)
    in_browser = exchange.header("x-trigger-client") == "browser"
    headers = exchange.token_headers(tokens.of_batch(made.id, filling=in_browser))
    return json(shown, 200 if made.cached else 202, headers)


def _asked(body: batches.CreateBatchBody) -> calls.CreateBatch:
    """What the body asks of the engine. Raises: InvalidOptions."""
    taken = TriggerOptions()
    for name, value in (
        ("idempotencyKey", body.idempotency_key),
        ("idempotencyKeyOptions", body.idempotency_key_options),
        ("parentRunId", body.parent_run_id),
    ):
        if value is not msgspec.UNSET:
            triggers.take_one(taken, name, value)
    return calls.CreateBatch(
        body.run_count, taken.parent_id, taken.idempotency_key, taken.idempotency_shown
    )


async def fill(exchange: Exchange) -> Response:
    """`POST /api/v3/batches/{batch}/items`: the second phase, any number of times.

    What came before a line that is refused is in; nothing of it comes twice by sending it again.
    """
    (batch_id,) = exchange.parameters
    kind = (exchange.header("content-type") or "").partition(";")[0].strip().lower()
    if kind not in TYPES:
        told = f"Content-Type must be {' or '.join(TYPES)}; found {kind[:60] or 'none'}."
        return answers.refused(Refusal(415, told))
    filling = _Filling(exchange, batch_id)
    try:
        async for line in lines(exchange, ONE):
            await filling.add(line)
    except CallerError:
        await filling.flush()
        raise
    filling.allow_nothing()
    last = await filling.flush(ask_in_any_case=True)
    assert last is not None
    shown = batches.ItemsTaken(
        batch_id, filling.accepted, filling.deduplicated, last.sealed, last.run_count
    )
    if not last.sealed:
        shown.enqueued_count, shown.expected_count = last.received, last.run_count
    return json(shown)


class _Filling:
    """Items on their way from lines to runs."""

    def __init__(self, exchange: Exchange, batch_id: str) -> None:
        self.accepted = 0
        self.deduplicated = 0
        self._exchange = exchange
        self._batch_id = batch_id
        self._items: list[calls.BatchItem] = []
        self._size = 0
        self._allowed: set[str] = set()

    async def add(self, line: Line) -> None:
        """Take a line. Raises: CallerError that names it; 400 for no JSON, 422 for no item."""
        item = _oversized(line) if line.is_cut else _item(line)
        if item.request.task not in self._allowed:
            self._allow(item.request.task)
        self._items.append(item)
        self._size += line.size
        if len(self._items) >= AT_ONCE or self._size >= BYTES_AT_ONCE:
            await self.flush()

    def allow_nothing(self) -> None:
        """A stream without items tells about the batch, too. Raises: Forbidden."""
        if not self._allowed:
            self._allow("")

    def _allow(self, task: str) -> None:
        if not self._exchange.caller.covers("write", [("batch", self._batch_id)]):
            self._exchange.allow("batchTrigger", ("tasks", task))
        self._allowed.add(task)

    async def flush(self, *, ask_in_any_case: bool = False) -> calls.ItemsAdded | None:
        """Have runs made of what is collected; what the batch is like then."""
        if not self._items and not ask_in_any_case:
            return None
        items, self._items, self._size = self._items, [], 0
        traced(self._exchange, [item.request.options for item in items])
        request = calls.AddItems(self._batch_id, items)
        added = await ask(self._exchange, request, calls.ItemsAdded)
        self.accepted += added.accepted
        self.deduplicated += added.deduplicated
        return added


def _item(line: Line) -> calls.BatchItem:
    value = plain.read(line.data, f"text of line {line.number}")
    return triggers.item(value, line.number)


def _oversized(line: Line) -> calls.BatchItem:
    """An item whose line is too long to be read; SDKs write index and task first."""
    told = f"Line {line.number} has over {ONE:,} bytes; upload its payload before, or send less."
    head = _HEAD.match(line.data)
    if head is None:
        raise PayloadTooLarge(told)
    request = TriggerRequest(msgspec.json.decode(head[2], type=str))
    return calls.BatchItem(int(head[1]), request, told, "PAYLOAD_TOO_LARGE")


async def retrieve(exchange: Exchange) -> Response:
    """`GET /api/v2/batches/{batch}`, and the older v1."""
    (batch_id,) = exchange.parameters
    exchange.allow("read", ("batch", batch_id), ("runs", ""))
    state = await ask(exchange, calls.RetrieveBatch(batch_id), calls.BatchState)
    errors = [
        batches.ShownError(error.number, error.task, error.error, error.code)
        for error in state.errors
    ]
    processing = batches.Processing(errors)
    if state.sealed_at is not None:
        processing.completed_at = iso(state.sealed_at)
    shown = batches.ShownBatch(
        state.id,
        _STATUS[state.status],
        iso(state.created_at),
        iso(state.updated_at),
        state.run_count,
        state.runs,
        processing,
    )
    if state.idempotency_key is not None:
        shown.idempotency_key = state.idempotency_key
    return json(shown)


async def results(exchange: Exchange) -> Response:
    """`GET /api/v1/batches/{batch}/results`: of the runs that have ended, in the order of items."""
    (batch_id,) = exchange.parameters
    exchange.allow("read", ("batch", batch_id), ("runs", ""))
    page = await ask(exchange, calls.ListBatchRuns(batch_id), calls.BatchRuns)
    return StreamingResponse(_results(exchange, batch_id, page), 200, None, answers.JSON)


async def _results(
    exchange: Exchange, batch_id: str, page: calls.BatchRuns
) -> AsyncIterator[bytes]:
    """The answer page by page, so that no more than one page of outputs is in memory."""
    begin = b'{"id":' + msgspec.json.encode(batch_id) + b',"items":['
    while True:
        shown = [found for run in page.runs if (found := runs.result(run)) is not None]
        if shown:
            yield begin + msgspec.json.encode(shown)[1:-1]
            begin = b","
        if page.next is None:
            break
        request = calls.ListBatchRuns(batch_id, page.next)
        page = await ask(exchange, request, calls.BatchRuns)
    yield b"]}" if begin == b"," else begin + b"]}"


def _read(value: Any, into: type[batches.CreateBatchBody]) -> batches.CreateBatchBody:
    try:
        return msgspec.convert(value, into)
    except msgspec.ValidationError as error:
        raise CallerError(f"Body Error: {error}.") from error


ROUTES: Final = (
    Route(
        "POST",
        "/api/v3/batches",
        create,
        public=True,
        action="trigger",
        resource="tasks",
        takes=batches.CreateBatchBody,
        gives=batches.BatchCreated,
        status=202,
    ),
    Route(
        "POST",
        "/api/v3/batches/{batch}/items",
        fill,
        public=True,
        uses_up=False,
        lasts=True,
        action="trigger",
        resource="tasks",
        gives=batches.ItemsTaken,
    ),
    Route("GET", "/api/v2/batches/{batch}", retrieve, public=True, gives=batches.ShownBatch),
    Route("GET", "/api/v1/batches/{batch}", retrieve, public=True, gives=batches.ShownBatch),
    Route("GET", "/api/v1/batches/{batch}/results", results, public=True),
)
