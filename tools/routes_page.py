"""The page of routes, written from the routes themselves. Part of `./dev docs`."""

from mainspring.server.app import API
from mainspring.server.openapi import is_described
from mainspring.server.routes import Route
from mainspring.server.summaries import SUMMARIES


def routes_page(notice: str) -> str:
    """Every route by what it is about, who may call it, and what it does."""
    groups: dict[str, list[Route]] = {}
    for route in API:
        if is_described(route):
            groups.setdefault(route.needs[1], []).append(route)
    rows = [
        notice,
        "",
        "# Routes",
        "",
        "The server describes bodies and answers itself: as OpenAPI at `/openapi.json`, and at",
        "`/docs` as a page that can send requests. [The HTTP API](http.md) says what they have in",
        "common. A secret key may call every route; the last column says who else may.",
    ]
    for name, routes in groups.items():
        rows += ["", f"## {name}", "", "| Route | | Also |", "|---|---|---|"]
        for route in routes:
            words = SUMMARIES[route.method, route.path]
            rows.append(f"| `{route.method} {route.path}` | {words} | {_callers(route)} |")
    return "\n".join(rows) + "\n"


def _callers(route: Route) -> str:
    if route.open:
        return "anyone"
    if route.by_callback or route.signed:
        return "who was given the address"
    return "public tokens" if route.public else ""
