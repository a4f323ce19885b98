"""Where a durable verb is called: in a run, in code that `task.local` calls, or nowhere."""

from __future__ import annotations

import contextlib
from collections.abc import Coroutine, Iterator
from contextvars import ContextVar
from typing import Any, Final, TypeVar

from mainspring.errors import Misplaced
from mainspring.sdk import portal
from mainspring.sdk.context import running
from mainspring.sdk.journal import Journal

R = TypeVar("R")

_local: Final[ContextVar[bool]] = ContextVar("mainspring_local", default=False)


@contextlib.contextmanager
def without_run() -> Iterator[None]:
    """Inside, durable verbs that can do without a run do so."""
    token = _local.set(True)
    try:
        yield
    finally:
        _local.reset(token)


def journal_for(verb: str) -> Journal | None:
    """The journal that a durable verb belongs to; None for code that `task.local` calls.

    Raises: Misplaced where there is neither.
    """
    ctx = running.get()
    if ctx is not None:
        return ctx.journal
    if _local.get():
        return None
    raise outside(verb)


def journal_of_run() -> Journal | None:
    """The journal that triggers made here belong to; None outside a run."""
    ctx = running.get()
    return None if ctx is None or ctx.open_journal is None else ctx.journal


def blocking(work: Coroutine[Any, Any, R]) -> R:
    """Await something from blocking code, inside a run on the loop of its journal."""
    journal = journal_of_run()
    return portal.run(work) if journal is None else journal.block(work)


def outside(what: str) -> Misplaced:
    """For a durable verb that was called where there is no run."""
    return Misplaced(
        f"{what} was called outside a run. Trigger the task instead of calling its function; to "
        "try it without a run use `await my_task.local(...)`, in tests `mainspring.testing`."
    )
