"""Branches of one run, side by side in the same process. Runs of their own are `children`'s."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar, overload

from mainspring.sdk.signals import Signal

R = TypeVar("R")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")


@overload
async def parallel(one: Awaitable[A], /) -> tuple[A]: ...
@overload
async def parallel(one: Awaitable[A], two: Awaitable[B], /) -> tuple[A, B]: ...
@overload
async def parallel(
    one: Awaitable[A], two: Awaitable[B], three: Awaitable[C], /
) -> tuple[A, B, C]: ...
@overload
async def parallel(
    one: Awaitable[A], two: Awaitable[B], three: Awaitable[C], four: Awaitable[D], /
) -> tuple[A, B, C, D]: ...
@overload
async def parallel(
    one: Awaitable[A],
    two: Awaitable[B],
    three: Awaitable[C],
    four: Awaitable[D],
    five: Awaitable[E],
    /,
) -> tuple[A, B, C, D, E]: ...
@overload
async def parallel(
    one: Awaitable[R],
    two: Awaitable[R],
    three: Awaitable[R],
    four: Awaitable[R],
    five: Awaitable[R],
    six: Awaitable[R],
    /,
    *more: Awaitable[R],
) -> tuple[R, ...]: ...
async def parallel(*branches: Awaitable[Any]) -> tuple[Any, ...]:
    """Await all of them at once, and give their results in order.

    Each is a branch of the run with a scope for the names of its steps, in the order given. When
    one raises, the others are cancelled, and its error is raised once they have ended.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(each if asyncio.iscoroutine(each) else _awaited(each))
                for each in branches
            ]
    except BaseExceptionGroup as errors:
        first = errors.exceptions[0]
        for error in errors.exceptions:
            if isinstance(error, Signal):
                first = error
        raise first from None
    return tuple(task.result() for task in tasks)


async def _awaited(branch: Awaitable[R]) -> R:
    return await branch
