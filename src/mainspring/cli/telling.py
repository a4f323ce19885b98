"""What happens to workers, as lines for people. Deciding what is news is the supervisor's."""

from __future__ import annotations

import contextlib
import sys
from typing import Final

import click

from mainspring.worker.supervise import News

_COLOURS: Final = {
    "import_failed": "red",
    "died": "red",
    "crash_loop": "red",
    "killed": "red",
    "disconnected": "yellow",
    "unreachable": "yellow",
    "kept": "yellow",
    "reloaded": "green",
}
_SILENT: Final = frozenset({"connected", "drained"})


class Teller:
    """Prints news to stderr, each thing once however many processes say it."""

    def __init__(self) -> None:
        self.tasks: tuple[str, ...] | None = None
        self._last = ""

    def __call__(self, news: News) -> None:
        if news.kind == "ready":
            self._ready(news)
        elif news.kind == "import_failed":
            text = f"{news.text}\n{news.traceback}".rstrip()
            if text != self._last:
                self._say(news.kind, text)
            self._last = text
        elif news.kind not in _SILENT:
            self._say(news.kind, news.text)

    def _ready(self, news: News) -> None:
        if news.tasks != self.tasks:
            self.tasks = news.tasks
            known = ", ".join(news.tasks)
            _print(f"Tasks: {known}" if known else "Tasks: none yet")

    def _say(self, kind: str, text: str) -> None:
        colour = _COLOURS.get(kind)
        shown = click.style(text, fg=colour) if colour and sys.stderr.isatty() else text
        _print(shown)


def _print(text: str) -> None:
    with contextlib.suppress(OSError):  # a terminal that is gone must not end the work
        click.echo(text, err=True)
