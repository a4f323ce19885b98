"""Environment variables: what is asked of an engine, the public JSON, what a worker is given."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mainspring.errors import CallerError

VARIABLES: Final = "/api/worker/v1/variables"


class ListVariables(Struct, tag="variables"):
    """→ VariableList: those of the environment, with what it takes over from its parent."""


class SetVariables(Struct, tag="set_variables"):
    """Set variables, all or none → Written. `mode`: any (make or replace), new (none may exist),
    existing (each must exist). `secret` None leaves what a variable is; new ones are none. `parent`
    go to the environment that a preview branch takes its variables from.
    """

    values: dict[str, str]
    mode: str = "any"
    secret: bool | None = None
    parent: dict[str, str] = {}


class DropVariable(Struct, tag="drop_variable"):
    """Remove one → Written. Raises: NotFound."""

    name: str


class Variable(Struct, rename="camel"):
    """A variable; the value of a secret is never told, but `<redacted>`."""

    name: str
    value: str
    is_secret: bool = False


class VariableList(Struct):
    """By name."""

    variables: list[Variable]


class Written(Struct):
    """How many were written."""

    count: int


class Given(Struct):
    """What a worker process gets at its start: all values, and which of them are secrets."""

    variables: dict[str, str] = {}
    secrets: list[str] = []


class NewVariable(Struct, rename="camel", forbid_unknown_fields=True):
    """The body that makes or replaces one variable."""

    name: str
    value: str
    is_secret: bool | UnsetType = UNSET


class NewValue(Struct, forbid_unknown_fields=True):
    """The body that changes one variable."""

    value: str


class Import(Struct, rename="camel", forbid_unknown_fields=True):
    """The body that sets many variables. `source` says who does so, and changes nothing."""

    variables: dict[str, str]
    parent_variables: dict[str, str] = {}
    override: bool = False
    is_secret: bool | UnsetType = UNSET
    source: Any = None


class Success(Struct):
    """The answer to what changes something."""

    success: bool = True


class VariableError(Struct):
    """What is wrong with one variable."""

    key: str
    error: str


decode_given: Final = msgspec.json.Decoder(Given).decode


def written(body: Any) -> SetVariables:
    """The request of a body that makes or replaces one. Raises: CallerError."""
    new = _as(NewVariable, body)
    return SetVariables({new.name: new.value}, secret=_flag(new.is_secret))


def changed(name: str, body: Any) -> SetVariables:
    """The request of a body that changes one. Raises: CallerError."""
    return SetVariables({name: _as(NewValue, body).value}, mode="existing")


def imported(body: Any) -> SetVariables:
    """The request of a body that sets many. Raises: CallerError."""
    many = _as(Import, body)
    mode = "any" if many.override else "new"
    return SetVariables(many.variables, mode, _flag(many.is_secret), many.parent_variables)


def faults(error: CallerError) -> list[VariableError]:
    """What is wrong with which variable, from the details of an error."""
    details = error.details if isinstance(error.details, list) else []
    return [VariableError(found["path"], found["message"]) for found in details]


def _flag(value: bool | UnsetType) -> bool | None:
    return None if value is UNSET else bool(value)


_Body = msgspec.Struct


def _as(type_: Any, body: Any) -> Any:
    try:
        return msgspec.convert(body, type_)
    except msgspec.ValidationError as error:
        raise CallerError(f"Body Error: {error}.") from error
