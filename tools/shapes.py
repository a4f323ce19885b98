"""What processes of different releases say to each other, as plain data: `./dev upgrade --record`.

The record of the release before lies in `tests/wire/previous.json`; the tests hold it against the
messages of now. Meaning is not compared, only what can be read.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Final

from msgspec import inspect

from mainspring.store import migrations
from mainspring.store.dialect import POSTGRES
from mainspring.wire import beats, calls, worker

ROOT: Final = Path(__file__).resolve().parents[1]
FILE: Final = ROOT / "tests" / "wire" / "previous.json"
ROOTS: Final = (
    worker.Hello, worker.Frame, list[worker.ToWorker], beats.Named, beats.Known, calls.Request,
    *dict.fromkeys(calls.RESPONSES.values()),
)  # fmt: skip


def previous() -> dict[str, Any]:
    """The record of the release before."""
    told: dict[str, Any] = json.loads(FILE.read_text())
    return told


def shapes() -> dict[str, Any]:
    """Every message: whether it is an array, its tag, and its fields as [name, type, optional]."""
    found: dict[str, Any] = {}
    for root in inspect.multi_type_info(ROOTS):
        _walk(root, found)
    return dict(sorted(found.items()))


def _walk(info: Any, found: dict[str, Any]) -> None:
    if isinstance(info, inspect.StructType):
        name = _name(info)
        if name in found:
            return
        fields = [[field.encode_name, spelled(field.type), not field.required]
                  for field in info.fields]  # fmt: skip
        found[name] = {"array": info.array_like, "tag": info.tag, "fields": fields}
        for field in info.fields:
            _walk(field.type, found)
        return
    for inner in _inner(info):
        _walk(inner, found)


def spelled(info: Any) -> str:
    """A type as text; a union as its sorted members."""
    if isinstance(info, inspect.StructType):
        return _name(info)
    if isinstance(info, inspect.UnionType):
        return " | ".join(sorted(spelled(one) for one in info.types))
    word = type(info).__name__.removesuffix("Type").lower()
    inner = _inner(info)
    return f"{word}[{', '.join(spelled(one) for one in inner)}]" if inner else word


def _inner(info: Any) -> list[Any]:
    if isinstance(info, inspect.UnionType):
        return list(info.types)
    if isinstance(info, inspect.DictType):
        return [info.key_type, info.value_type]
    if isinstance(info, inspect.TupleType):
        return list(info.item_types)
    return [info.item_type] if hasattr(info, "item_type") else []


def _name(info: Any) -> str:
    """Of the class alone: where it is defined is not said to anybody."""
    name: str = info.cls.__name__
    return name


def record() -> None:
    """Write down the messages and the schema of now as those of the release before."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    head = {
        "commit": commit,
        "protocol": worker.PROTOCOL,
        "migrations": {one.name: one.checksum for one in migrations.known(POSTGRES)},
    }
    # a message is a line, so that a difference is one too
    lines = [f" {json.dumps(name)}: {json.dumps(shape)}" for name, shape in shapes().items()]
    messages = ",\n".join(lines)
    FILE.write_text(f'{json.dumps(head)[:-1]}, "messages": {{\n{messages}\n}}}}\n')
