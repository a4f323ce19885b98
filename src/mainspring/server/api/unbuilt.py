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
POST /api/v1/auth/jwt
POST /api/v1/auth/jwt/claims
POST /api/v1/auth/public-tokens
POST /api/v1/auth/oidc/token
GET PUT /api/v1/packets/{path}
PUT /api/v2/packets/{path}
GET /api/v1/runs/{run}/packets/{name}
POST /api/v3/batches
POST /api/v3/batches/{batch}/items
GET /api/v2/batches/{batch}
GET /api/v1/batches/{batch}/results
GET /api/v1/runs/{run}/trace
GET /api/v1/runs/{run}/spans/{span}
GET POST /api/v1/bulk-actions
GET /api/v1/bulk-actions/{action}
POST /api/v1/bulk-actions/{action}/abort
GET /api/v1/projects/{project}/runs
GET POST /api/v1/schedules
GET PUT DELETE /api/v1/schedules/{schedule}
POST /api/v1/schedules/{schedule}/activate
POST /api/v1/schedules/{schedule}/deactivate
GET /api/v1/timezones
GET /api/v1/queues/{queue}/metrics
GET /api/v1/concurrency-limits
GET /api/v1/concurrency-limits/{limit}
POST /api/v1/concurrency-limits/{limit}/override
POST /api/v1/concurrency-limits/{limit}/pause
POST /api/v1/concurrency-limits/{limit}/reset
GET POST /api/v1/projects/{project}/envvars/{env}
GET PUT DELETE /api/v1/projects/{project}/envvars/{env}/{name}
POST /api/v1/projects/{project}/envvars/{env}/import
GET /api/v1/deployments
GET /api/v1/deployments/current
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
GET /realtime/v1/runs
GET /realtime/v1/runs/{run}
GET /realtime/v1/batches/{batch}
GET /realtime/v1/streams/{run}/{key}
GET PUT /realtime/v1/streams/{run}/input/{key}
GET PUT POST /realtime/v1/streams/{run}/{target}/{key}
POST /realtime/v1/streams/{run}/{target}/{key}/append
GET PUT /realtime/v1/sessions/{session}/{side}
POST /realtime/v1/sessions/{session}/{side}/append
GET /realtime/v1/sessions/{session}/{side}/records
"""


def _routes() -> tuple[Route, ...]:
    found = []
    for line in _PATHS.split("\n"):
        *methods, path = line.split() or [""]
        found += [Route(method, path, unbuilt) for method in methods]
    return tuple(found)


ROUTES: Final = _routes()
