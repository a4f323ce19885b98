"""Watching one run until it is final, with its log and its changes of state."""

from __future__ import annotations

import time
from typing import Final

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk
from mainspring.cli.faults import FAILED
from mainspring.errors import ResultTimeout
from mainspring.model.run import Run, Status
from mainspring.wire.calls import AwaitRun, ListLogs, LogPage

_TURN_MS: Final = 1_000
_LONG_TURN_MS: Final = 30_000


class Follower:
    """One run that is being followed; it remembers what it has printed."""

    def __init__(
        self, talk: Talk, run_id: str, *, logs: bool = False, states: bool = False
    ) -> None:
        self._talk = talk
        self._run_id = run_id
        self._logs = logs
        self._states = states
        self._seen = 0
        self._status: Status | None = None

    async def until_final(self, timeout_ms: int | None = None) -> Run:
        """The run once it is final, printing what was asked for as it comes.

        Raises: ResultTimeout after `timeout_ms`; the run goes on.
        """
        ends_at = None if timeout_ms is None else time.monotonic() + timeout_ms / 1000
        turn = _TURN_MS if self._logs or self._states else _LONG_TURN_MS
        while True:
            left = turn if ends_at is None else round((ends_at - time.monotonic()) * 1000)
            run: Run = await self._talk.ask(AwaitRun(self._run_id, max(0, min(turn, left))))
            if self._logs:
                await self.print_logs(aside=self._states and not self._talk.out.for_people)
            self._print_state(run)
            if run.status.is_final:
                return run
            if ends_at is not None and time.monotonic() >= ends_at:
                raise ResultTimeout(
                    f"Run {self._run_id} is {run.status.upper()} and has not ended in time; "
                    "it goes on."
                )

    async def print_logs(self, *, aside: bool = False) -> None:
        """Print the lines that are new; `aside` sends them to stderr as text."""
        while True:
            page: LogPage = await self._talk.ask(ListLogs(self._run_id, self._seen))
            for item in items.logs(page):
                if aside or self._talk.out.for_people:
                    click.echo(columns.log_line(item), err=aside)
                else:
                    self._talk.out.line(item)
            if not page.lines:
                return
            self._seen = page.lines[-1].seq

    @staticmethod
    def code(run: Run) -> int:
        """The exit code that tells how the run ended."""
        return 0 if run.status is Status.COMPLETED else FAILED

    def _print_state(self, run: Run) -> None:
        if not self._states or run.status is self._status or self._talk.out.quiet:
            return
        self._status = run.status
        if self._talk.out.for_people:
            self._talk.out.note(f"{run.id} {run.status.upper()}")
        else:
            self._talk.out.line(items.run(run))
