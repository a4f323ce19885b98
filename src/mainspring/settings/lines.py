"""On which line of a TOML text something is said; the reader of the standard library keeps none."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any


def line_of(text: str, keys: Sequence[str]) -> int:
    """The line, from 1, of the statement that first says these nested keys; 0 when none does.

    It reads the text once for each of its lines, so it is for what a person waits for.
    """
    rows, begin = text.splitlines(keepends=True), 0
    for end in range(1, len(rows) + 1):
        try:
            found = tomllib.loads("".join(rows[:end]))
        except tomllib.TOMLDecodeError:
            continue  # in the middle of a statement
        if _says(found, keys):
            return next(at + 1 for at in range(begin, end) if _is_statement(rows[at]))
        begin = end
    return 0


def _says(found: Any, keys: Sequence[str]) -> bool:
    for key in keys:
        if not isinstance(found, dict) or key not in found:
            return False
        found = found[key]
    return True


def _is_statement(row: str) -> bool:
    return bool(row.strip()) and not row.lstrip().startswith("#")
