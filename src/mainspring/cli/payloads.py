"""JSON that people give on the command line: as text, as @file or on standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

from mainspring.errors import InvalidOptions


def read_json(text: str, name: str) -> str:
    """The JSON text that an option means. Only its form is checked here.

    Raises: InvalidOptions for text that is not JSON, or a file that cannot be read.
    """
    source = name
    if text == "-":
        source = "standard input"
        found = sys.stdin.read()
    elif text.startswith("@"):
        source = text[1:]
        try:
            found = Path(source).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidOptions(f"{name}: {source!r} cannot be read: {error}.") from error
    else:
        found = text
    try:
        msgspec.json.decode(found)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        shown = found.strip()[:80]
        raise InvalidOptions(
            f"{name}: {source if source != name else repr(shown)} is not JSON ({error}). "
            'Write for example \'{"name": "Ada"}\', and text in double quotes: \'"Ada"\'.'
        ) from error
    return found


def read_edits(texts: Iterable[str], name: str) -> dict[str, str]:
    """Values by their keys, each given as KEY=JSON, KEY=@file or KEY=-; a key may hold `=` too.

    Raises: InvalidOptions as `read_json`, and for text without `=`.
    """
    found: dict[str, str] = {}
    for text in texts:
        cuts = [at for at, sign in enumerate(text) if sign == "="]
        if not cuts:
            raise InvalidOptions(
                f"{name}: {text[:80]!r} is no KEY=JSON; write for example total=7."
            )
        for at in cuts:
            try:
                found[text[:at]] = read_json(text[at + 1 :], name)
                break
            except InvalidOptions:
                if at == cuts[-1]:
                    raise
    return found
