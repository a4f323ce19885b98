"""What becomes of an attempt that raised: again, later, or never. No hooks are declared here."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec import Struct

from mainspring.errors import (
    AbortRun,
    Diverged,
    FencedOut,
    InvalidOptions,
    InvalidTask,
    RetryRun,
)
from mainspring.model.duration import Duration, milliseconds
from mainspring.sdk import hooks
from mainspring.sdk.context import Context
from mainspring.sdk.signals import Signal

Matcher = type[BaseException] | Callable[[BaseException], object]
"""An exception class, or a function that says whether it means this error."""

_SAID_ALREADY: Final = (AbortRun, RetryRun, Diverged, FencedOut, Signal)
"""Errors that are a decision themselves; nobody is asked about them."""


class Skip(Struct, frozen=True):
    """Fail the run now, though attempts are left."""


class Again(Struct, frozen=True):
    """Try again, after a delay of its own or at a moment; none of both takes the task's backoff."""

    after_ms: int | None = None
    at: datetime | None = None


Answer = Skip | Again | BaseException | None
"""What a `catch_error` hook may return: a decision, another error, or None for no opinion."""


class FailNow(AbortRun):
    """No further attempt, by the task's policy; `error` is what people are shown."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error) or type(error).__name__)
        self.error = error


class TryAgain(RetryRun):
    """Another attempt, by the task's policy; `error` is what people are shown."""

    def __init__(self, error: BaseException, after: Duration | None) -> None:
        super().__init__(str(error) or type(error).__name__, after=after)
        self.error = error


def shown(error: BaseException) -> BaseException:
    """The error to store and to tell hooks, of one that `resolve_error` gave."""
    return error.error if isinstance(error, FailNow | TryAgain) else error


def skip() -> Skip:
    """Fail the run now, though attempts are left; what a `catch_error` hook returns."""
    return Skip()


def after(delay: Duration | None = None) -> Again:
    """Try again after `delay` (seconds, timedelta or text), None: after the task's own backoff.

    What a `catch_error` hook returns. It counts as an attempt; after the last one the run fails.
    Raises: InvalidOptions.
    """
    return Again(after_ms=None if delay is None else milliseconds(delay, "after"))


def at(moment: datetime) -> Again:
    """Try again at a moment, at once when that is over; as `after`. Raises: InvalidOptions."""
    if moment.utcoffset() is None:
        raise InvalidOptions(
            f"at: {moment} does not say of which zone it is; use an aware datetime, for example "
            "datetime.now(UTC)."
        )
    return Again(at=moment)


async def resolve_error(task: hooks.Hooked, ctx: Context, error: BaseException) -> BaseException:
    """The error that the attempt ends with, once the task's policy has been asked.

    For the worker, for an error of the body in an attempt that nobody stopped. The answer is an
    AbortRun (no further attempt), a RetryRun with `after`, or any other error, which follows the
    usual backoff; `shown` gives the one to store. The task's own `catch_error` hooks are asked
    first, then the global ones, then `abort_on` and `retry_on`; the first opinion counts. An error
    that a hook raises replaces the attempt's, as one that it returns does.
    """
    if isinstance(error, _SAID_ALREADY):
        return error
    own = task.hooks
    shared = [] if own.alone else hooks.everywhere.catches
    for opinion in (*own.catches, *shared, *own.kinds):
        try:
            answer = opinion(ctx, error)
            if inspect.isawaitable(answer):
                answer = await answer
        except Exception as other:  # noqa: BLE001 - raising is a way to name another error
            answer = other
        if answer is not None:
            return decide(answer, error, datetime.now(UTC))
    return error


def decide(answer: Any, error: BaseException, now: datetime) -> BaseException:
    """What an opinion, which should be an Answer, makes of an error. Pure."""
    if answer is None or answer is error:
        return error
    if isinstance(answer, Skip):
        return FailNow(error)
    if isinstance(answer, Again):
        delay: Duration | None = None
        if answer.at is not None:
            delay = max(answer.at - now, timedelta(0))
        elif answer.after_ms is not None:
            delay = timedelta(milliseconds=answer.after_ms)
        return TryAgain(error, delay)
    if isinstance(answer, BaseException):
        if answer.__cause__ is None and answer.__context__ is None:
            answer.__cause__ = error
        return answer
    wrong = InvalidTask(
        f"A catch_error hook returned {answer!r}; return retry.skip(), retry.after(…), "
        "retry.at(…), an exception or None."
    )
    wrong.__cause__ = error
    return FailNow(wrong)


def by_kind(
    retry_on: Sequence[Matcher] | None, abort_on: Sequence[Matcher]
) -> Callable[[Context, BaseException], Answer]:
    """The opinion that the options `retry_on` and `abort_on` stand for.

    An error that `abort_on` names fails the run, and so does one that `retry_on` does not name.
    """

    def opinion(ctx: Context, error: BaseException) -> Answer:
        if matches(abort_on, error):
            return Skip()
        if retry_on is not None and not matches(retry_on, error):
            return Skip()
        return None

    return opinion


def matches(matchers: Iterable[Matcher], error: BaseException) -> bool:
    """Whether one of the classes or functions means this error."""
    return any(
        isinstance(error, matcher) if isinstance(matcher, type) else bool(matcher(error))
        for matcher in matchers
    )


def matchers(given: Any, what: str) -> tuple[Matcher, ...]:
    """The option as a tuple; one class or function alone is allowed. Raises: InvalidTask."""
    found = tuple(given) if isinstance(given, tuple | list | set | frozenset) else (given,)
    for matcher in found:
        fits = (
            issubclass(matcher, BaseException) if isinstance(matcher, type) else callable(matcher)
        )
        if not fits:
            raise InvalidTask(
                f"{what} holds {matcher!r}; name exception classes, or functions that take the "
                "error and say whether it is meant."
            )
    return found
