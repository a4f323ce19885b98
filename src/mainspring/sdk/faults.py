"""Every bad field of a JSON value at once, where a reader stops at the first."""

from __future__ import annotations

import dataclasses
import itertools
import re
import typing
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

Fault = dict[str, str]
"""`{"path": "order.items[0].price", "message": …}`; an empty path means the whole value."""

_Hook = Callable[[type, Any], Any]
_PLACE: Final = re.compile(r" - at `(?:key in )?\$([^`]*)`$")
_DEPTH: Final = 32


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    name: str
    annotation: Any
    required: bool


def type_faults(text: str | bytes, annotation: Any, hook: _Hook) -> list[Fault]:
    """What is wrong with JSON text that does not fit a type that msgspec reads."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return [{"path": "", "message": f"is not JSON: {error}"}]
    return list(_walk(value, annotation, "", hook, _DEPTH))


def model_faults(text: str | bytes, decode: Callable[[str | bytes], Any]) -> list[Fault]:
    """What is wrong with JSON text that pydantic refuses."""
    try:
        decode(text)
    except ValueError as error:
        return list(_listed(error, ""))
    return []


def _walk(value: Any, annotation: Any, path: str, hook: _Hook, depth: int) -> Iterator[Fault]:
    """Yields the faults inside a value; one for the value itself when none of its parts is bad."""
    try:
        msgspec.convert(value, annotation, dec_hook=hook, str_keys=True)
    except (ValueError, TypeError, RecursionError) as error:
        inner = [] if depth == 0 else list(_inside(value, annotation, path, hook, depth - 1))
        yield from inner or _listed(error, path)


def _inside(value: Any, annotation: Any, path: str, hook: _Hook, depth: int) -> Iterator[Fault]:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        yield from _inside(value, arguments[0], path, hook, depth)
        return
    present = [kind for kind in arguments if kind is not type(None)]
    if type(None) in arguments and len(present) == 1 and value is not None:
        yield from _inside(value, present[0], path, hook, depth)
    elif isinstance(value, dict):
        yield from _in_object(value, annotation, path, hook, depth)
    elif isinstance(value, list) and origin in (list, set, frozenset) and arguments:
        for index, item in enumerate(value):
            yield from _walk(item, arguments[0], f"{path}[{index}]", hook, depth)
    elif isinstance(value, list) and origin is tuple and arguments:
        kinds = itertools.repeat(arguments[0]) if arguments[-1] is ... else arguments
        for index, (item, kind) in enumerate(zip(value, kinds, strict=False)):
            yield from _walk(item, kind, f"{path}[{index}]", hook, depth)


def _in_object(
    value: dict[str, Any], annotation: Any, path: str, hook: _Hook, depth: int
) -> Iterator[Fault]:
    fields, closed = _fields(annotation)
    arguments = typing.get_args(annotation)
    if fields is None and typing.get_origin(annotation) is dict:
        fields = [_Field(key, arguments[1], True) for key in value]
    if fields is None:
        return
    for field in fields:
        at = f"{path}.{field.name}".lstrip(".")
        if field.name in value:
            yield from _walk(value[field.name], field.annotation, at, hook, depth)
        elif field.required:
            yield {"path": at, "message": "is missing"}
    if closed:
        known = {field.name for field in fields}
        for name in value:
            if name not in known:
                yield {"path": f"{path}.{name}".lstrip("."), "message": "is not known here"}


def _fields(annotation: Any) -> tuple[list[_Field] | None, bool]:
    """The fields of a class of named fields, and whether it refuses others."""
    cls = typing.get_origin(annotation) or annotation
    if not isinstance(cls, type):
        return None, False
    if issubclass(cls, msgspec.Struct):
        known = msgspec.structs.fields(annotation)
        return (
            [_Field(field.encode_name, field.type, field.required) for field in known],
            bool(cls.__struct_config__.forbid_unknown_fields),
        )
    if dataclasses.is_dataclass(cls):
        hints = typing.get_type_hints(cls, include_extras=True)
        missing = dataclasses.MISSING
        return [
            _Field(f.name, hints[f.name], f.default is missing and f.default_factory is missing)
            for f in dataclasses.fields(cls)
            if f.init
        ], False
    if typing.is_typeddict(cls):
        needed: frozenset[str] = getattr(cls, "__required_keys__", frozenset())
        hints = typing.get_type_hints(cls, include_extras=True)
        return [_Field(name, _plain(hint), name in needed) for name, hint in hints.items()], False
    return None, False


def _plain(hint: Any) -> Any:
    """A TypedDict field's type without Required or NotRequired."""
    if typing.get_origin(hint) in (typing.Required, typing.NotRequired):
        return typing.get_args(hint)[0]
    return hint


def _listed(error: Exception, path: str) -> Iterator[Fault]:
    """Yields what an error of msgspec, or of pydantic (maybe as its cause), says, below `path`."""
    for cause in (error, error.__cause__):
        if cause is not None and hasattr(cause, "errors"):
            for found in cause.errors(include_url=False, include_context=False):
                steps = (f"[{s}]" if isinstance(s, int) else f".{s}" for s in found["loc"])
                yield {"path": (path + "".join(steps)).lstrip("."), "message": found["msg"]}
            return
    message = str(error) or type(error).__name__
    place = _PLACE.search(message)
    if place:
        message = message[: place.start()]
        path = (path + place[1]).lstrip(".")
    yield {"path": path, "message": message}
