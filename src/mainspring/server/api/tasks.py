"""Triggering tasks: one run, or many at once."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from mainspring.model.run import PAYLOAD_LIMIT
from mainspring.server.answers import json
from mainspring.server.asking import trigger, trigger_all
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Route
from mainspring.wire import calls, tokens, triggers

ONE: Final = 2 * PAYLOAD_LIMIT + 1024 * 1024
"""Bytes of a body with one payload: as text inside JSON it may need twice its size."""
MANY: Final = 32 * 1024 * 1024


async def one(exchange: Exchange) -> Response:
    """`POST /api/v1/tasks/{task}/trigger`."""
    (task,) = exchange.parameters
    exchange.allow("trigger", ("tasks", task))
    request = triggers.trigger(task, await exchange.json(ONE), exchange.request_key)
    (answer,) = await trigger(exchange, [request])
    headers = exchange.token_headers(tokens.of_run(answer.run_id))
    return json({"id": answer.run_id, "isCached": answer.cached}, headers=headers)


async def many(exchange: Exchange) -> Response:
    """`POST /api/v2/tasks/batch`, and the older `POST /api/v1/tasks/{task}/batch`."""
    task = exchange.parameters[0] if exchange.parameters else None
    requests = triggers.batch(await exchange.json(MANY), task)
    exchange.allow_all("batchTrigger", {("tasks", request.task): None for request in requests})
    made = await trigger_all(exchange, calls.Trigger(requests, as_batch=True))
    runs = [{"id": answer.run_id, "isCached": answer.cached} for answer in made.answers]
    headers = exchange.token_headers(tokens.of_batch(made.batch_id or ""))
    return json({"id": made.batch_id, "runCount": len(runs), "runs": runs}, 202, headers)


ROUTES: Final = (
    Route("POST", "/api/v1/tasks/{task}/trigger", one, public=True, action="trigger"),
    Route("POST", "/api/v1/tasks/{task}/batch", many, public=True, action="trigger"),
    Route("POST", "/api/v2/tasks/batch", many, public=True, action="trigger"),
)
