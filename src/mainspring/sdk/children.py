"""Runs that a run triggers and waits for: it gives its slot back until all of them have ended."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, Literal, TypeVar, overload

from mainspring.errors import InvalidOptions
from mainspring.sdk.call import Call, client_of, prepared
from mainspring.sdk.ends import lost, outcomes
from mainspring.sdk.failures import of_child
from mainspring.sdk.journal import Journal, Place
from mainspring.sdk.local import journal_for, outside
from mainspring.sdk.options import NONE, Resolved
from mainspring.sdk.spawn import kept, named
from mainspring.wire.worker import Wait

R = TypeVar("R")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")


@overload
def gather(
    *calls: Call[Any], return_exceptions: Literal[True]
) -> Coroutine[Any, Any, tuple[Any, ...]]: ...
@overload
def gather(one: Call[A], /) -> Coroutine[Any, Any, tuple[A]]: ...
@overload
def gather(one: Call[A], two: Call[B], /) -> Coroutine[Any, Any, tuple[A, B]]: ...
@overload
def gather(
    one: Call[A], two: Call[B], three: Call[C], /
) -> Coroutine[Any, Any, tuple[A, B, C]]: ...
@overload
def gather(
    one: Call[A], two: Call[B], three: Call[C], four: Call[D], /
) -> Coroutine[Any, Any, tuple[A, B, C, D]]: ...
@overload
def gather(
    one: Call[A], two: Call[B], three: Call[C], four: Call[D], five: Call[E], /
) -> Coroutine[Any, Any, tuple[A, B, C, D, E]]: ...
@overload
def gather(
    one: Call[A], two: Call[B], three: Call[C], four: Call[D], five: Call[E], six: Call[F], /
) -> Coroutine[Any, Any, tuple[A, B, C, D, E, F]]: ...
@overload
def gather(
    one: Call[R],
    two: Call[R],
    three: Call[R],
    four: Call[R],
    five: Call[R],
    six: Call[R],
    seven: Call[R],
    /,
    *more: Call[R],
) -> Coroutine[Any, Any, tuple[R, ...]]: ...
def gather(*calls: Call[Any], return_exceptions: bool = False) -> Coroutine[Any, Any, Any]:
    """Run calls of any tasks side by side, and give their results in order, once all have ended.

    `await gather(resize.call("a", 1), receipt.call(order))`; at most 1,000 calls, stored all or
    none. With `return_exceptions` an unsuccessful run is a RunFailed in its place.

    Raises: RunFailed or RunCanceled of the first call, in order, whose run had no success.
    """
    return _as_tuple(wait_for(calls, return_exceptions=return_exceptions, verb="gather"))


def wait_for_one(call: Call[R]) -> Coroutine[Any, Any, R]:
    """Trigger the call and give its result. Raises: RunFailed, RunCanceled."""
    return _only(wait_for([call]))


def wait_for(
    calls: Sequence[Call[R]],
    outer: Resolved = NONE,
    *,
    return_exceptions: bool = False,
    verb: str = "trigger_and_wait",
) -> Coroutine[Any, Any, list[R]]:
    """Trigger the calls, at most 1,000, all or none, and give their results once all have ended.

    Places in the journal are taken now. Raises: Misplaced outside a run, InvalidOptions.
    """
    calls, connection = prepared(calls, outer)
    if connection is not None:
        raise InvalidOptions(
            f"{verb} cannot wait for a run that your own transaction makes; commit first, or use "
            "`trigger` with the connection."
        )
    if client_of(calls) is not None:
        raise InvalidOptions(
            f"{verb} cannot wait for a run of another server; in a step, use `trigger` with the "
            "client and `result` of its handle."
        )
    journal = journal_for(verb)
    if journal is None:
        raise outside(verb)
    if not calls:
        return _nothing()
    name = named([call.task for call in calls])
    made, ended = journal.place(f"trigger:{name}"), journal.place(f"wait:run:{name}")
    return _results(journal, made, ended, calls, return_exceptions)


async def _results(
    journal: Journal,
    made: Place,
    ended: Place,
    calls: Sequence[Call[R]],
    return_exceptions: bool,
) -> list[R]:
    requests = [call.request() for call in calls]
    for request in requests:
        request.options.awaited = True
    answers = await kept(journal, made, requests)
    ids = list(dict.fromkeys(answer.run_id for answer in answers))
    journal.check(ended, "run", "")
    wait = Wait("", 0, journal.generation, ended.key, ended.seq, "run", ids)
    await journal.wait(ended, wait)
    ended_as = await outcomes(journal, ids)
    results: list[Any] = []
    for call, answer in zip(calls, answers, strict=True):
        outcome = ended_as.get(answer.run_id)
        if outcome is not None and outcome.status == "completed":
            results.append(call.decode(outcome.output))
            continue
        error = lost(answer.run_id, call.task) if outcome is None else of_child(outcome)
        if not return_exceptions:
            raise error
        results.append(error)
    return results


async def _only(results: Coroutine[Any, Any, list[R]]) -> R:
    return (await results)[0]


async def _as_tuple(results: Coroutine[Any, Any, list[Any]]) -> tuple[Any, ...]:
    return tuple(await results)


async def _nothing() -> list[Any]:
    return []
