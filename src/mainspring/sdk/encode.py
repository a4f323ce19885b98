"""Python values as JSON text: dataclasses, models, dates and the like. Reading is `codec`'s."""

from __future__ import annotations

import contextlib
import sys
from pathlib import PurePath
from typing import Any, Final

import msgspec

BEYOND_JSON: Final = (TypeError, ValueError, OverflowError, RecursionError)
"""What `to_json` raises for a value that has no JSON form."""


def to_json(value: Any) -> bytes:
    """JSON of a value, as bytes.

    Raises: one of BEYOND_JSON for a type without a JSON form, a NUL character or a lone surrogate
    in a text, and for a value that contains itself.
    """
    return storable(_encode(value))


def storable(data: bytes) -> bytes:
    """The same JSON, if every text in it can be stored. Raises: ValueError for a NUL character."""
    if b"\\u0000" in data and _holds_nul(msgspec.json.decode(data)):
        raise ValueError("a text holds a NUL character (\\u0000), which databases cannot store")
    return data


def why(error: Exception) -> str:
    """What one of BEYOND_JSON says, in words for people."""
    text = str(error)
    if "surrogates not allowed" in text:
        return "a text holds half of a surrogate pair, which is no character"
    return "it contains itself" if isinstance(error, RecursionError) else text


def _holds_nul(value: Any) -> bool:
    """Whether a text anywhere in a JSON value holds a NUL character."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, list):
        return any(map(_holds_nul, value))
    if isinstance(value, dict):
        return any(_holds_nul(key) or _holds_nul(item) for key, item in value.items())
    return False


def other(value: Any) -> Any:
    """A JSON-ready stand-in for a value of a type that msgspec does not know. Raises: TypeError."""
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, msgspec.Raw):  # what this function made of a key, which cannot be one
        raise TypeError("only texts and numbers can be keys of a dict")
    # only there when the user's own code has imported pydantic
    core = sys.modules.get("pydantic_core")
    if core is not None:
        with contextlib.suppress(core.PydanticSerializationError):
            return msgspec.Raw(
                core.to_json(value, by_alias=True, round_trip=True, inf_nan_mode="null")
            )
    raise TypeError(f"a value of type {type(value).__qualname__} has no JSON form")


_encode: Final = msgspec.json.Encoder(enc_hook=other).encode
