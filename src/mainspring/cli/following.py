"""Watching one run until it is final, with its log and its changes of state."""

from __future__ import annotations

import asyncio
from typing import Final

from mainspring.cli import items
from mainspring.cli.connection import Talk
from mainspring.cli.faults import FAILED
from mainspring.cli.lines import Lines
from mainspring.errors import ResultTimeout
from mainspring.model.run import Run, Status
from mainspring.wire.calls import AwaitRuns, ChangedRuns

_TURN_MS: Final = 30_000


def until_final(
    talk: Talk, run_id: str, timeout_ms: int | None = None, *, logs: bool, states: bool = False
) -> Run:
    """The run once it is final; its log and its changes of state are printed as they come.

    Raises: ResultTimeout after `timeout_ms`; the run goes on.
    """
    return talk.in_loop(
        lambda there: _Follower(there, run_id, logs=logs, states=states).until_final(timeout_ms)
    )


def exit_code(run: Run) -> int:
    """The exit code that tells how the run ended."""
    return 0 if run.status is Status.COMPLETED else FAILED


class _Follower:
    """One run that is being followed; it remembers what it has printed."""

    def __init__(
        self, talk: Talk, run_id: str, *, logs: bool = False, states: bool = False
    ) -> None:
        self._talk = talk
        self._run_id = run_id
        self._logs = logs
        self._states = states
        self._lines = Lines(talk, run_id)
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
        while not await self._lines.print_page(aside, _TURN_MS):
            pass

    def _print_state(self, run: Run) -> None:
        if not self._states or run.status is self._status or self._talk.out.quiet:
            return
        self._status = run.status
        if self._talk.out.for_people:
            self._talk.out.note(f"{run.id} {run.status.upper()}")
        else:
            self._talk.out.line(items.run(run))
