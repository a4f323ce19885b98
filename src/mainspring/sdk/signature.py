"""A task function's parameters and types. What is made of them is `payload`'s business."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from mainspring.errors import InvalidTask
from mainspring.sdk.context import Context

UNIONS: Final = (typing.Union, types.UnionType)


@dataclasses.dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter that the payload fills. `annotation` is resolved; Any when there is none."""

    name: str
    annotation: Any
    required: bool
    default: Any
    positional: bool
    keyword: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a task, the name of the one that takes the Context, and what it returns."""

    parameters: tuple[Parameter, ...]
    context: str | None
    returns: Any


def read(func: Callable[..., Any], task: str, local_names: Mapping[str, Any]) -> Signature:
    """The signature of a task function; `local_names` helps with names of an enclosing function.

    Raises: InvalidTask for a parameter that no payload can fill or a type that is not to be found.
    """
    found: list[Parameter] = []
    context: str | None = None
    try:
        written = inspect.signature(func)
    except (NameError, ValueError) as error:  # from 3.14 on, reading annotations evaluates them
        raise InvalidTask(f"Task {task!r} has no readable signature: {error}.") from error
    for parameter in written.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise InvalidTask(
                f"Task {task!r} takes {parameter}; a payload fills named parameters only, "
                "so write each of them out."
            )
        annotation = _resolved(func, parameter.annotation, local_names)
        if isinstance(annotation, NameError):
            raise InvalidTask(
                f"Task {task!r}: the type {parameter.annotation!r} of parameter "
                f"{parameter.name!r} is not to be found ({annotation}); import it at the top of "
                "the module, outside `if TYPE_CHECKING`."
            )
        if annotation is Context or Context in _members(annotation):
            if context is not None or parameter.kind is parameter.POSITIONAL_ONLY:
                raise InvalidTask(
                    f"Task {task!r}: parameter {parameter.name!r} cannot take the Context; use one "
                    "such parameter, and not a positional-only one."
                )
            context = parameter.name
            continue
        required = parameter.default is parameter.empty
        found.append(
            Parameter(
                parameter.name,
                annotation,
                required,
                None if required else parameter.default,
                positional=parameter.kind is not parameter.KEYWORD_ONLY,
                keyword=parameter.kind is not parameter.POSITIONAL_ONLY,
            )
        )
    return Signature(tuple(found), context, returned(func, written.return_annotation, local_names))


def returned(func: Callable[..., Any], annotation: Any, local_names: Mapping[str, Any]) -> Any:
    """The type that a return annotation means; Any when it names something unknown."""
    found = _resolved(func, annotation, local_names)
    return Any if isinstance(found, NameError) else found


def is_model(annotation: Any) -> bool:
    """Whether a value of the type is a JSON object with named fields, so can be a whole payload."""
    annotation = bare(annotation)
    members = [member for member in _members(annotation) if member is not type(None)]
    if members:
        return all(is_model(member) for member in members)
    cls = typing.get_origin(annotation) or annotation
    return isinstance(cls, type) and (
        typing.is_typeddict(cls)
        or dataclasses.is_dataclass(cls)
        or issubclass(cls, msgspec.Struct)
        or hasattr(cls, "__attrs_attrs__")
        or hasattr(cls, "__pydantic_validator__")
    )


def bare(annotation: Any) -> Any:
    """The type itself, below `Annotated` notes, NewType and aliases made by `type X = …`."""
    while True:
        if typing.get_origin(annotation) is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            return annotation


def _members(annotation: Any) -> tuple[Any, ...]:
    return typing.get_args(annotation) if typing.get_origin(annotation) in UNIONS else ()


def _resolved(func: Callable[..., Any], annotation: Any, local_names: Mapping[str, Any]) -> Any:
    """The type that an annotation means; the NameError when it names something unknown."""
    if annotation is inspect.Parameter.empty or annotation is object:
        return Any
    inner = inspect.unwrap(func)
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        return typing.get_type_hints(
            holder,
            globalns=getattr(inner, "__globals__", {}),
            localns=dict(local_names),
            include_extras=True,
        )["it"]
    except NameError as error:
        return error
    except (AttributeError, SyntaxError, TypeError) as error:
        return NameError(str(error))
