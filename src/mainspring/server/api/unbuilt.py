"""Routes of the wire contract that this release does not have yet: 501 with a code, never 404."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from mainspring.errors import NotBuilt
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Route


async def unbuilt(exchange: Exchange) -> Response:
    """Says so."""
    scope = exchange.scope
    raise NotBuilt(f"{scope['method']} {scope['path']} is not built yet in this release.")


_PATHS: Final = """
POST /api/v1/auth/oidc/token
GET /api/v1/queues/{queue}/metrics
GET /api/v1/concurrency-limits
GET /api/v1/concurrency-limits/{limit}
POST /api/v1/concurrency-limits/{limit}/override
POST /api/v1/concurrency-limits/{limit}/pause
POST /api/v1/concurrency-limits/{limit}/reset
POST /api/v1/query
GET /api/v1/query/schema
GET POST /api/v1/query/dashboards
GET /api/v1/prompts
POST /api/v1/prompts/{slug}
GET /api/v1/prompts/{slug}/versions
POST /api/v1/prompts/{slug}/promote
POST PUT DELETE /api/v1/prompts/{slug}/override
POST /api/v1/prompts/{slug}/override/reactivate
GET /api/v1/webhooks/endpoints
GET /api/v1/webhooks/endpoints/{endpoint}
POST /api/v1/webhooks/endpoints/{endpoint}/rotate-secret
PUT /api/v1/webhooks/endpoints/{endpoint}/secret
POST /api/v1/webhooks/endpoints/{endpoint}/enable
POST /api/v1/webhooks/endpoints/{endpoint}/disable
GET /api/v1/webhooks/deliveries
GET /api/v1/webhooks/deliveries/{delivery}
POST /api/v1/webhooks/deliveries/{delivery}/replay
POST /webhooks/v1/ingest/{endpoint}
GET POST /api/v1/sessions
GET PATCH /api/v1/sessions/{session}
POST /api/v1/sessions/{session}/close
POST /api/v1/sessions/{session}/end-and-continue
GET PUT /api/v1/sessions/{session}/snapshot-url
GET /api/v1/sessions/{session}/transcript
GET PUT /realtime/v1/sessions/{session}/{side}
POST /realtime/v1/sessions/{session}/{side}/append
GET /realtime/v1/sessions/{session}/{side}/records
"""


def _routes() -> tuple[Route, ...]:
    found = []
    for line in _PATHS.split("\n"):
        *methods, path = line.split() or [""]
        found += [Route(method, path, unbuilt, status=501) for method in methods]
    return tuple(found)


ROUTES: Final = _routes()
