"""The rooms that decide take time, chance and identity as arguments, so that tests can fix them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGE, python_files, short, tree

DECIDING = ("model", "dispatch", "engine")
MODULES = {"time", "random", "uuid", "secrets"}
CALLS = {"now", "utcnow", "today", "urandom"}


def deciding_files() -> list[Path]:
    rooms = [PACKAGE / room for room in DECIDING] + [PACKAGE / f"{room}.py" for room in DECIDING]
    return [p for p in python_files("src") if any(p.is_relative_to(room) for room in rooms)]


def sources_of_chance(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Yields (line, name) of each import or call that would answer differently the next time."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for name in node.names:
                if name.name.split(".")[0] in MODULES:
                    yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            yield node.lineno, str(node.module)
        elif (
            isinstance(node, ast.Attribute)
            and node.attr in CALLS
            and isinstance(node.value, ast.Name | ast.Attribute)
            and ast.unparse(node.value).split(".")[-1] in {"datetime", "date", "os"}
        ):
            yield node.lineno, ast.unparse(node)


def test_the_deciding_rooms_read_no_clock_and_throw_no_dice() -> None:
    found = [
        f"{short(path)}:{line} {name}"
        for path in deciding_files()
        for line, name in sources_of_chance(tree(path))
    ]
    assert not found, f"Take `now`, a clock or an id source as an argument instead: {found}"


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from time import monotonic",
        "import random as r",
        "from uuid import uuid4",
        "import datetime\ndatetime.datetime.now()",
        "from datetime import date\ndate.today()",
        "import os\nos.urandom(4)",
    ],
)
def test_a_hidden_clock_or_die_is_seen(source: str) -> None:
    assert list(sources_of_chance(ast.parse(source)))
