"""The API describes itself: as OpenAPI for programs, and as a page for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from importlib import resources
from typing import Final

import msgspec
from starlette.responses import Response

from mainspring.errors import NotFound
from mainspring.server.answers import JSON
from mainspring.server.exchange import Exchange
from mainspring.server.openapi import describe
from mainspring.server.routes import Handler, Route

_KINDS: Final = {
    "index.html": "text/html",
    "viewer.css": "text/css",
    "viewer.js": "text/javascript",
}
_PAGE: Final = {
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "referrer-policy": "no-referrer",
}


def routes(described: Iterable[Route]) -> tuple[Route, ...]:
    """Where these routes are described. Nobody needs a key to read it."""
    return (
        Route("GET", "/openapi.json", _document(tuple(described)), open=True),
        Route("GET", "/docs", page, open=True),
        Route("GET", "/docs/{file}", page, open=True),
    )


def _document(described: tuple[Route, ...]) -> Handler:
    encode: Callable[[], bytes] = cache(lambda: msgspec.json.encode(describe(described)))

    async def document(exchange: Exchange) -> Response:
        """`GET /openapi.json`."""
        return Response(encode(), media_type=JSON)

    return document


async def page(exchange: Exchange) -> Response:
    """`GET /docs` and its files. Raises: NotFound."""
    name = exchange.parameters[0] if exchange.parameters else "index.html"
    if name not in _KINDS:
        raise NotFound(f"The description has no file {name[:80]!r}.")
    file = resources.files("mainspring.server") / "viewer" / name
    return Response(file.read_bytes(), 200, _PAGE, _KINDS[name])
