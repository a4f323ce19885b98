"""Which handler a path and method lead to. Paths are matched as they were sent, still encoded.

A decoded path could not tell the slash inside `/tasks/mail%2Fsend/trigger` from one between steps.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import cache
from typing import Any, Final
from urllib.parse import unquote

from msgspec import Struct
from starlette.responses import Response

from mainspring.server.exchange import Exchange

Handler = Callable[[Exchange], Awaitable[Response]]


AUDITED: Final = frozenset({"queues", "bulk", "envvars", "schedules", "deployments", "webhooks"})
"""Whose changes the audit log tells; keys and people tell theirs themselves."""
_OF: Final = {
    "tasks": "tasks",
    "runs": "runs",
    "idempotencyKeys": "runs",
    "batches": "batch",
    "queues": "queues",
    "concurrency-limits": "queues",
    "schedules": "schedules",
    "timezones": "schedules",
    "envvars": "envvars",
    "packets": "packets",
    "signed": "packets",
    "waitpoints": "waitpoints",
    "deployments": "deployments",
    "bulk-actions": "bulk",
    "query": "query",
    "prompts": "prompts",
    "webhooks": "webhooks",
    "sessions": "sessions",
    "streams": "streams",
    "events": "events",
    "worker": "workers",
    "auth": "tokens",
    "keys": "keys",
    "people": "people",
    "audit": "audit",
    "errors": "errors",
    "metrics": "metrics",
    "logs": "runs",
}
"""The resource that a step of a path is about; the first one counts."""


ASKED: Final = "?"
"""The resource of a route that answers more than one thing; its handler calls `permit`."""


class Route(Struct, frozen=True):
    """One method of one path, such as `GET /api/v3/runs/{run}`.

    Attributes:
        by_callback: no key is needed, the path itself proves with its two parameters, a token's id
            and a hash, that it was given away.
        signed: no key is needed, the address itself proves with its query that it was given away;
            see `server.signed`.
        open: nobody has to prove anything.
        public: holders of public tokens may call it; the handler says of what with
            `Exchange.allow`.
        uses_up: it uses a one-time token up. False = it goes on with what one was used for.
        lasts: an answer may take long, and is ended when the caller may not have it any more.
        action, resource: what the caller's role must allow, such as "write", "runs"; "" = what the
            method and the path say. The resource "?" is asked by the handler, with `permit`.
        takes, asks, gives: types of the body, the query and the successful answer, for the API's
            description; `status` is the answer's. None = nothing, or a form without a type.
    """

    method: str
    path: str
    handler: Handler
    by_callback: bool = False
    signed: bool = False
    open: bool = False
    public: bool = False
    uses_up: bool = True
    lasts: bool = False
    action: str = ""
    resource: str = ""
    takes: Any = None
    asks: Any = None
    gives: Any = None
    status: int = 200

    @property
    def needs(self) -> tuple[str, str]:
        """The action and resource that the caller's role must allow."""
        return _needs(self.method, self.path, self.action, self.resource)

    @property
    def audited(self) -> str:
        """What the audit log calls a call of this route, such as "queues.pause"; "" = it is not
        told.
        """
        action, resource = self.needs
        if action == "read" or resource not in AUDITED or self.public:
            return ""
        steps = [step for step in self.path.split("/") if step and not step.startswith("{")]
        return f"{resource}.{steps[-1] if _OF.get(steps[-1]) is None else self.method.lower()}"


@cache
def _needs(method: str, path: str, action: str, resource: str) -> tuple[str, str]:
    known = (_OF[step] for step in path.split("/") if step in _OF)
    usual = "read" if method in ("GET", "HEAD") else "write"
    return action or usual, resource or next(known, "other")


class Found(Struct, frozen=True):
    """Where a path leads: its methods, and its parameters in order, decoded."""

    methods: dict[str, Route]
    parameters: tuple[str, ...]


class Routes:
    """All routes as a tree of path steps; fixed steps win over parameters."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            self._add(route)

    def find(self, raw_path: bytes) -> Found | None:
        """Where a path leads, or None."""
        try:
            steps = raw_path.decode("ascii").split("/")[1:]
            if "%" in raw_path.decode("ascii"):
                steps = [unquote(step, errors="strict") for step in steps]
        except UnicodeDecodeError:
            return None
        found = self._root.find(steps, 0, ())
        if found is None or any("\0" in parameter for parameter in found.parameters):
            return None  # no id holds NUL, and databases do not take it
        return found

    def _add(self, route: Route) -> None:
        node = self._root
        for step in route.path.split("/")[1:]:
            if step.startswith("{"):
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.fixed.setdefault(step, _Node())
        assert route.method not in node.methods, f"{route.method} {route.path} is there twice"
        node.methods[route.method] = route
        if route.method == "GET":
            node.methods["HEAD"] = route


class _Node:
    """One step of the tree."""

    __slots__ = ("any", "fixed", "methods")

    def __init__(self) -> None:
        self.fixed: dict[str, _Node] = {}
        self.any: _Node | None = None
        self.methods: dict[str, Route] = {}

    def find(self, steps: list[str], at: int, parameters: tuple[str, ...]) -> Found | None:
        if at == len(steps):
            return Found(self.methods, parameters) if self.methods else None
        below = self.fixed.get(steps[at])
        if below is not None:
            found = below.find(steps, at + 1, parameters)
            if found is not None:
                return found
        if self.any is None or not steps[at]:
            return None
        return self.any.find(steps, at + 1, (*parameters, steps[at]))
