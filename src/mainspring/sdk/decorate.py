"""The `@task` decorator and its types: how a function's parameters become those of `trigger`."""

# mypy: disable-error-code="overload-overlap"
# A function with a Context also fits the general form below it; the first one that fits is meant.

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, Unpack, cast, overload

from mainspring.errors import InvalidTask
from mainspring.sdk.context import Context
from mainspring.sdk.cron import CatchUp, Cron
from mainspring.sdk.declaration import TaskOptions, declare
from mainspring.sdk.registry import registry
from mainspring.sdk.task import AsyncTask, PlainTask, Task

P = ParamSpec("P")
R = TypeVar("R")
A = TypeVar("A")


class _Untyped:
    """Fits only a parameter without a type, or of type Any: nothing is known of its arguments."""


class TaskDecorator:
    """Makes tasks. `@task` takes a function; `task(...)` with options makes a decorator like it.

    A coroutine function becomes an `AsyncTask`, a plain one a `PlainTask`. A Context as first
    parameter, or after a single payload, is left out of what `trigger` takes.
    """

    def __init__(self, options: TaskOptions) -> None:
        self._options = options

    @overload
    def __call__(
        self, func: Callable[Concatenate[_Untyped, P], Coroutine[Any, Any, R]], /
    ) -> AsyncTask[..., R]: ...
    @overload
    def __call__(
        self, func: Callable[Concatenate[Context, P], Coroutine[Any, Any, R]], /
    ) -> AsyncTask[P, R]: ...
    @overload
    def __call__(
        self, func: Callable[[A, _Untyped], Coroutine[Any, Any, R]], /
    ) -> AsyncTask[..., R]: ...
    @overload
    def __call__(
        self, func: Callable[[A, Context], Coroutine[Any, Any, R]], /
    ) -> AsyncTask[[A], R]: ...
    @overload
    def __call__(self, func: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncTask[P, R]: ...
    @overload
    def __call__(self, func: Callable[Concatenate[_Untyped, P], R], /) -> PlainTask[..., R]: ...
    @overload
    def __call__(self, func: Callable[Concatenate[Context, P], R], /) -> PlainTask[P, R]: ...
    @overload
    def __call__(self, func: Callable[[A, _Untyped], R], /) -> PlainTask[..., R]: ...
    @overload
    def __call__(self, func: Callable[[A, Context], R], /) -> PlainTask[[A], R]: ...
    @overload
    def __call__(self, func: Callable[P, R], /) -> PlainTask[P, R]: ...
    @overload
    def __call__(self, **options: Unpack[TaskOptions]) -> TaskDecorator: ...
    def __call__(  # type: ignore[misc]  # mypy does not see that **options takes those of Unpack
        self, func: Any = None, /, **options: Any
    ) -> Any:
        """The task, or a decorator with these options added. Raises: InvalidTask, DuplicateTask."""
        if func is None:
            return TaskDecorator(cast("TaskOptions", {**self._options, **options}))
        if isinstance(func, Task) or not callable(func):
            raise InvalidTask(f"@task is put on a function, and {func!r} is none.")
        name = getattr(func, "__name__", type(func).__name__)
        if inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func):
            raise InvalidTask(
                f"Task {name!r} is a generator; a task returns its result, so collect it in a list."
            )
        nested = "<locals>" in getattr(func, "__qualname__", "")
        # names of an enclosing function, which only its frame knows, for annotations as text
        local_names = dict(sys._getframe(1).f_locals) if nested else {}
        declaration = declare(self._options, name, inspect.getdoc(func) or "")
        form: Any = AsyncTask if inspect.iscoroutinefunction(func) else PlainTask
        made: Task[..., Any] = form(func, declaration, local_names)
        registry.add_task(made)
        return made


task: Final = TaskDecorator({})


def schedule(
    *cron: str,
    tz: str = "UTC",
    window: str | None = None,
    catch_up: CatchUp = "latest",
    **options: Unpack[TaskOptions],
) -> TaskDecorator:
    """`@schedule("0 9 * * *", tz="Europe/Berlin")`: a task that runs by itself at these ticks.

    The other options are those of `task`. For expressions with different zones or windows use
    `@task(schedule=[Cron(…), Cron(…)])`. Raises: InvalidTask.
    """
    if "schedule" in options or not cron:
        raise InvalidTask('@schedule takes its expressions in front: @schedule("0 9 * * *").')
    ticks = [Cron(one, tz=tz, window=window, catch_up=catch_up) for one in cron]
    return TaskDecorator({**options, "schedule": ticks})
