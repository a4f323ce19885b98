"""Reading JSON text as a type, and the type's JSON Schema: by msgspec, or else by pydantic."""

from __future__ import annotations

import dataclasses
import functools
import sys
import typing
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Any, Final, Protocol

import msgspec

from mainspring.errors import InvalidTask
from mainspring.sdk.encode import storable, to_json
from mainspring.sdk.faults import Fault, model_faults, type_faults

UNREADABLE: Final = (msgspec.DecodeError, ValueError, RecursionError)
"""What `decode` raises for text that does not fit the type."""


class Codec(Protocol):
    """A type, as JSON text is read and written for it."""

    decode: Callable[[str | bytes], Any]
    """The value that the text stands for. Raises: one of UNREADABLE."""
    schema: dict[str, Any]
    """JSON Schema of the type, with an object's keywords at its root."""

    def encode(self, value: Any) -> bytes:
        """JSON of a value that should be of the type. Raises: one of encode.BEYOND_JSON."""
        ...

    def faults(self, text: str | bytes) -> list[Fault]:
        """Everything wrong with text that `decode` refused; at least one entry."""
        ...


def codec(annotation: Any, what: str) -> Codec:
    """The codec of a type; `what` names it in the error. Raises: InvalidTask."""
    pydantic = sys.modules.get("pydantic")
    reason: Exception | None = None
    if pydantic is None or not involves_pydantic(annotation):
        try:
            return MsgspecCodec(annotation)
        except (NameError, TypeError) as error:
            reason = error
    if pydantic is not None:
        try:
            return PydanticCodec(pydantic.TypeAdapter(annotation))
        except (pydantic.errors.PydanticUserError, NameError, TypeError) as error:
            reason = reason or error
    said = str(reason).partition("\n")[0]
    raise InvalidTask(f"{what} cannot be read from JSON: {said}.") from reason


def involves_pydantic(annotation: Any) -> bool:
    """Whether a type needs pydantic to be read: a model of it, or notes such as `Field(gt=0)`."""
    return any(map(_is_pydantic, _parts(annotation, set())))


class MsgspecCodec:
    """Builtins, dates, dataclasses, TypedDicts, Structs, attrs classes and unions of them.

    Raises: TypeError, or NameError for a type in it that is not to be found.
    """

    def __init__(self, annotation: Any) -> None:
        for cls in _customs(msgspec.inspect.type_info(annotation), set()):
            if not (issubclass(cls, PurePath) or _is_pydantic(cls)):
                raise TypeError(
                    f"values of class {cls.__qualname__} have no JSON form; "
                    "make it a dataclass, or pass what it is made from"
                )
        self._annotation = annotation
        self.decode: Callable[[str | bytes], Any] = msgspec.json.Decoder(
            annotation, dec_hook=read_other
        ).decode
        self.schema = _at_root(msgspec.json.schema(annotation, schema_hook=_schema_of_other))

    def encode(self, value: Any) -> bytes:
        return to_json(value)

    def faults(self, text: str | bytes) -> list[Fault]:
        return type_faults(text, self._annotation, read_other)


class PydanticCodec:
    """Whatever a pydantic `TypeAdapter` takes."""

    def __init__(self, adapter: Any) -> None:
        self.decode: Callable[[str | bytes], Any] = adapter.validator.validate_json
        self.schema = _at_root(adapter.json_schema())

    def encode(self, value: Any) -> bytes:
        core = sys.modules["pydantic_core"]
        return storable(core.to_json(value, by_alias=True, round_trip=True, inf_nan_mode="null"))

    def faults(self, text: str | bytes) -> list[Fault]:
        return model_faults(text, self.decode)


def read_other(cls: type, value: Any) -> Any:
    """A value of a class that msgspec leaves to others. Raises: TypeError, ValueError."""
    if issubclass(cls, PurePath):
        return cls(value)
    known: Any = cls
    return _adapter(known).validate_python(value)


@functools.lru_cache(maxsize=1024)
def _adapter(cls: Any) -> Any:
    return sys.modules["pydantic"].TypeAdapter(cls)


def _is_pydantic(part: Any) -> bool:
    if isinstance(part, type):
        return hasattr(part, "__pydantic_validator__") or hasattr(
            part, "__get_pydantic_core_schema__"
        )
    # a note inside Annotated
    home = type(part).__module__.partition(".")[0]
    return home in ("pydantic", "annotated_types", "pydantic_core")


def _parts(annotation: Any, seen: set[int]) -> Iterator[Any]:
    """The classes and notes that a type is made of, those of dataclass fields included."""
    if id(annotation) in seen:
        return
    seen.add(id(annotation))
    arguments = typing.get_args(annotation)
    if not arguments:
        yield annotation
    for argument in arguments:
        yield from _parts(argument, seen)
    cls = typing.get_origin(annotation) or annotation
    # what a Struct holds is read by msgspec, which asks `read_other` for the rest
    if dataclasses.is_dataclass(cls) or typing.is_typeddict(cls):
        try:
            hints = typing.get_type_hints(cls, include_extras=True)
        except (NameError, TypeError):
            hints = {}  # reading it will fail with a better message
        for hint in hints.values():
            yield from _parts(hint, seen)


def _customs(node: Any, seen: set[int]) -> Iterator[type]:
    """The classes in a type that msgspec itself cannot read."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, msgspec.inspect.CustomType):
        yield node.cls
    elif isinstance(node, tuple):
        for part in node:
            yield from _customs(part, seen)
    elif isinstance(node, msgspec.inspect.Type | msgspec.inspect.Field):
        for name in node.__struct_fields__:
            yield from _customs(getattr(node, name), seen)


def _schema_of_other(cls: type) -> dict[str, Any]:
    return {"type": "string"} if issubclass(cls, PurePath) else {"title": cls.__name__}


def _at_root(schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema with a root `$ref` replaced by what it refers to."""
    reference = schema.get("$ref", "")
    if not reference.startswith("#/$defs/"):
        return schema
    definitions = dict(schema["$defs"])
    name = reference.removeprefix("#/$defs/")
    root = definitions.pop(name)
    if reference.encode() in msgspec.json.encode([root, definitions]):  # it refers to itself
        definitions[name] = root
    return {**root, "$defs": definitions} if definitions else root
