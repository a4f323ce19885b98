"""Printing what a run has written."""

from __future__ import annotations

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk
from mainspring.wire.calls import ListLogs, LogPage


class Lines:
    """The log of one run; it remembers what it has printed."""

    def __init__(self, talk: Talk, run_id: str) -> None:
        self._talk = talk
        self._run_id = run_id
        self._seen = 0

    async def print_all(self, *, aside: bool = False) -> None:
        """Print the lines that are new; `aside` sends them to stderr as text."""
        seen = -1
        while seen != self._seen:
            seen = self._seen
            await self.print_page(aside, 0)

    async def print_page(self, aside: bool, timeout_ms: int) -> bool:
        """Print what is new, waiting for it so long at most; whether that was the end."""
        page: LogPage = await self._talk.ask(
            ListLogs(self._run_id, self._seen, timeout_ms=timeout_ms)
        )
        for item in items.logs(page):
            if aside or self._talk.out.for_people:
                click.echo(columns.log_line(item), err=aside)
            else:
                self._talk.out.line(item)
        if page.lines:
            self._seen = page.lines[-1].seq
        return page.ended
