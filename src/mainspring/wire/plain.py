"""JSON text as it arrives from outside: read within bounds, written compactly. No meaning."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from mainspring.errors import CallerError, InvalidPayload, MainspringError

DEPTH: Final = 128
"""Lists and objects inside each other at most."""

KEYS: Final = 10_000
"""Keys of one object at most."""

_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode
_STRINGS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_TO_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")
_LONG: Final = re.compile(rb"[0-9]{19}")
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def read(data: bytes, name: str, error: type[MainspringError] = CallerError) -> Any:
    """The value of JSON text.

    Raises: `error`, naming `name`, for other text, lone surrogates, numbers beyond a double, whole
    numbers beyond 64 bits, more than 128 levels, and an object of more than 10,000 keys.
    """
    if too_deep(data):
        raise error(f"The {name} has over {DEPTH} levels of lists and objects; make it flatter.")
    try:
        value = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as cause:
        hint = " It holds a lone surrogate." if re.search(rb"\\u[dD][89a-fA-F]", data) else ""
        raise error(f"The {name} is not valid JSON: {cause}.{hint}") from cause
    if _LONG.search(data) and _too_big(value):
        raise error(
            f"The {name} has a whole number of more than 64 bits, which most programs would change "
            "silently; send it as text, or as a BigInt in superjson."
        )
    if data.count(b":") > KEYS and _too_wide(value):
        raise error(
            f"The {name} has an object with over {KEYS:,} keys; make it a list, or split it."
        )
    return value


def _too_wide(value: Any) -> bool:
    """Whether an object in it has too many keys."""
    if isinstance(value, dict):
        return len(value) > KEYS or any(map(_too_wide, value.values()))
    return isinstance(value, list) and any(map(_too_wide, value))


def _too_big(value: Any) -> bool:
    """Whether a whole number in it fits into no 64 bits, signed or not."""
    if isinstance(value, int):
        return not -(1 << 63) <= value < 1 << 64
    if isinstance(value, list):
        return any(map(_too_big, value))
    return isinstance(value, dict) and any(map(_too_big, value.values()))


def write(value: Any, name: str = "payload") -> str:
    """Compact JSON text of a value that `read` gave.

    Raises: InvalidPayload, naming `name`, when it holds a NUL character.
    """
    data = _encode(value)
    if b"\\u0000" in data and _NUL.search(data):
        raise InvalidPayload(
            f"The {name} holds a NUL character (\\u0000), which databases cannot store; remove it."
        )
    return data.decode()


def too_deep(data: bytes) -> bool:
    """Whether JSON text has more than 128 levels; quick for what is clearly flat enough."""
    if data.count(b"[") + data.count(b"{") <= DEPTH:
        return False
    brackets = _STRINGS.sub(b"", data).translate(_TO_BRACKETS, _NOT_BRACKETS)
    for _ in range(DEPTH):  # each pass takes away the innermost level everywhere
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return b"[]" in brackets
