"""Figures for those who operate the server."""

from __future__ import annotations

from starlette.responses import Response

from mainspring.server.exchange import Exchange
from mainspring.server.measured import Measured
from mainspring.server.routes import Route
from mainspring.telemetry.metrics import CONTENT_TYPE


def routes(measured: Measured) -> tuple[Route, ...]:
    """Where the figures of one application are read, with a key."""

    async def metrics(exchange: Exchange) -> Response:
        """`GET /metrics`: figures of this server and of the key's environment, for Prometheus."""
        text = measured.text(exchange.engine.figures(exchange.env))
        return Response(text, media_type=CONTENT_TYPE)

    return (Route("GET", "/metrics", metrics, resource="metrics", gives=str),)
