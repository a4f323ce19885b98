"""The API describes itself, from its own routes and types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import msgspec

from mainspring.server.app import API
from mainspring.server.openapi import NOT_BUILT, describe
from mainspring.server.summaries import SUMMARIES
from tests.server.conftest import Served


def references(value: Any) -> Iterator[str]:
    """Every component that a part of the document names."""
    if isinstance(value, dict):
        for key, below in value.items():
            if key == "$ref":
                yield below
            else:
                yield from references(below)
    elif isinstance(value, list):
        for below in value:
            yield from references(below)


async def test_anyone_may_read_the_description_and_every_part_of_it_is_there(
    served: Served,
) -> None:
    async with httpx2.AsyncClient(base_url=served.url) as nobody:
        answer = await nobody.get("/openapi.json")
    document = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert document["openapi"].startswith("3.1")
    components = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) <= components
    described = {
        (method.upper(), path) for path, found in document["paths"].items() for method in found
    }
    public = {
        (route.method, route.path)
        for route in API
        if route.status != NOT_BUILT and not route.path.startswith("/api/worker/")
    }
    assert described == public - {("POST", "/api/mainspring/v1/call")}


def test_operations_have_names_of_their_own() -> None:
    document = describe(API)
    operations = [found for path in document["paths"].values() for found in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)


def test_every_route_is_told_in_words_and_no_other() -> None:
    described = {(m.upper(), path) for path, found in describe(API)["paths"].items() for m in found}
    assert described == set(SUMMARIES)


async def test_an_error_is_what_the_description_says(served: Served) -> None:
    answer = await served.client.get("/api/v1/waitpoints/tokens?page%5Bsize%5D=many")
    document = describe(API)
    schema = document["components"]["schemas"]["Error"]
    assert answer.status_code >= 400
    assert set(answer.json()) <= set(schema["properties"])
    assert set(schema["required"]) <= set(answer.json())


async def test_the_page_brings_all_it_needs_and_lets_nothing_else_in(served: Served) -> None:
    async with httpx2.AsyncClient(base_url=served.url) as nobody:
        page = await nobody.get("/docs")
        script = await nobody.get("/docs/viewer.js")
        style = await nobody.get("/docs/viewer.css")
        missing = await nobody.get("/docs/other.js")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    assert script.headers["content-type"].startswith("text/javascript")
    assert style.headers["content-type"].startswith("text/css")
    assert missing.status_code == 404
    assert "http://" not in page.text + script.text + style.text
    assert "https://" not in page.text + script.text + style.text


def test_the_document_is_the_same_each_time() -> None:
    assert msgspec.json.encode(describe(API)) == msgspec.json.encode(describe(API))
