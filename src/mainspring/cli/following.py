"""Watching one run until it is final, with its log and its changes of state."""

from __future__ import annotations

import asyncio
from typing import Final

import click

from mainspring.cli import columns, items
from mainspring.cli.connection import Talk
from mainspring.cli.faults import FAILED
from mainspring.errors import ResultTimeout
from mainspring.model.run import Run, Status
from mainspring.wire.calls import AwaitRuns, ChangedRuns, ListLogs, LogPage

_TURN_MS: Final = 30_000


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
        lines = asyncio.ensure_future(self._follow_logs()) if self._logs else None
        try:
            async with asyncio.timeout(None if timeout_ms is None else timeout_ms / 1000):
                run = await self._follow_states()
                if lines is not None:
                    await lines
        except TimeoutError:
            told = "" if self._status is None else f" is {self._status.upper()} and"
            raise ResultTimeout(
                f"Run {self._run_id}{told} has not ended in time; it goes on."
            ) from None
        finally:
            if lines is not None:
                lines.cancel()
                await asyncio.gather(lines, return_exceptions=True)
        self._print_state(run)
        return run

    async def _follow_states(self) -> Run:
        """The run once it is final; its states before that are printed as they come."""
        place = ChangedRuns([], 0)
        while True:
            found: ChangedRuns = await self._talk.ask(
                AwaitRuns(self._run_id, after=place.after, beside=place.beside, timeout_ms=_TURN_MS)
            )
            place = found
            for run in found.runs:
                if run.status.is_final:
                    return run
                self._print_state(run)
                self._status = run.status

    async def _follow_logs(self) -> None:
        """Print lines as they come, until the run has ended and there are no more."""
        aside = self._states and not self._talk.out.for_people
        while not await self._print_page(aside, _TURN_MS):
            pass

    async def print_logs(self, *, aside: bool = False) -> None:
        """Print the lines that are new; `aside` sends them to stderr as text."""
        seen = -1
        while seen != self._seen:
            seen = self._seen
            await self._print_page(aside, 0)

    async def _print_page(self, aside: bool, timeout_ms: int) -> bool:
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
