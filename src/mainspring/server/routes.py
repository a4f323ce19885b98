"""Which handler a path and method lead to. Paths are matched as they were sent, still encoded.

A decoded path could not tell the slash inside `/tasks/mail%2Fsend/trigger` from one between steps.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import unquote

from msgspec import Struct
from starlette.responses import Response

from mainspring.server.exchange import Exchange

Handler = Callable[[Exchange], Awaitable[Response]]


class Route(Struct, frozen=True):
    """One method of one path, such as `GET /api/v3/runs/{run}`. `by_callback`: no key is needed,
    the path itself proves with its two parameters, a token's id and a hash, that it was given away.
    """

    method: str
    path: str
    handler: Handler
    by_callback: bool = False


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
