"""JSON Schema of tasks as a few kinds of types with names, which languages write. No text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from msgspec import Struct

from mainspring.wire.calls import Task

_WORDS: Final = {
    "string": "text", "integer": "integer", "number": "number", "boolean": "truth", "null": "null"
}  # fmt: skip


class Word(Struct, frozen=True):
    """`text`, `integer`, `number`, `truth`, `null`, or `any`."""

    name: str


class Listed(Struct, frozen=True):
    """A list of one type."""

    of: Shape


class Table(Struct, frozen=True):
    """An object with any names and values of one type."""

    of: Shape


class Constants(Struct, frozen=True):
    """One of these values."""

    values: tuple[Any, ...]


class Either(Struct, frozen=True):
    """One of these types."""

    of: tuple[Shape, ...]


class Named(Struct, frozen=True):
    """The record of that name."""

    name: str


Shape = Word | Listed | Table | Constants | Either | Named
ANY: Final = Word("any")


class Field(Struct, frozen=True):
    name: str
    shape: Shape
    required: bool
    text: str


class Record(Struct, frozen=True):
    """An object with fields; `name` is in PascalCase."""

    name: str
    text: str
    fields: tuple[Field, ...]


class Signature(Struct, frozen=True):
    """A task; without a payload when it takes nothing. `name` is in PascalCase."""

    id: str
    name: str
    text: str
    payload: Shape | None
    output: Shape


class Types(Struct, frozen=True):
    """Everything that a file declares, in order."""

    records: tuple[Record, ...]
    tasks: tuple[Signature, ...]


def read(tasks: Iterable[Task]) -> Types:
    """The types of these tasks, without the ones that only call failure hooks."""
    reader = _Reader()
    found = [
        reader.signature(task)
        for task in sorted(tasks, key=lambda task: task.id)
        if not task.id.endswith(":on_failure")
    ]
    records = tuple(record for record in reader.records.values() if record is not None)
    return Types(records, tuple(found))


def pascal(text: str) -> str:
    """`send-receipt` and `send receipt` as `SendReceipt`; never empty and never a digit first."""
    parts = re.findall(r"[A-Za-z0-9]+", text)
    name = "".join(part[0].upper() + part[1:] for part in parts) or "Unnamed"
    return f"N{name}" if name[0].isdigit() else name


class _Reader:
    def __init__(self) -> None:
        self.records: dict[str, Record | None] = {}
        self._made: dict[str, str] = {}
        self._tasks: set[str] = set()
        self._open: list[str] = []

    def signature(self, task: Task) -> Signature:
        name = self._free(pascal(task.id), self._tasks)
        self._tasks.add(name)
        payload = task.payload_schema
        output = task.spec.get("output_schema")
        return Signature(
            task.id,
            name,
            task.description,
            None if _takes_nothing(payload) else self._root(payload, task, f"{name}Payload"),
            self._root(output, task, f"{name}Output"),
        )

    def _root(self, schema: Any, task: Task, name: str) -> Shape:
        if not isinstance(schema, dict):
            return ANY
        title = schema.get("title")
        if isinstance(title, str) and title != task.id:
            name = pascal(title)
        return self._shape(schema, schema.get("$defs", {}), name)

    def _shape(self, schema: Any, defs: dict[str, Any], name: str) -> Shape:
        if not isinstance(schema, dict):
            return ANY
        if "$ref" in schema:
            key = str(schema["$ref"]).rpartition("/")[2]
            return self._definition(key, defs)
        if "const" in schema or "enum" in schema:
            values = [schema["const"]] if "const" in schema else schema["enum"]
            plain = all(value is None or isinstance(value, str | int) for value in values)
            return Constants(tuple(values)) if plain and values else ANY
        for word in ("anyOf", "oneOf"):
            if word in schema:
                return _either(self._shape(each, defs, name) for each in schema[word])
        if len(schema.get("allOf", ())) == 1:
            return self._shape(schema["allOf"][0], defs, name)
        kind = schema.get("type")
        if isinstance(kind, list):
            return _either(self._shape({**schema, "type": each}, defs, name) for each in kind)
        if kind == "array":
            return Listed(self._items(schema, defs, name))
        if kind == "object":
            return self._object(schema, defs, name)
        return Word(_WORDS.get(str(kind), "any"))

    def _definition(self, key: str, defs: dict[str, Any]) -> Shape:
        schema = defs.get(key)
        # only what has a name of its own can be said to hold itself
        if not isinstance(schema, dict) or (key in self._open and not schema.get("properties")):
            return ANY
        self._open.append(key)
        try:
            return self._shape(schema, defs, pascal(str(schema.get("title", key))))
        finally:
            self._open.pop()

    def _items(self, schema: dict[str, Any], defs: dict[str, Any], name: str) -> Shape:
        if "prefixItems" in schema:
            return _either(self._shape(each, defs, f"{name}Item") for each in schema["prefixItems"])
        return self._shape(schema.get("items"), defs, f"{name}Item")

    def _object(self, schema: dict[str, Any], defs: dict[str, Any], name: str) -> Shape:
        if not schema.get("properties"):
            return Table(self._shape(schema.get("additionalProperties"), defs, f"{name}Value"))
        mark = json.dumps([schema, _reached(schema, defs)], sort_keys=True)
        if mark in self._made:
            return Named(self._made[mark])
        name = self._made[mark] = self._free(name, self.records)
        self.records[name] = None  # keeps its place, and what refers to itself finds the name
        required = schema.get("required", ())
        fields = tuple(
            Field(
                key,
                self._shape(each, defs, f"{name}{pascal(key)}"),
                key in required,
                str(each.get("description", "")) if isinstance(each, dict) else "",
            )
            for key, each in schema["properties"].items()
        )
        self.records[name] = Record(name, str(schema.get("description", "")), fields)
        return Named(name)

    @staticmethod
    def _free(name: str, taken: Iterable[str]) -> str:
        known, number, found = set(taken), 2, name
        while found in known:
            found, number = f"{name}{number}", number + 1
        return found


def _takes_nothing(schema: Any) -> bool:
    return (
        isinstance(schema, dict)
        and not schema.get("properties", True)
        and schema.get("additionalProperties") is False
    )


def _either(shapes: Iterable[Shape]) -> Shape:
    flat: dict[Shape, None] = {}
    for shape in shapes:
        flat.update(dict.fromkeys(shape.of if isinstance(shape, Either) else (shape,)))
    if ANY in flat or not flat:
        return ANY
    return next(iter(flat)) if len(flat) == 1 else Either(tuple(flat))


def _reached(schema: Any, defs: dict[str, Any]) -> dict[str, Any]:
    """The definitions that the schema refers to, also through others."""
    found: dict[str, Any] = {}
    open_ = list(_refs(schema))
    while open_:
        key = open_.pop()
        if key in defs and key not in found:
            found[key] = defs[key]
            open_ += _refs(defs[key])
    return found


def _refs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].rpartition("/")[2]
        for each in value.values():
            yield from _refs(each)
    elif isinstance(value, list):
        for each in value:
            yield from _refs(each)
