"""Triggering tasks: one run, or many at once."""

from __future__ import annotations

import random
from typing import Final

from starlette.responses import Response

from mainspring.ids import IdSource
from mainspring.model.run import PAYLOAD_LIMIT
from mainspring.server.answers import json
from mainspring.server.asking import trigger
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Route
from mainspring.wire import tokens, triggers

ONE: Final = 2 * PAYLOAD_LIMIT + 1024 * 1024
"""Bytes of a body with one payload: as text inside JSON it may need twice its size."""
MANY: Final = 32 * 1024 * 1024

_ids: Final = IdSource(random.SystemRandom())


async def one(exchange: Exchange) -> Response:
    """`POST /api/v1/tasks/{task}/trigger`."""
    (task,) = exchange.parameters
    request = triggers.trigger(task, await exchange.json(ONE), exchange.request_key)
    (answer,) = await trigger(exchange, [request])
    headers = _token(exchange, tokens.of_run(answer.run_id))
    return json({"id": answer.run_id, "isCached": answer.cached}, headers=headers)


async def many(exchange: Exchange) -> Response:
    """`POST /api/v2/tasks/batch`, and the older `POST /api/v1/tasks/{task}/batch`."""
    task = exchange.parameters[0] if exchange.parameters else None
    requests = triggers.batch(await exchange.json(MANY), task, exchange.request_key)
    batch_id = _ids.new("batch", exchange.clock.now(), exchange.env.shard_id)
    for request in requests:
        request.options.batch_id = batch_id
    answers = await trigger(exchange, requests)
    runs = [{"id": answer.run_id, "isCached": answer.cached} for answer in answers]
    headers = _token(exchange, tokens.of_batch(batch_id))
    return json({"id": batch_id, "runCount": len(runs), "runs": runs}, 202, headers)


def _token(exchange: Exchange, scopes: tuple[str, ...]) -> dict[str, str]:
    """The public token that SDKs of the wire contract expect, and fail without; others get none."""
    if exchange.header("trigger-version") is None:
        return {}
    now_s = exchange.clock.now() // 1000
    signed = tokens.token(exchange.signing_key, exchange.environment_id, scopes, now_s)
    return {tokens.HEADER: signed}


ROUTES: Final = (
    Route("POST", "/api/v1/tasks/{task}/trigger", one),
    Route("POST", "/api/v1/tasks/{task}/batch", many),
    Route("POST", "/api/v2/tasks/batch", many),
)
