"""Code of tasks that `task.local` calls without a run. What a verb does there is its own matter."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Final

from mainspring.errors import Misplaced

_local: Final[ContextVar[bool]] = ContextVar("mainspring_local", default=False)


def is_local() -> bool:
    """Whether this code was called by `task.local`: nothing is recorded, and time is real."""
    return _local.get()


@contextlib.contextmanager
def without_run() -> Iterator[None]:
    """Inside, durable verbs that can do without a run do so."""
    token = _local.set(True)
    try:
        yield
    finally:
        _local.reset(token)


def outside(what: str) -> Misplaced:
    """For a durable verb that was called where there is no run."""
    return Misplaced(
        f"{what} was called outside a run. Trigger the task instead of calling its function; to "
        "try it without a run use `await my_task.local(...)`, in tests `mainspring.testing`."
    )
