"""Requests that running code makes once: steps in a run, plain calls elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final, ParamSpec, TypeVar

from mainspring.sdk.context import running
from mainspring.sdk.scopes import current_branch
from mainspring.sdk.step import begin
from mainspring.sdk.step_options import settle

P = ParamSpec("P")
R = TypeVar("R")
_UNCHECKED: Final = settle({"check_args": False})


def kept(
    name: str, request: Callable[P, Coroutine[Any, Any, R]], *args: P.args, **kwargs: P.kwargs
) -> Coroutine[Any, Any, R]:
    """Make the request, as a step of that name in the body of a run.

    Inside of another step, which is recorded as a whole, it is only made, as outside of runs.
    """
    ctx, branch = running.get(), current_branch.get()
    if ctx is None or ctx.open_journal is None or (branch is not None and branch.step is not None):
        return request(*args, **kwargs)
    made: Coroutine[Any, Any, R] = begin(name, request, args, kwargs, _UNCHECKED)
    return made


def request_key() -> str | None:
    """What marks the request of this step in every repetition of it; None outside of steps."""
    ctx, branch = running.get(), current_branch.get()
    if ctx is None or ctx.open_journal is None or branch is None or branch.step is None:
        return None
    return f"{ctx.run_id}:{ctx.journal.generation}:{branch.step}"
