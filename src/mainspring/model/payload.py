"""Does a JSON value fit a JSON Schema (2020-12)? The part that models of Python types use; pure.

Formats, uniqueItems, multipleOf, not and the "only one" of oneOf are not checked here: the worker
checks the value again against the task's own types. References lead only inside the same schema.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Sized
from typing import Any, Final

Problem = dict[str, str]
"""`{"path": "items[3].name", "message": …}`; the path of the whole value is empty."""

MOST: Final = 50
"""Problems listed at most; the rest would help nobody."""
_DEEP: Final = 200


def problems(schema: Any, value: Any) -> list[Problem]:
    """What is wrong with `value`, in the order of the schema; empty when it fits."""
    check = _Check(schema, "")
    check.value(schema, value, "", 0)
    return check.found


class _Check:
    """One value on its way through one schema. `other` = it is of another type or has another tag,
    so that of several allowed forms this one was not meant.
    """

    __slots__ = ("found", "other", "root", "start")

    def __init__(self, root: Any, start: str) -> None:
        self.root = root
        self.start = start
        self.found: list[Problem] = []
        self.other = False

    def add(self, path: str, message: str) -> None:
        if len(self.found) < MOST:
            self.found.append({"path": path, "message": message})

    def value(self, schema: Any, value: Any, path: str, deep: int) -> None:
        """Adds the problems of one value."""
        if schema is False:
            self.add(path, "not allowed here")
        if not isinstance(schema, dict) or deep > _DEEP or len(self.found) >= MOST:
            return
        types = schema.get("type")
        if types is not None and not _is_a(types, value):
            self.other = self.other or path == self.start
            self.add(path, f"expected {_either(types)}, found {_name(value)}")
            return
        for keyword, rule in schema.items():
            check = _CHECKS.get(keyword)
            if check is not None:
                check(self, schema, rule, value, path, deep)


def _ref(check: _Check, _: Any, rule: Any, value: Any, path: str, deep: int) -> None:
    target = check.root
    for part in str(rule).removeprefix("#").split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        target = target.get(name) if isinstance(target, dict) else None
    check.value(target, value, path, deep + 1)


def _all_of(check: _Check, _: Any, rule: Any, value: Any, path: str, deep: int) -> None:
    for schema in rule:
        check.value(schema, value, path, deep + 1)


def _any_of(check: _Check, _: Any, rule: Any, value: Any, path: str, deep: int) -> None:
    trials = []
    for schema in rule:
        trial = _Check(check.root, path)
        trial.value(schema, value, path, deep + 1)
        if not trial.found:
            return
        trials.append(trial)
    meant = [trial for trial in trials if not trial.other]
    if len(meant) == 1 or len(trials) == 1:
        for problem in (meant or trials)[0].found:
            check.add(problem["path"], problem["message"])
    elif trials:
        messages = dict.fromkeys(trial.found[0]["message"] for trial in trials)
        check.add(path, "fits none of the allowed forms: " + "; ".join(messages))


def _enum(check: _Check, _: Any, rule: Any, value: Any, path: str, __: int) -> None:
    if not any(_same(allowed, value) for allowed in rule):
        check.other = check.other or len(rule) == 1
        check.add(path, f"expected one of {', '.join(map(_show, rule[:20]))}, found {_show(value)}")


def _const(check: _Check, _: Any, rule: Any, value: Any, path: str, __: int) -> None:
    if not _same(rule, value):
        check.other = True
        check.add(path, f"expected {_show(rule)}, found {_show(value)}")


def _required(check: _Check, _: Any, rule: Any, value: Any, path: str, __: int) -> None:
    if isinstance(value, dict):
        for name in rule:
            if name not in value:
                check.add(_join(path, name), "is missing")


def _properties(check: _Check, _: Any, rule: Any, value: Any, path: str, deep: int) -> None:
    if isinstance(value, dict):
        for name, schema in rule.items():
            if name in value:
                check.value(schema, value[name], _join(path, name), deep + 1)


def _patterns(check: _Check, _: Any, rule: Any, value: Any, path: str, deep: int) -> None:
    if isinstance(value, dict):
        for pattern, schema in rule.items():
            for name in value:
                if _matches(pattern, name):
                    check.value(schema, value[name], _join(path, name), deep + 1)


def _additional(check: _Check, schema: Any, rule: Any, value: Any, path: str, deep: int) -> None:
    if not isinstance(value, dict) or rule is True:
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", ())
    for name in value:
        if name in known or any(_matches(pattern, name) for pattern in patterns):
            continue
        if rule is False:
            allowed = f"; the fields are {', '.join(list(known)[:20])}" if known else ""
            check.add(_join(path, name), f"is no field of it{allowed}")
        else:
            check.value(rule, value[name], _join(path, name), deep + 1)


def _names(check: _Check, _: Any, rule: Any, value: Any, path: str, deep: int) -> None:
    if isinstance(value, dict):
        for name in value:
            check.value(rule, name, _join(path, name), deep + 1)


def _items(check: _Check, schema: Any, rule: Any, value: Any, path: str, deep: int) -> None:
    if isinstance(value, list):
        first = len(schema.get("prefixItems", ()))
        if rule is False and len(value) > first:
            check.add(path, f"expected at most {first} items, found {len(value)}")
            return
        for index, item in enumerate(value[first:], first):
            if len(check.found) >= MOST:
                return
            check.value(rule, item, f"{path}[{index}]", deep + 1)


def _prefix(check: _Check, _: Any, rule: Any, value: Any, path: str, deep: int) -> None:
    if isinstance(value, list):
        for index, (schema, item) in enumerate(zip(rule, value, strict=False)):
            check.value(schema, item, f"{path}[{index}]", deep + 1)


def _pattern(check: _Check, _: Any, rule: Any, value: Any, path: str, __: int) -> None:
    if isinstance(value, str) and not _matches(rule, value):
        check.add(path, f"expected text that matches {rule}, found {_show(value)}")


_Rule = Callable[[_Check, Any, Any, Any, str, int], None]


def _bound(kind: Callable[[Any], Any], fits: Callable[[Any, Any], bool], words: str) -> _Rule:
    """A keyword that compares a measure of the value (None: not its business) with a number."""

    def check(check: _Check, _: Any, rule: Any, value: Any, path: str, __: int) -> None:
        measure = kind(value)
        if measure is not None and not fits(measure, rule):
            check.add(path, f"expected {words.format(rule)}, found {measure}")

    return check


def _number(value: Any) -> Any:
    return value if _is_number(value) else None


def _length_of(kind: type[Sized]) -> Callable[[Any], Any]:
    return lambda value: len(value) if isinstance(value, kind) else None


_CHECKS: Final[dict[str, _Rule]] = {
    "$ref": _ref,
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _any_of,
    "enum": _enum,
    "const": _const,
    "required": _required,
    "properties": _properties,
    "patternProperties": _patterns,
    "additionalProperties": _additional,
    "propertyNames": _names,
    "items": _items,
    "prefixItems": _prefix,
    "pattern": _pattern,
    "minimum": _bound(_number, operator.ge, "{} or more"),
    "maximum": _bound(_number, operator.le, "{} or less"),
    "exclusiveMinimum": _bound(_number, operator.gt, "more than {}"),
    "exclusiveMaximum": _bound(_number, operator.lt, "less than {}"),
    "minLength": _bound(_length_of(str), operator.ge, "at least {} characters"),
    "maxLength": _bound(_length_of(str), operator.le, "at most {} characters"),
    "minItems": _bound(_length_of(list), operator.ge, "at least {} items"),
    "maxItems": _bound(_length_of(list), operator.le, "at most {} items"),
    "minProperties": _bound(_length_of(dict), operator.ge, "at least {} fields"),
    "maxProperties": _bound(_length_of(dict), operator.le, "at most {} fields"),
}

_TYPES: Final[dict[str, type]] = {
    "null": type(None),
    "boolean": bool,
    "string": str,
    "array": list,
    "object": dict,
}


def _is_a(types: Any, value: Any) -> bool:
    if not isinstance(types, str):
        return any(_is_a(one, value) for one in types)
    if types in ("number", "integer"):
        return _is_number(value) and (
            types == "number" or isinstance(value, int) or value.is_integer()
        )
    return types not in _TYPES or isinstance(value, _TYPES[types])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _name(value: Any) -> str:
    if _is_number(value):
        return "integer" if isinstance(value, int) else "number"
    return next(name for name, kind in _TYPES.items() if isinstance(value, kind))


def _either(types: Any) -> str:
    return types if isinstance(types, str) else " or ".join(types)


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 is 1.0, but true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _show(value: Any) -> str:
    text = '"' + value + '"' if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern)
    except re.error:
        return None  # written for another dialect; the worker's own check decides


def _matches(pattern: str, text: str) -> bool:
    compiled = _compiled(pattern)
    return compiled is None or compiled.search(text) is not None
