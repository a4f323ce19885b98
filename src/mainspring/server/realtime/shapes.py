"""The shapes of the wire contract: runs as a long poll that any server can answer at any time.

Nothing is kept for a client. Its offset is the number of a commit; an answer is every row that
later ones have changed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mainspring.errors import CallerError, InvalidOptions, NotFound
from mainspring.model.run import Run
from mainspring.server.answers import JSON
from mainspring.server.asking import ask
from mainspring.server.exchange import Exchange
from mainspring.server.realtime import shape
from mainspring.server.routes import Route
from mainspring.server.watch.reader import Found, Reader
from mainspring.server.watch.rest import rest
from mainspring.server.watch.subject import Subject
from mainspring.wire import calls
from mainspring.wire.moments import duration_ms, is_duration, moment_ms

WINDOW_MS: Final = 24 * 3_600_000
"""How old the runs of a list by tags may be, unless it says so."""
GATHER_S: Final = 0.05
"""Changes of a list that come within so long of one another are told together."""
TAGS: Final = 100
_BAD: Final = re.compile(r'[\x00-\x1f\x7f"\\]')


class Question:
    """What the client asks of a shape, as it says in the query."""

    def __init__(self, exchange: Exchange) -> None:
        query = exchange.query
        self.change = shape.read_offset(query.get("offset", str(shape.START)))
        self.live = query.get("live") == "true" and self.change != shape.START
        self.asked = query.get("handle") if self.change != shape.START else None
        self.handle = shape.read_handle(self.asked) if self.asked is not None else None
        own = ",".join(exchange.caller.skip_columns)  # the token's word wins
        self.skip = shape.skipped(own or query.get("skipColumns", ""))


async def of_run(exchange: Exchange) -> Response:
    """`GET /realtime/v1/runs/{run}`."""
    (run_id,) = exchange.parameters
    question = Question(exchange)
    subject = Subject(exchange.env.env_id, run_id=run_id)
    reader = exchange.realtime.reader(exchange.env, subject)
    try:
        row = await reader.one()
        if row is None and not reader.watch.closed:
            raise NotFound("Not found")
        if row is not None:
            run = row.run
            exchange.allow("read", *resources(run))
    except BaseException:
        exchange.realtime.leave(reader.watch)
        raise
    return _answer(exchange, question, reader, 0)


async def of_tags(exchange: Exchange) -> Response:
    """`GET /realtime/v1/runs`: all of the tags, not older than the window of the first question."""
    question = Question(exchange)
    tags = tag_list(exchange.query.get("tags", "").split(","))
    if tags:
        exchange.allow("read", *(("tags", tag) for tag in tags))
    else:
        exchange.allow("read", ("runs", ""))
    now = exchange.clock.now()
    since = created_from(exchange.query.get("createdAt"), now)
    if question.handle is not None:
        since = question.handle.created_from
    subject = Subject(exchange.env.env_id, tags=tags, created_from=since)
    reader = exchange.realtime.reader(exchange.env, subject)
    return _answer(exchange, question, reader, since)


async def of_batch(exchange: Exchange) -> Response:
    """`GET /realtime/v1/batches/{batch}`."""
    (batch_id,) = exchange.parameters
    question = Question(exchange)
    exchange.allow("read", ("batch", batch_id))
    if question.change == shape.START:
        await ask(exchange, calls.RetrieveBatch(batch_id), calls.BatchState)
    subject = Subject(exchange.env.env_id, batch_id=batch_id)
    reader = exchange.realtime.reader(exchange.env, subject)
    return _answer(exchange, question, reader, 0)


def resources(run: Run) -> list[tuple[str, str]]:
    """As what a caller may be allowed to see a run."""
    found = [("runs", run.id), ("tasks", run.task), *(("tags", tag) for tag in run.tags)]
    if run.batch_id:
        found.append(("batch", run.batch_id))
    return found


def tag_list(texts: Sequence[str]) -> tuple[str, ...]:
    """Tags that a list is asked by, each once. Raises: CallerError."""
    tags = tuple(dict.fromkeys(tag for tag in texts if tag))
    if len(tags) > TAGS or any(_BAD.search(tag) for tag in tags):
        raise CallerError(
            f"Query Error: tags are up to {TAGS} texts without control characters, backslashes "
            'and ".'
        )
    return tags


def created_from(text: str | None, now: int) -> int:
    """The bound of a list: a duration before now, or a date. Raises: CallerError."""
    if text is None:
        return now - WINDOW_MS
    if is_duration(text):
        return max(now - duration_ms(text), 0)
    try:
        return moment_ms(text)
    except InvalidOptions as error:
        raise CallerError(f"Query Error: createdAt: {error.message}.") from error


def _answer(exchange: Exchange, question: Question, reader: Reader, since: int) -> Response:
    now = exchange.clock.now()
    handle = question.handle or shape.Handle(since, now)
    stale = question.asked is not None and question.handle is None
    if stale or question.change >> shape.EPOCH_BITS > reader.last >> shape.EPOCH_BITS:
        # made by another program, or by a database that was put back to an older state
        exchange.realtime.leave(reader.watch)
        after = question.handle.made_at if question.handle is not None else 0
        headers = {"electric-handle": str(shape.Handle(since, max(now, after + 1)))}
        return Response(shape.MUST_REFETCH, 409, headers, JSON)
    return Shape(exchange, question, reader, handle)


class Shape(Response):
    """An answer that may be held; written without a task, and given up when the client goes."""

    def __init__(
        self, exchange: Exchange, question: Question, reader: Reader, handle: shape.Handle
    ) -> None:
        self.status_code = 200
        self.background = None
        self._hub = exchange.realtime
        self._question = question
        self._reader = reader
        self._handle = handle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            found = await self._found(receive)
            if found is not None:
                await self._send(found, send)
        finally:
            self._hub.leave(self._reader.watch)

    async def _found(self, receive: Receive) -> Found | None:
        """What is to be told; None when nobody listens any more. Raises: StoreUnavailable."""
        question, reader = self._question, self._reader
        until = asyncio.get_running_loop().time() + self._hub.hold()
        while True:
            found = await reader.since(question.change)
            if found.rows or not question.live or reader.watch.closed:
                return found
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                return found
            if not await rest(receive, reader.watch, left):
                return None
            if reader.watch.rung and not reader.subject.run_id:
                await asyncio.sleep(GATHER_S)

    async def _send(self, found: Found, send: Send) -> None:
        question = self._question
        skip, operation = question.skip, "update"
        if question.change == shape.START:
            operation = "insert"
        messages = [
            shape.message(row.form(skip, lambda run: shape.row(run, skip)), row.run.id, operation)
            for row in found.rows
        ]
        body = shape.body(messages)
        headers = {
            "content-type": JSON,
            "content-length": str(len(body)),
            "electric-handle": str(self._handle),
            "electric-offset": shape.offset(found.change),
        }
        if question.live:
            headers["electric-cursor"] = str(found.change)
        else:
            headers["electric-schema"] = shape.schema(skip)
            headers["electric-up-to-date"] = "true"
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        await send({"type": "http.response.body", "body": body})


ROUTES: Final = (
    Route("GET", "/realtime/v1/runs", of_tags, public=True, lasts=True),
    Route("GET", "/realtime/v1/runs/{run}", of_run, public=True, lasts=True),
    Route("GET", "/realtime/v1/batches/{batch}", of_batch, public=True, lasts=True),
)
