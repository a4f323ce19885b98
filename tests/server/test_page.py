"""What the page of the HTTP API names is built; that all is named, the generated page sees to."""

from __future__ import annotations

import re
from pathlib import Path

from mainspring.server.api import unbuilt
from mainspring.server.app import ROUTES
from tests.architecture.sources import ROOT

PAGE = Path(ROOT) / "docs/reference/http.md"
NAMED = re.compile(r"`(GET|POST|PUT|DELETE) (/[^`?]*)`")
HEALTH = {("GET", "/healthz"), ("GET", "/readyz")}


def shape(path: str) -> str:
    """The path whatever its parameters are called."""
    return re.sub(r"\{\w+\}", "{}", path)


def test_the_page_names_no_route_that_is_not_there() -> None:
    named = {(method, shape(path)) for method, path in NAMED.findall(PAGE.read_text())}
    built = {(route.method, shape(route.path)) for route in ROUTES if route not in unbuilt.ROUTES}
    assert len(named) > 40
    assert named - HEALTH - built == set()
