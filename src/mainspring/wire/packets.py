"""Payloads as SDKs encode them, turned into plain JSON text. Sizes and schemas are checked later.

A packet says its type: plain JSON, text, or superjson, which is JSON with notes on the values that
JSON lacks. What a Python task gets is what `JSON.stringify` would have said, but for big integers:

| in JavaScript | in the task |
|---|---|
| Date, URL, RegExp | the text that superjson wrote |
| BigInt | an integer |
| Set, typed array | a list |
| Map | a list of [key, value] |
| undefined | no such field; null inside a list |
| NaN, Infinity, -0 | null, null, 0 |
| Error | an object with name and message |
"""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec import Struct

from mainspring.errors import CallerError, InvalidOptions, InvalidPayload
from mainspring.wire import plain

JSON: Final = "application/json"
SUPER_JSON: Final = "application/super+json"
TEXT: Final = "text/plain"
STORE: Final = "application/store"

UPLOADED: Final = (JSON, SUPER_JSON, TEXT)
"""What an upload may be. Other types would let a page of somebody else be served from here."""
NAMES: Final = ("payload", "output")
"""The data of a run that may be large."""
SHOWN: Final = 512 * 1024
"""Characters of a payload or output that are shown in a run; above, its address is."""
PATH_LENGTH: Final = 1024

_RUN_PATH: Final = re.compile(r"runs/([^/]+)/(payload|output)\.json")
_TYPE: Final = re.compile(r"[\x20-\x7e]{1,100}")
_BIG: Final = re.compile(r"-?\d{1,4000}")
_STEP: Final = re.compile(r"(?:[^.\\]|\\.)*", re.DOTALL)
_MISSING: Final = object()


class PacketPlace(Struct, rename="camel"):
    """Where a packet can be read, for an hour."""

    presigned_url: str


class UploadPlace(PacketPlace):
    """Where a packet can be put, for an hour, and the path by which a trigger names it."""

    storage_path: str


def checked_path(path: str) -> str:
    """The storage path. Raises: CallerError."""
    if 0 < len(path) <= PATH_LENGTH and path.isprintable():
        return path
    raise CallerError(
        f"A storage path has 1 to {PATH_LENGTH} printable characters; found {path[:60]!r}."
    )


def path_of(run_id: str, name: str) -> str:
    """The storage path of a run's payload or output."""
    return f"runs/{run_id}/{name}.json"


def run_of(path: str) -> tuple[str, str] | None:
    """The (run id, name) whose data lies there; None for the path of an upload."""
    found = _RUN_PATH.fullmatch(path)
    return (found[1], found[2]) if found else None


def is_large(text: str | None) -> bool:
    """Whether a payload or output is shown by its address."""
    return text is not None and len(text) > SHOWN


def upload_type(header: str | None) -> str | None:
    """The content type of an upload as it is kept; None for one that is not taken."""
    if header is None or not _TYPE.fullmatch(header):
        return None
    return header if _base(header) in UPLOADED else None


def stored_at(payload: Any) -> str:
    """The path that a payload of type application/store names. Raises: InvalidPayload."""
    if isinstance(payload, str) and 0 < len(payload) <= PATH_LENGTH and payload.isprintable():
        return payload
    raise InvalidPayload(
        f"A payload of type {STORE} is the storagePath that the upload was answered with; found "
        f"{str(payload)[:60]!r}."
    )


def decode_upload(text: str, type_: str) -> str:
    """Plain JSON text of an upload. Raises: InvalidPayload."""
    base = _base(type_)
    return decode_text(text) if base == JSON else decode(text, base)


def decode(payload: Any, type_: str = JSON) -> str:
    """Plain JSON text of a payload; of JSON type it is the value itself, of the others text.

    Raises: InvalidPayload (not what its type says, NUL, lone surrogates), InvalidOptions (unknown
    type; an upload has to be fetched first).
    """
    return plain.write(value(payload, type_))


def decode_text(text: str) -> str:
    """Plain JSON text of a payload that arrived as JSON text. Raises: InvalidPayload."""
    return plain.write(plain.read(_bytes(text), "payload", InvalidPayload))


def value(payload: Any, type_: str) -> Any:
    """The plain value of a payload. Raises: as `decode`, but accepts NUL."""
    if type_ == JSON:
        return payload
    if type_ not in (SUPER_JSON, TEXT):
        raise InvalidOptions(
            f"payloadType is {type_[:80]!r}; {JSON}, {SUPER_JSON} or {TEXT} is allowed."
        )
    if not isinstance(payload, str):
        raise InvalidPayload(f"A payload of type {type_} must be text, found another JSON value.")
    return payload if type_ == TEXT else revive(payload)


def revive(text: str) -> Any:
    """The plain value of superjson text. Raises: InvalidPayload."""
    packet = plain.read(_bytes(text), "payload", InvalidPayload)
    if not isinstance(packet, dict) or "json" not in packet:
        raise InvalidPayload('A superjson payload is an object with "json"; found none.')
    meta = packet.get("meta")
    if not isinstance(meta, dict) or not meta.get("values"):
        return packet["json"]
    box = {"json": packet["json"]}
    _annotate(box, ["json"], meta["values"], meta.get("v") == 1)
    return box.get("json")


def _base(type_: str) -> str:
    return type_.partition(";")[0].strip().lower()


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidPayload("The payload holds a lone surrogate; remove it.") from error


def _annotate(box: Any, path: list[str], tree: Any, escaped: bool) -> None:
    """Apply the notes of a subtree, innermost first: `{path: subtree}` or `[type, children]`."""
    if isinstance(tree, dict):
        for key, below in tree.items():
            _annotate(box, path + _split(key, escaped), below, escaped)
    elif isinstance(tree, list) and 1 <= len(tree) <= 2:
        if len(tree) == 2:
            if not isinstance(tree[1], dict):
                raise _bad(path)
            _annotate(box, path, tree[1], escaped)
        _convert(box, path, tree[0])
    else:
        raise _bad(path)


def _split(key: str, escaped: bool) -> list[str]:
    """The steps of a path; a dot inside a name is written with a backslash before it, and since
    version 1 so is a backslash.
    """
    if not escaped:
        return [part.replace("\0", ".") for part in key.replace("\\.", "\0").split(".")]
    steps, at = [], 0
    while True:
        found = _STEP.match(key, at)
        assert found is not None  # it matches the empty text too
        steps.append(re.sub(r"\\(.)", r"\1", found[0], flags=re.DOTALL))
        at = found.end() + 1
        if at > len(key):
            return steps


def _convert(box: Any, path: list[str], type_: Any) -> None:
    if type_ not in ("undefined", "bigint", "number"):
        return  # its JSON form is already what the task gets
    holder = box
    for step in path[:-1]:
        holder = _at(holder, step)
    last = path[-1]
    old = _at(holder, last)
    if old is _MISSING:
        raise _bad(path)
    if type_ == "undefined" and isinstance(holder, dict):
        del holder[last]
        return
    new = None
    if type_ == "bigint":
        if not isinstance(old, str) or not _BIG.fullmatch(old):
            raise _bad(path)
        new = int(old)
    elif old == "-0":
        new = 0
    holder[int(last) if isinstance(holder, list) else last] = new


def _at(holder: Any, step: str) -> Any:
    if isinstance(holder, dict):
        return holder.get(step, _MISSING)
    if isinstance(holder, list) and step.isdecimal() and step.isascii() and len(step) < 10:
        index = int(step)
        return holder[index] if index < len(holder) else _MISSING
    return _MISSING


def _bad(path: list[str]) -> InvalidPayload:
    place = ".".join(path[1:])[:200]
    return InvalidPayload(
        f"The superjson notes of the payload do not fit its value at {place!r}; "
        "send it as application/json.",
        details=[{"path": place, "message": "superjson notes do not fit"}],
    )
