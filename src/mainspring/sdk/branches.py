"""The asyncio tasks of a run: their scopes as they are made, and whether all of them wait."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
import sys
from collections.abc import Callable, Coroutine
from types import CodeType, FrameType, MethodType
from typing import Any, Final

from mainspring.sdk.context import running
from mainspring.sdk.journal import Journal
from mainspring.sdk.scopes import Branch, Group, current_branch

Maker = Callable[..., "asyncio.Task[Any]"]


def _code(function: Any) -> CodeType:
    code: CodeType = function.__code__
    return code


_GATHER: Final = _code(asyncio.gather)
_IN_GROUP: Final = _code(asyncio.TaskGroup.create_task)
_HOP: Final = next(
    const
    for const in _code(asyncio.run_coroutine_threadsafe).co_consts
    if isinstance(const, CodeType)
)
# these make a task for one awaitable of the same branch, on some versions of Python
_SAME: Final = frozenset({_code(asyncio.wait_for), _code(asyncio.shield), _HOP})
_BETWEEN: Final = frozenset(
    _code(function)
    for function in (
        asyncio.create_task,
        asyncio.ensure_future,
        asyncio.BaseEventLoop.create_task,
        getattr(asyncio.tasks, "_ensure_future", None),
    )
    if function is not None
)
_EXITS: Final = frozenset(
    _code(method)
    for method in (asyncio.TaskGroup.__aexit__, getattr(asyncio.TaskGroup, "_aexit", None))
    if method is not None
)
_WAIT: Final = getattr(getattr(asyncio.tasks, "_wait", None), "__code__", None)


def install(loop: asyncio.AbstractEventLoop) -> None:
    """Have tasks that the code of runs makes on this loop belong to their run; again does nothing.

    A task factory that is there already goes on making the tasks.
    """
    before = loop.get_task_factory()
    if getattr(before, "__module__", "") == __name__:
        return
    make: Any = _task if before is None else before

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> Any:
        ctx = running.get()
        if ctx is None or ctx.open_journal is None:
            if before is None:
                return asyncio.Task(coro, loop=loop, **options)
            return make(loop, coro, **options)
        return _of_run(ctx.journal, make, loop, coro, options)

    loop.set_task_factory(factory)


def _task(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Task[Any]:
    return asyncio.Task(coro, loop=loop, **options)


def _of_run(
    journal: Journal, make: Maker, loop: asyncio.AbstractEventLoop, coro: Any, options: Any
) -> asyncio.Task[Any]:
    """A task made by the code of a run, which its journal knows."""
    branch, group = _branch_for(journal, sys._getframe(2))
    if branch is not None:
        context = options.get("context")
        # a copy, because the variable is this task's alone
        context = contextvars.copy_context() if context is None else context.copy()
        context.run(current_branch.set, branch)
        options["context"] = context
    made = make(loop, coro, **options)
    if not made.done():  # it may have been executed at once
        journal.branches.add(made)
        made.add_done_callback(_Ended(journal, group))
    elif group is not None:
        group.ended()
    return made


class _Ended:
    """Called when an asyncio task of a run has ended."""

    __slots__ = ("_group", "_journal")

    def __init__(self, journal: Journal, group: Group | None) -> None:
        self._journal = journal
        self._group = group

    def __call__(self, task: asyncio.Task[Any]) -> None:
        journal = self._journal
        journal.branches.discard(task)
        if self._group is not None:
            self._group.ended()
        if journal.waiting and journal.stirred is not None:
            journal.stirred()


def _branch_for(journal: Journal, frame: FrameType | None) -> tuple[Branch | None, Group | None]:
    """The branch that a new task is, None for its maker's own; and the group it is of."""
    here = current_branch.get() or journal.root
    if here.step is not None:
        return None, None
    while frame is not None and frame.f_code in _BETWEEN:
        frame = frame.f_back
    if frame is None or frame.f_code in _SAME:
        return None, None
    if frame.f_code is _GATHER:
        group = here.gathered(frame.f_locals["children"])
    elif frame.f_code is _IN_GROUP:
        group = here.group(frame.f_locals["self"])
    else:
        return Branch(here.scope), None
    return group.branch(), group


def blocked(journal: Journal) -> bool:
    """Whether nothing of the run can go on before one of its durable waits ends.

    So it is when each live task of it is in such a wait, or waits (`await task`, gather, TaskGroup,
    `asyncio.wait` without a time-out) only for tasks of the run that are, and no `asyncio.timeout`
    is running around any of them: it would end the wait. In doubt it answers no.
    """
    waiting = journal.waiting
    if not waiting or (journal.thread is not None and journal.thread not in journal.hopping):
        return False
    branches = journal.branches
    return all(
        not task.done() and (task in waiting or _waits_for(task, branches)) and not _is_timed(task)
        for task in branches
    )


def _waits_for(task: asyncio.Task[Any], branches: set[asyncio.Task[Any]]) -> bool:
    """Whether only tasks of the run can let this one go on."""
    future = getattr(task, "_fut_waiter", None)
    if future is None or future.done():
        return False
    awaited = _awaited(future, task)
    return bool(awaited) and all(each in branches for each in awaited)


def _awaited(future: Any, task: asyncio.Task[Any]) -> list[Any]:
    """The unfinished tasks behind a future that `task` is suspended on; none when not known."""
    if isinstance(future, asyncio.Task):
        return [future]
    children = getattr(future, "_children", None)  # a gather
    if children is None:
        children = _of_frame(task)
    found = []
    for child in children:
        if isinstance(child, asyncio.Task):
            if not child.done():
                found.append(child)
        else:
            inner = _awaited(child, task) if hasattr(child, "_children") else []
            if not inner:
                return []  # something of which nothing is known
            found += inner
    return found


def _is_timed(task: asyncio.Task[Any]) -> bool:
    """Whether a coroutine of the task is inside an `asyncio.timeout` that can still run out."""
    coroutine: Any = task.get_coro()
    while inspect.iscoroutine(coroutine):
        # a suspended coroutine refers to what its `async with` blocks will leave
        for held in gc.get_referents(coroutine):
            owner = held.__self__ if type(held) is MethodType else held
            if isinstance(owner, asyncio.Timeout) and owner.when() is not None:
                state = getattr(owner, "_state", None)
                if getattr(state, "value", "active") in ("active", "expiring"):
                    return True
        coroutine = coroutine.cr_await
    return False


def _of_frame(task: asyncio.Task[Any]) -> Any:
    """What the innermost coroutine of a task waits for, if it is one of asyncio's own."""
    inner: Any = task.get_coro()
    while inspect.iscoroutine(inner) and inspect.iscoroutine(inner.cr_await):
        inner = inner.cr_await
    frame = getattr(inner, "cr_frame", None)
    if frame is None:
        return ()
    if frame.f_code in _EXITS:
        return list(frame.f_locals["self"]._tasks)
    if frame.f_code is _WAIT and frame.f_locals["timeout"] is None:
        return list(frame.f_locals["fs"])
    return ()
