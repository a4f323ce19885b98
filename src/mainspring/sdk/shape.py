"""How a step's function is written down: its fingerprint with arguments, its results as JSON."""

from __future__ import annotations

import functools
import hashlib
import inspect
import math
import sys
from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any, Final

import msgspec

from mainspring.errors import InvalidOutput, InvalidTask
from mainspring.sdk.codec import UNREADABLE, Codec, codec
from mainspring.sdk.encode import BEYOND_JSON, other, to_json, why
from mainspring.sdk.signature import returned

NAME: Final = 64
"""Characters of a function's name in a fingerprint."""
SAFE_INT: Final = 2**53
REMEMBERED: Final = 4096

plain: Final = msgspec.json.Decoder().decode
_BUILTINS: Final = frozenset({str, int, bool, float, type(None)})
_EMPTY: Final = inspect.Parameter.empty
_sha: Final = hashlib.sha256


class Shape:
    """What is known of one function.

    Attributes:
        is_async: whether it is a coroutine function.
        reads: stored JSON as a value of the type that the function is annotated with. Raises: one
            of UNREADABLE.
    """

    __slots__ = ("_exact", "annotation", "code", "is_async", "name", "reads", "returns")

    def __init__(self, func: Any, local_names: Mapping[str, Any]) -> None:
        inner = inspect.unwrap(func)
        while isinstance(inner, functools.partial):
            inner = inspect.unwrap(inner.func)
        name: str = getattr(inner, "__qualname__", "") or type(inner).__qualname__
        self.name = name[-NAME:]
        self.code: CodeType | None = getattr(func, "__code__", None)
        self.is_async = inspect.iscoroutinefunction(func)
        self.annotation = _annotation(inner)
        self.returns = returned(inner, self.annotation, local_names)
        known = _codec(self.returns, self.name)
        self.reads: Callable[[Any], Any] = plain if known is None else known.decode
        # values of these types are read back as they are
        self._exact = _BUILTINS if known is None else _BUILTINS & {self.returns}

    def fingerprint(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """The name of the function, and a hash of what it is called with.

        An argument without a JSON form counts by its type only.
        """
        if not args and not kwargs:
            return f"{self.name}:-"
        try:
            data = _arguments((args, kwargs) if kwargs else args)
        except BEYOND_JSON:
            parts = [*args, *(part for name in sorted(kwargs) for part in (name, kwargs[name]))]
            data = b"\n".join(map(_each, parts))
        return f"{self.name}:{_sha(data, usedforsecurity=False).hexdigest()[:12]}"

    def stored(self, value: Any, step: str) -> tuple[str, Any]:
        """A result as JSON text, and as every replay will read it. Raises: InvalidOutput."""
        if value is None and type(None) in self._exact:
            return "null", None
        try:
            data = to_json(value)
        except BEYOND_JSON as error:
            raise InvalidOutput(
                f"Step {step!r} returned what cannot be stored: {why(error)}. Return builtins, "
                "dataclasses or models, or nothing."
            ) from error
        if type(value) in self._exact and _survives(value):
            return data.decode(), value
        try:
            return data.decode(), self.reads(data)
        except UNREADABLE as error:
            raise InvalidOutput(
                f"Step {step!r} returned a {type(value).__qualname__} that does not fit the "
                f"annotation of {self.name}, {self.returns!r}: {error}. Correct one of them."
            ) from error


_shapes: Final[dict[tuple[int, str], Shape]] = {}


def shape_of(func: Any, names: Mapping[str, Any] | None = None) -> Shape:
    """The shape of a function, remembered by its code.

    `names` are those of an enclosing function, for annotations written as text; None: the caller's.
    """
    code = getattr(func, "__code__", None)
    if code is None:
        return Shape(func, _caller_names() if names is None else names)
    key = id(code), func.__qualname__
    known = _shapes.get(key)
    if known is not None and known.code is code and known.annotation == _annotation(func):
        return known
    if len(_shapes) >= REMEMBERED:
        _shapes.clear()
    made = _shapes[key] = Shape(func, _caller_names() if names is None else names)
    return made


@functools.lru_cache(maxsize=1024)
def reader(annotation: Any, what: str) -> Codec:
    """The codec of a type that a caller names. Raises: InvalidTask."""
    return codec(annotation, what)


def _annotation(func: Any) -> Any:
    try:
        annotations = func.__annotations__
    except (AttributeError, NameError):  # from 3.14 on, reading them evaluates them
        return _EMPTY
    return annotations.get("return", _EMPTY)


def _caller_names() -> Mapping[str, Any]:
    """Names of the innermost function that is not of the SDK."""
    frame = sys._getframe(1)
    while frame.f_globals.get("__name__", "").startswith("mainspring.sdk") and frame.f_back:
        frame = frame.f_back
    return dict(frame.f_locals)


def _codec(annotation: Any, name: str) -> Codec | None:
    """None where values are read as builtins: without an annotation, or one that says nothing."""
    if annotation is Any or annotation is type(None) or annotation is None:
        return None
    try:
        return codec(annotation, f"What {name} returns")
    except InvalidTask:
        return None


def _survives(value: Any) -> bool:
    """Whether a builtin is the same once it has been JSON; some numbers are not."""
    kind = type(value)
    if kind is float:
        return math.isfinite(value)
    return kind is not int or -SAFE_INT < value < SAFE_INT


def _stand_in(value: Any) -> Any:
    """For an argument, or a part of one, that msgspec does not know."""
    if hasattr(value, "model_dump"):  # pydantic itself writes sets in any order
        return value.model_dump()
    try:
        return other(value)
    except TypeError:
        return f"<{type(value).__qualname__}>"


def _each(value: Any) -> bytes:
    try:
        return _arguments(value)
    except BEYOND_JSON:
        return f"<{type(value).__qualname__}>".encode()


_arguments: Final = msgspec.json.Encoder(enc_hook=_stand_in, order="deterministic").encode
