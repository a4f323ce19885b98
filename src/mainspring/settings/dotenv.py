"""Files of `NAME=value` lines, as `.env` has them: read and written. Nothing is put anywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mainspring.errors import ConfigurationError

_LINE: Final = re.compile(
    r"""[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(?:
        '(?P<literal>[^']*)' | "(?P<quoted>(?:[^"\\]|\\.)*)" | (?P<bare>(?!['"])[^\n]*?)
    )[ \t]*(?:(?<=[ \t'"=])\#[^\n]*)?(?:\n|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_SKIPPED: Final = re.compile(r"[ \t]*(?:\#[^\n]*)?(?:\n|\Z)")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "r": "\r", "t": "\t"}
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")


def read(path: Path) -> dict[str, str]:
    """The variables of a file; the last of equal names counts. Nothing is expanded.

    Values may stand in quotes and then span lines; in double ones a backslash escapes. `#` begins a
    comment after white space. Raises: ConfigurationError that names the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from error
    return parse(text, str(path))


def parse(text: str, place: str) -> dict[str, str]:
    """The variables of such a text. Raises: ConfigurationError that names the line of `place`."""
    text = text.replace("\r\n", "\n")
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        skipped = _SKIPPED.match(text, at)
        if skipped:
            at = skipped.end()
            continue
        line = _LINE.match(text, at)
        if line is None:
            number = text.count("\n", 0, at) + 1
            raise ConfigurationError(
                f"{place}, line {number}: expected NAME=value, "
                "where a name has letters, digits and _."
            )
        found[line["name"]] = _value(line)
        at = line.end()
    return found


def write(values: Mapping[str, str]) -> str:
    """A text that `parse` reads back."""
    return "".join(f"{name}={_quote(value)}\n" for name, value in values.items())


def _value(line: re.Match[str]) -> str:
    if line["literal"] is not None:
        return line["literal"]
    if line["quoted"] is not None:
        return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), line["quoted"])
    return line["bare"]


def _quote(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + escaped.replace("\r", "\\r").replace("\t", "\\t") + '"'
