"""The API's own description (OpenAPI 3.1), made from the routes and the types that they name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any, Final

import msgspec
from msgspec import Struct

from mainspring.server.routes import Route
from mainspring.server.summaries import SUMMARIES

_COMPONENTS: Final = "#/components/schemas/{name}"
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_BEARER: Final[list[dict[str, list[str]]]] = [{"key": []}]
_ANYTHING: Final[dict[str, Any]] = {}
_INSIDE: Final = ("/api/worker/", "/api/mainspring/v1/call")
NOT_BUILT: Final = 501


class Error(Struct, omit_defaults=True):
    """Why a request was not answered as asked. `code` is stable; `details` is for programs."""

    error: str
    code: str
    details: Any = None
    param: str = ""
    type: str = ""


def describe(routes: Iterable[Route]) -> dict[str, Any]:
    """The document for these routes, in their order. Types become components by their names."""
    described = [route for route in routes if is_described(route)]
    types = [kind for route in described for kind in (route.takes, route.asks, route.gives) if kind]
    schemas, components = msgspec.json.schema_components([*types, Error], ref_template=_COMPONENTS)
    found = iter(schemas)
    paths: dict[str, dict[str, Any]] = {}
    for route in described:
        takes, asks, gives = (
            next(found) if kind else None for kind in (route.takes, route.asks, route.gives)
        )
        asked = _properties(asks, components)
        operation = _operation(route, takes, asked, gives)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Mainspring",
            "version": version("mainspring"),
            "description": "Durable background jobs: trigger tasks, follow runs, decide for them.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A secret key, a personal token, or where it says so a public "
                    "token.",
                }
            },
        },
        "security": _BEARER,
    }


def is_described(route: Route) -> bool:
    """Whether a route is built, and more than a way of parts of Mainspring to each other."""
    return route.status != NOT_BUILT and not route.path.startswith(_INSIDE)


def _operation(route: Route, takes: Any, asked: list[dict[str, Any]], gives: Any) -> dict[str, Any]:
    more = _more(route)
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": SUMMARIES[route.method, route.path],
        "tags": [route.needs[1]],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in _PARAMETER.findall(route.path)
        ]
        + asked,
        "responses": {
            str(route.status): _body("As asked.", gives if gives is not None else _ANYTHING),
            "default": _body("It was not.", {"$ref": _COMPONENTS.format(name="Error")}),
        },
    }
    if more:
        operation["description"] = more
    if takes is not None:
        operation["requestBody"] = _body("", takes) | {"required": True}
        del operation["requestBody"]["description"]
    if route.open or route.by_callback or route.signed:
        operation["security"] = []
    return operation


def _body(description: str, schema: Any) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _properties(asks: Any, components: dict[str, Any]) -> list[dict[str, Any]]:
    """The fields of a query's type as parameters."""
    if asks is None:
        return []
    schema = components[asks["$ref"].rpartition("/")[2]]
    needed = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in needed, "schema": field}
        for name, field in schema["properties"].items()
    ]


def _more(route: Route) -> str:
    """What its handler says beyond the path."""
    text = " ".join((route.handler.__doc__ or "").split())
    more = re.sub(r"^`[A-Z]+ [^`]*`[:;.,]?\s*", "", text)
    return more[:1].upper() + more[1:]


def _operation_id(route: Route) -> str:
    steps: Sequence[str] = [
        step.strip("{}") for step in route.path.split("/") if step and step not in ("api",)
    ]
    return re.sub(r"\W", "_", "_".join((route.method.lower(), *steps)))
