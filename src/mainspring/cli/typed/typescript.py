"""Types of tasks as a TypeScript module for the official SDK: `tasks.trigger<SendReceipt>(…)`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from mainspring.cli.typed.shapes import (
    Constants,
    Either,
    Listed,
    Named,
    Record,
    Shape,
    Table,
    Types,
    Word,
)

_WORDS: Final = {
    "text": "string", "integer": "number", "number": "number", "truth": "boolean", "null": "null",
    "any": "unknown",
}  # fmt: skip
_HEAD: Final = """// Types of the tasks of a Mainspring server.
// Written by `mainspring generate client`; run it again instead of editing this file.
"""
_PLAIN: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


def write(types: Types) -> str:
    """The text of the module."""
    taken = {"Task", *(record.name for record in types.records)}
    text = _HEAD
    if types.tasks:
        text += 'import type { Task } from "@trigger.dev/sdk";\n'
    for record in types.records:
        text += f"\n{''.join(_record(record))}"
    for task in types.tasks:
        name = task.name
        while name in taken:
            name += "Task"
        taken.add(name)
        payload = "void" if task.payload is None else _type(task.payload)
        told = _comment(task.text)
        parts = f"{json.dumps(task.id)}, {payload}, {_type(task.output)}"
        text += f"\n{told}export type {name} = Task<{parts}>;\n"
    return text


def _record(record: Record) -> Iterator[str]:
    yield f"{_comment(record.text)}export type {_name(record.name)} = {{\n"
    for field in record.fields:
        key = field.name if _PLAIN.fullmatch(field.name) else json.dumps(field.name)
        mark = "" if field.required else "?"
        yield _comment(field.text, "  ") + f"  {key}{mark}: {_type(field.shape)};\n"
    yield "};\n"


def _name(name: str) -> str:
    return "Task_" if name == "Task" else name


def _type(shape: Shape) -> str:
    match shape:
        case Word(name):
            return _WORDS[name]
        case Listed(of):
            return f"Array<{_type(of)}>"
        case Table(of):
            return f"Record<string, {_type(of)}>"
        case Constants(values):
            return " | ".join(json.dumps(value) for value in values)
        case Either(of):
            return " | ".join(dict.fromkeys(_type(each) for each in of))
        case Named(name):
            return _name(name)


def _comment(text: str, indent: str = "") -> str:
    text = " ".join(text.split()).replace("*/", "* /")
    return f"{indent}/** {text} */\n" if text else ""
