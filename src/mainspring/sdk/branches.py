"""The asyncio tasks of a run: their scopes as they are made, and whether all of them wait."""

from __future__ import annotations

import asyncio

from mainspring.sdk.journal import Journal


def install(loop: asyncio.AbstractEventLoop) -> None:
    """Have tasks that the code of runs makes on this loop belong to their run; again does nothing.

    A task factory that is there already goes on making the tasks.
    """
    raise NotImplementedError


def blocked(journal: Journal) -> bool:
    """Whether nothing of the run can go on before one of its durable waits ends.

    So it is when each live task of it is in such a wait, or waits (`await task`, gather, TaskGroup,
    `asyncio.wait` without a time-out) only for tasks of the run that are. In doubt it answers no.
    """
    raise NotImplementedError
