"""The dashboard's files: one page under the names of all its views, and what the page loads.

Where they are not built, as in a checkout without Node, the plain pages stand in for them.
"""

from __future__ import annotations

import gzip
import re
from functools import lru_cache
from html import escape
from importlib import resources
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from mainspring.errors import NotFound
from mainspring.server import plain_html, session
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Route

FOLDER: Final = Path(str(resources.files("mainspring"))) / "dashboard"
# as in dashboard/src/router.tsx, which a test compares
VIEWS: Final = (
    "overview", "runs", "tasks", "test", "queues", "schedules", "approvals", "tokens", "batches",
    "errors", "logs", "charts", "deployments", "workers", "variables", "keys", "audit", "settings",
)  # fmt: skip
SECURITY: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
_HEADERS: Final = SECURITY | {"cache-control": "no-cache", "vary": "cookie, x-forwarded-prefix"}
_OF_PROGRAMS: Final = (b"/api/", b"/assets/", b"/realtime/", b"/webhooks/")
_FOREVER: Final = {"cache-control": "public, max-age=31536000, immutable"}
_KINDS: Final = {
    "js": "text/javascript",
    "css": "text/css",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
}
_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,120}")
_THEME: Final = re.compile(r"(?:^|; )mainspring-theme=(dark|light)(?:;|$)")


async def index(exchange: Exchange) -> Response:
    """Any view. It learns from its base where it stands, so that it works below any path."""
    text = _index(exchange.scope)
    if text is None:
        return RedirectResponse(f"{session.prefix(exchange.scope)}/plain", 303)
    return Response(text, 200, _HEADERS, "text/html")


def lost(scope: Scope) -> Response | None:
    """What a person is shown where nothing is; None for programs, which read JSON."""
    headers = Headers(scope=scope)
    if scope["method"] not in ("GET", "HEAD") or "text/html" not in headers.get("accept", ""):
        return None
    if scope["raw_path"].startswith(_OF_PROGRAMS):
        return None
    text = _index(scope)
    if text is None:
        text = plain_html.page(plain_html.no_page(), session.prefix(scope))
    return Response(text, 404, _HEADERS, "text/html")


def _index(scope: Scope) -> str | None:
    """The one page, for its place and in the chosen theme; None when it is not built."""
    try:
        text = (FOLDER / "index.html").read_text()
    except FileNotFoundError:
        return None
    text = text.replace('<base href="/"', f'<base href="{escape(session.prefix(scope))}/"', 1)
    chosen = _THEME.search(Headers(scope=scope).get("cookie", ""))
    return text if chosen is None else text.replace('data-theme=""', f'data-theme="{chosen[1]}"', 1)


async def asset(exchange: Exchange) -> Response:
    """`GET /assets/{file}`: its name says its content, so it never changes. Raises: NotFound."""
    name = exchange.parameters[0]
    kind = _KINDS.get(name.rpartition(".")[2])
    if kind is None or not _NAME.fullmatch(name):
        raise NotFound(f"The dashboard has no file {name[:80]!r}.")
    try:
        plain, packed = _read(name)
    except FileNotFoundError as error:
        raise NotFound(
            f"The dashboard has no file {name[:80]!r}: it was built anew; reload the page."
        ) from error
    headers = _FOREVER | {"vary": "accept-encoding"}
    if "gzip" in (exchange.header("accept-encoding") or ""):
        return Response(packed, 200, headers | {"content-encoding": "gzip"}, kind)
    return Response(plain, 200, headers, kind)


async def icon(exchange: Exchange) -> Response:
    """`GET /favicon.svg`. Raises: NotFound."""
    try:
        data = (FOLDER / "favicon.svg").read_bytes()
    except FileNotFoundError as error:
        raise NotFound("The dashboard is not built.") from error
    return Response(data, 200, {"cache-control": "max-age=86400"}, "image/svg+xml")


@lru_cache(maxsize=100)
def _read(name: str) -> tuple[bytes, bytes]:
    data = (FOLDER / "assets" / name).read_bytes()
    return data, gzip.compress(data, 9, mtime=0)


ROUTES: Final = (
    Route("GET", "/", index, open=True),
    *(Route("GET", f"/{view}", index, open=True) for view in VIEWS),
    *(Route("GET", f"/{view}/{{item}}", index, open=True) for view in VIEWS),
    Route("GET", "/assets/{file}", asset, open=True),
    Route("GET", "/favicon.svg", icon, open=True),
)
