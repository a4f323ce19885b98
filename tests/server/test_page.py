"""The page of the HTTP API names every route that is built, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from mainspring.server.api import unbuilt
from mainspring.server.app import ROUTES
from tests.architecture.sources import ROOT

PAGE = Path(ROOT) / "docs/reference/http.md"
NAMED = re.compile(r"`(GET|POST|PUT|DELETE) (/[^`?]*)`")


def test_the_page_and_the_routes_agree() -> None:
    named = {(method, path) for method, path in NAMED.findall(PAGE.read_text())}
    built = {(route.method, route.path) for route in ROUTES if route not in unbuilt.ROUTES}
    assert named - {("GET", "/healthz"), ("GET", "/readyz")} == built
