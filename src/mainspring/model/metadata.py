"""Changes of a run's metadata, applied to its JSON text. Pure; which run and when is not said here.

A path is a key of the top level, or `$.a.b[0]`: names after dots, list items by their numbers in
brackets, other names in quotes (`$["a.b"]`). What is missing on the way is made by set, append and
increment.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, Protocol

import msgspec

from mainspring.errors import CallerError, InvalidOptions, PayloadTooLarge
from mainspring.model.limits import METADATA_LIMIT, check_json, check_text

PATH_LENGTH: Final = 512
DEPTH: Final = 32
REFUSALS: Final = 16
"""After so many refused changes in one go the rest is refused unread."""

Steps = tuple[str | int, ...]

_REFUSED: Final = frozenset({"__proto__", "constructor", "prototype"})
_STEP: Final = re.compile(r'\.([^.\[\]"]+)|\[(\d{1,6})\]|\[("(?:[^"\\]|\\.)*")\]')
_HIGH: Final = (1 << 63) - 1
_MISSING: Final = object()

_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


class Change(Protocol):
    """One change: `op` is set, delete, append, remove, increment or replace (path empty), `value`
    JSON text.
    """

    @property
    def op(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def value(self) -> str | None: ...


def applied(text: str | None, changes: Sequence[Change]) -> str:
    """The JSON text of the metadata after all changes, in order; all are applied or none.

    None is no metadata yet, the same as an empty object.
    Raises: InvalidOptions naming the change that cannot be applied, PayloadTooLarge over 256 KB.
    """
    root: Any = _decode(text) if text else {}
    for change in changes:
        root = _apply(root, change)
    data = _encode(root)
    if len(data) > METADATA_LIMIT:
        raise PayloadTooLarge(
            f"The metadata would have {len(data):,} bytes; the limit is {METADATA_LIMIT:,}. Store "
            "large values elsewhere and keep a reference."
        )
    return data.decode()


def applied_each(
    text: str | None, changes: Sequence[Change]
) -> tuple[str | None, list[CallerError]]:
    """As `applied`, but what cannot be applied is left out; its errors come beside the text."""
    try:
        return applied(text, changes), []
    except (InvalidOptions, PayloadTooLarge) as error:
        if len(changes) == 1:
            return text, [error]
    middle = len(changes) // 2
    text, refused = applied_each(text, changes[:middle])
    if len(refused) >= REFUSALS:
        left = len(changes) - middle
        return text, [*refused, InvalidOptions(f"{left:,} further changes were not looked at.")]
    text, more = applied_each(text, changes[middle:])
    return text, refused + more


def check(change: Change) -> None:
    """Refuse a change that no metadata could take. Raises: InvalidOptions."""
    if change.op not in _APPLY and change.op != "replace":
        allowed = ", ".join([*_APPLY, "replace"])
        raise InvalidOptions(f"metadata has no change {change.op[:40]!r}; allowed: {allowed}.")
    if change.value is not None:
        check_json(change.value, "value of a metadata change", InvalidOptions)
    elif change.op != "delete":
        raise InvalidOptions(f"metadata {change.op} {change.path[:80]!r} needs a value.")
    if change.op != "replace":
        steps_of(change.path)


@lru_cache(maxsize=1024)
def steps_of(path: str) -> Steps:
    """The steps of a path: names, and numbers of list items. Raises: InvalidOptions."""
    check_text(path, "metadata key", PATH_LENGTH)
    if not path.startswith(("$.", "$[")):
        return _allowed(path, (path,))
    steps: list[str | int] = []
    at = 1
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None:
            raise InvalidOptions(
                f"metadata path {path[:80]!r} cannot be read at {path[at : at + 20]!r}; write "
                '$.name, $.list[0] or $["any name"].'
            )
        name, number, quoted = found.groups()
        steps.append(name or (int(number) if number else _unquoted(path, quoted)))
        at = found.end()
    if len(steps) > DEPTH:
        raise InvalidOptions(f"metadata path {path[:80]!r} has over {DEPTH} steps.")
    return _allowed(path, tuple(steps))


def _unquoted(path: str, quoted: str) -> str:
    try:
        name: str = _decode(quoted)
    except msgspec.DecodeError as error:
        raise InvalidOptions(
            f"metadata path {path[:80]!r} has a name that is no JSON text: {error}."
        ) from error
    check_text(name, "name in a metadata path", PATH_LENGTH)
    return name


def _allowed(path: str, steps: Steps) -> Steps:
    if _REFUSED.intersection(step for step in steps if isinstance(step, str)):
        raise InvalidOptions(f"metadata path {path[:80]!r} has a name that browsers cannot hold.")
    return steps


def _apply(root: Any, change: Change) -> Any:
    check(change)
    value = None if change.value is None else _decode(change.value)
    if change.op == "replace":
        if not isinstance(value, dict):
            raise InvalidOptions(f"metadata is an object; {_kind(value)} cannot replace it.")
        return value
    if not isinstance(root, dict):
        raise _unfit(change, "the metadata", root, "an object; replace it first")
    _APPLY[change.op](root, change, value)
    return root


def _set(root: Any, change: Change, value: Any) -> None:
    holder, step = _made(root, change)
    _put(change, holder, step, value)


def _delete(root: Any, change: Change, _value: Any) -> None:
    found = _found(root, change)
    if found is not None and _get(change, *found) is not _MISSING:
        del found[0][found[1]]


def _append(root: Any, change: Change, value: Any) -> None:
    holder, step = _made(root, change)
    old = _get(change, holder, step)
    if isinstance(old, list):
        old.append(value)
    else:
        _put(change, holder, step, [value] if old is _MISSING else [old, value])


def _remove(root: Any, change: Change, value: Any) -> None:
    found = _found(root, change)
    old = _MISSING if found is None else _get(change, *found)
    if old is _MISSING:
        return
    if not isinstance(old, list):
        raise _unfit(change, "it", old, "a list")
    old[:] = [item for item in old if not same(item, value)]


def _increment(root: Any, change: Change, value: Any) -> None:
    if not _is_number(value):
        raise _unfit(change, "the amount", value, "a number")
    holder, step = _made(root, change)
    old = _get(change, holder, step)
    if old is _MISSING or old is None:
        old = 0
    if not _is_number(old):
        raise _unfit(change, "it", old, "a number")
    try:
        new = old + value
    except OverflowError:
        new = math.inf
    if not math.isfinite(new) or (isinstance(new, int) and not -_HIGH <= new <= _HIGH):
        raise InvalidOptions(f"metadata increment {change.path[:80]!r}: the sum is out of range.")
    _put(change, holder, step, new)


_APPLY: Final[dict[str, Callable[[Any, Change, Any], None]]] = {
    "set": _set,
    "delete": _delete,
    "append": _append,
    "remove": _remove,
    "increment": _increment,
}


def _found(root: Any, change: Change) -> tuple[Any, str | int] | None:
    """What holds the place that a path names, and its last step; None when it is not there."""
    steps = steps_of(change.path)
    here = root
    for step in steps[:-1]:
        here = _get(change, here, step)
        if here is _MISSING:
            return None
    return here, _fitting(change, here, steps[-1])


def _made(root: Any, change: Change) -> tuple[Any, str | int]:
    """As `_found`, but what is missing on the way is made."""
    steps = steps_of(change.path)
    here = root
    for step, after in pairwise(steps):
        below = _get(change, here, step)
        if below is _MISSING:
            below = [] if isinstance(after, int) else {}
            _put(change, here, step, below)
        here = below
    return here, _fitting(change, here, steps[-1])


def _get(change: Change, holder: Any, step: str | int) -> Any:
    step = _fitting(change, holder, step)
    if isinstance(step, str):
        return holder.get(step, _MISSING)
    return holder[step] if step < len(holder) else _MISSING


def _put(change: Change, holder: Any, step: str | int, value: Any) -> None:
    step = _fitting(change, holder, step)
    if isinstance(step, str) or step < len(holder):
        holder[step] = value
    elif step == len(holder):
        holder.append(value)
    else:
        raise InvalidOptions(
            f"metadata {change.op} {change.path[:80]!r}: the list has {len(holder)} items; "
            f"its next is [{len(holder)}]."
        )


def _fitting(change: Change, holder: Any, step: str | int) -> str | int:
    """The step as this holder takes it: `$.list.0` is an item as well."""
    if isinstance(holder, list):
        if isinstance(step, str) and step.isascii() and step.isdecimal() and len(step) < 7:
            return int(step)
        if isinstance(step, int):
            return step
    elif isinstance(holder, dict) and isinstance(step, str):
        return step
    wanted = "a list" if isinstance(step, int) else "an object"
    raise _unfit(change, f"what holds {step!r}", holder, wanted)


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal; true is not 1, but 1 is 1.0."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if _is_number(one) and _is_number(other):
        return bool(one == other)
    return type(one) is type(other) and bool(one == other)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case dict():
            return "an object"
        case list():
            return "a list"
        case str():
            return "text"
        case _:
            return "a number"


def _unfit(change: Change, what: str, found: Any, wanted: str) -> InvalidOptions:
    return InvalidOptions(
        f"metadata {change.op} {change.path[:80]!r}: {what} is {_kind(found)}, not {wanted}."
    )
