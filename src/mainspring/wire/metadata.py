"""Changes of metadata in public JSON, read into operations. They are applied elsewhere."""

from __future__ import annotations

from typing import Any, Final

from mainspring.errors import CallerError, InvalidOptions
from mainspring.model import metadata
from mainspring.wire import plain
from mainspring.wire.worker import Op

_LISTS: Final = {"operations": "self", "parentOperations": "parent", "rootOperations": "root"}
_WORDS: Final = {word: word for word in ("set", "delete", "append", "remove", "increment")} | {
    "update": "replace"
}
_MOST: Final = 1_000


def changes(body: Any) -> list[Op]:
    """The operations of a body `{"metadata"?, "operations"?, "parentOperations"?,
    "rootOperations"?}`, in this order; `metadata` replaces all there is.

    Raises: CallerError for another form, InvalidOptions naming the operation that cannot be.
    """
    if not isinstance(body, dict):
        raise CallerError("Body Error: the body must be an object.")
    found: list[Op] = []
    if "metadata" in body:
        if not isinstance(body["metadata"], dict):
            raise InvalidOptions("metadata: must be an object; leave it out to keep what is there.")
        found.append(Op("replace", "", plain.write(body["metadata"], "metadata")))
    for name, target in _LISTS.items():
        given = body.get(name, [])
        if not isinstance(given, list) or len(given) > _MOST:
            raise CallerError(f'Body Error: "{name}" must be a list of at most {_MOST:,} items.')
        found += [_op(item, f"{name}[{at}]", target) for at, item in enumerate(given)]
    return found


def _op(item: Any, path: str, target: str) -> Op:
    kind = item.get("type") if isinstance(item, dict) else None
    word = _WORDS.get(kind) if isinstance(kind, str) else None
    if word is None:
        raise InvalidOptions(f"{path}.type: must be one of {', '.join(_WORDS)}.")
    key = item.get("key", "")
    if not isinstance(key, str):
        raise InvalidOptions(f"{path}.key: must be text.")
    value = plain.write(item["value"], f"value of {path}") if "value" in item else None
    op = Op(word, "" if word == "replace" else key, value, target)
    try:
        metadata.check(op)
    except InvalidOptions as error:
        raise InvalidOptions(f"{path}: {error.message}") from error
    return op
