"""Environment variables that the server gives to the workers of an environment at their start."""

from __future__ import annotations

import builtins
from collections.abc import Mapping

from mainspring.errors import NotFound
from mainspring.sdk.transport import ask
from mainspring.wire.calls import DropVariable, ListVariables, SetVariables, VariableList, Written
from mainspring.wire.variables import Variable


async def list() -> builtins.list[Variable]:
    """All of them by name; the value of a secret is `<redacted>`."""
    return (await ask(ListVariables(), VariableList)).variables


async def retrieve(name: str) -> Variable:
    """One variable. Raises: NotFound."""
    for variable in await list():
        if variable.name == name:
            return variable
    raise NotFound(f"No variable {name!r} is set in this environment.")


async def set(values: Mapping[str, str], *, secret: bool | None = None) -> int:
    """Set variables, all or none, and say how many were written. Workers get them at their next
    start.

    Args:
        secret: whether values are never told again; None leaves what a variable is.

    Raises: InvalidOptions.
    """
    return (await ask(SetVariables(dict(values), secret=secret), Written)).count


async def delete(name: str) -> None:
    """Remove a variable. Raises: NotFound."""
    await ask(DropVariable(name), Written)
