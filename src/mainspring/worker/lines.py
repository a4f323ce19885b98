"""What one run has printed: whole lines, cut and counted. Where they go is `capture`'s business."""

from __future__ import annotations

import re
from typing import Final

LINE_LIMIT: Final = 64 * 1024
RUN_LIMIT: Final = 10_000
NOTICE: Final = f"This run has logged {RUN_LIMIT:,} lines; what it logs from here on is not kept."

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


class Lines:
    """Turns a run's writes into lines, at most 10,000 and one notice."""

    __slots__ = ("_count", "_open")

    def __init__(self) -> None:
        self._count = 0
        self._open: dict[str, str] = {}

    def admit(self) -> bool | None:
        """Count one line: True to keep it, None for the notice in its place, False to drop it."""
        self._count += 1
        if self._count <= RUN_LIMIT:
            return True
        return None if self._count == RUN_LIMIT + 1 else False

    def feed(self, level: str, text: str) -> list[str]:
        """Lines that this write has completed; the rest waits for the next one."""
        text = self._open.pop(level, "") + text
        *whole, rest = text.split("\n")
        if len(rest) > LINE_LIMIT:
            whole.append(rest)
        elif rest:
            self._open[level] = rest
        return whole

    def rest(self) -> list[tuple[str, str]]:
        """(level, text) of lines that were never ended."""
        rest, self._open = list(self._open.items()), {}
        return rest


def kept(text: str) -> str:
    """A line as it is stored: cut at 64 KiB characters, without what no database can hold."""
    text = text.removesuffix("\r")
    if len(text) > LINE_LIMIT:
        text = f"{text[:LINE_LIMIT]}… ({len(text) - LINE_LIMIT:,} more characters)"
    if text.isascii() and "\0" not in text:
        return text
    return _UNSTORABLE.sub("\ufffd", text)
