"""Types of tasks as a Python module: TypedDicts, and a `RemoteTask` for each task."""

from __future__ import annotations

import json
import keyword
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
    Signature,
    Table,
    Types,
    Word,
)

_WORDS: Final = {
    "text": "str", "integer": "int", "number": "float", "truth": "bool", "null": "None",
    "any": "Any",
}  # fmt: skip
_HEAD: Final = '''"""Typed tasks of a Mainspring server.

Written by `mainspring generate client`; run it again instead of editing this file.
"""

from __future__ import annotations
'''
_TYPING: Final = ("Any", "Final", "Literal", "NotRequired", "TypedDict")
_TAKEN: Final = {*_TYPING, "RemoteTask"}


def write(types: Types) -> str:
    """The text of the module."""
    names = {record.name: _record_name(record.name) for record in types.records}
    body = "".join(f"\n\n{_record(record, names)}" for record in types.records)
    body += "\n" if types.tasks else ""
    body += "".join(f"\n{text}" for text in _tasks(types, set(names.values()), names))
    used = [word for word in _TYPING if re.search(rf"\b{word}\b", body)]
    imports = f"\nfrom typing import {', '.join(used)}\n" if used else ""
    if types.tasks:
        imports += "\nfrom mainspring import RemoteTask\n"
    return _HEAD + imports + body


def _record_name(name: str) -> str:
    return f"{name}_" if name in _TAKEN or keyword.iskeyword(name) else name


def _record(record: Record, names: dict[str, str]) -> str:
    """A class; the functional form where a field's name cannot stand in a class."""
    name = names[record.name]
    types = [
        (
            field,
            _type(field.shape, names)
            if field.required
            else f"NotRequired[{_type(field.shape, names)}]",
        )
        for field in record.fields
    ]
    if all(_can_be_attribute(field.name) for field in record.fields):
        lines = [f"class {name}(TypedDict):"]
        if record.text:
            lines += [f'    """{_text(record.text)}"""', ""]
        for field, type_ in types:
            lines += [f"    # {line}" for line in field.text.splitlines()]
            lines.append(f"    {field.name}: {type_}")
        return "\n".join(lines) + "\n"
    lines = [f"{name} = TypedDict(", f"    {_quoted(name)},", "    {"]
    lines += [f"        {_quoted(field.name)}: {_quoted(type_)}," for field, type_ in types]
    return "\n".join([*lines, "    },", ")"]) + "\n"


def _tasks(types: Types, taken: set[str], names: dict[str, str]) -> Iterator[str]:
    used = set(taken) | _TAKEN
    for task in types.tasks:
        name = _variable(task)
        while name in used:
            name += "_"
        used.add(name)
        payload = "None" if task.payload is None else _type(task.payload, names)
        output = _type(task.output, names)
        text = f"{name}: Final[RemoteTask[{payload}, {output}]] = RemoteTask({_quoted(task.id)})\n"
        yield text + (f'"""{_text(task.text)}"""\n' if task.text else "")


def _variable(task: Signature) -> str:
    name = re.sub(r"[^A-Za-z0-9]+", "_", task.id).strip("_").lower() or "task"
    name = f"task_{name}" if name[0].isdigit() else name
    return f"{name}_" if keyword.iskeyword(name) else name


def _type(shape: Shape, names: dict[str, str]) -> str:
    match shape:
        case Word(name):
            return _WORDS[name]
        case Listed(of):
            return f"list[{_type(of, names)}]"
        case Table(of):
            return f"dict[str, {_type(of, names)}]"
        case Constants(values):
            return f"Literal[{', '.join(_constant(value) for value in values)}]"
        case Either(of):
            return " | ".join(_type(each, names) for each in of)
        case Named(name):
            return names[name]


def _constant(value: str | int | bool | None) -> str:
    return _quoted(value) if isinstance(value, str) else repr(value)


def _can_be_attribute(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("__")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _text(text: str) -> str:
    """Safe between three quotes."""
    text = text.strip().replace("\\", "\\\\").replace('"""', "'''")
    return f"{text} " if text.endswith('"') else text
