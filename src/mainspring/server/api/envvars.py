"""Environment variables: what the workers of an environment get at their start."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Final

from starlette.responses import Response

from mainspring.errors import CallerError, NotFound
from mainspring.model.branch import PREVIEW, is_branch
from mainspring.model.variables import TOTAL_BYTES
from mainspring.server.answers import json
from mainspring.server.asking import ask
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Handler, Route
from mainspring.wire import calls, variables
from mainspring.wire.errors import reply

_IMPORT: Final = 4 * TOTAL_BYTES


def _explained(handler: Callable[[Exchange], Awaitable[Response]]) -> Handler:
    """Beside the usual form of an error, name each bad variable as clients of the contract expect;
    and see that the key belongs to the environment in the path.
    """

    @wraps(handler)
    async def answered(exchange: Exchange) -> Response:
        slug = exchange.parameters[1]
        is_parent = slug == PREVIEW and is_branch(exchange.env.slug)
        if slug != exchange.env.slug and not is_parent:
            raise CallerError(
                f"This key belongs to {exchange.env.slug}, not to {slug[:60]!r}; use a key of that "
                "environment."
            )
        try:
            return await handler(exchange)
        except CallerError as error:
            faults = variables.faults(error)
            if not faults:
                raise
            found = reply(error, exchange.clock.now())
            return json(found.body | {"variableErrors": faults}, found.status, found.headers)

    return answered


async def listed(exchange: Exchange) -> Response:
    """`GET /api/v1/projects/{project}/envvars/{env}`."""
    found = await ask(exchange, calls.ListVariables(), calls.VariableList)
    return json(found.variables)


async def create(exchange: Exchange) -> Response:
    """`POST` of the same: makes one, or replaces it."""
    return await _set(exchange, variables.written(await exchange.json()))


async def imported(exchange: Exchange) -> Response:
    """`POST …/import`: sets many, all or none."""
    return await _set(exchange, variables.imported(await exchange.json(_IMPORT)))


async def one(exchange: Exchange) -> Response:
    """`GET …/{name}`."""
    name = exchange.parameters[2]
    found = await ask(exchange, calls.ListVariables(), calls.VariableList)
    for variable in found.variables:
        if variable.name == name:
            return json(variable)
    raise NotFound("Environment variable not found")


async def change(exchange: Exchange) -> Response:
    """`PUT …/{name}`: another value for one that exists."""
    return await _set(exchange, variables.changed(exchange.parameters[2], await exchange.json()))


async def drop(exchange: Exchange) -> Response:
    """`DELETE …/{name}`."""
    await ask(exchange, calls.DropVariable(exchange.parameters[2]), calls.Written)
    return json(variables.Success())


async def _set(exchange: Exchange, request: calls.SetVariables) -> Response:
    exchange.note("envvars.set", " ".join(sorted(request.values)))
    await ask(exchange, request, calls.Written)
    return json(variables.Success())


_ALL: Final = "/api/v1/projects/{project}/envvars/{env}"
_ONE: Final = f"{_ALL}/{{name}}"
ROUTES: Final = (
    Route("GET", _ALL, _explained(listed), gives=list[calls.Variable]),
    Route("POST", _ALL, _explained(create), takes=variables.NewVariable, gives=variables.Success),
    Route(
        "POST",
        f"{_ALL}/import",
        _explained(imported),
        takes=variables.Import,
        gives=variables.Success,
    ),
    Route("GET", _ONE, _explained(one), gives=calls.Variable),
    Route("PUT", _ONE, _explained(change), takes=variables.NewValue, gives=variables.Success),
    Route("DELETE", _ONE, _explained(drop), gives=variables.Success),
)
