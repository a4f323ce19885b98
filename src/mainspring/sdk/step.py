"""Steps: parts of a run whose results are kept, so that no replay executes them again."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import random
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Generic, ParamSpec, TypeVar, Unpack, overload

from mainspring.errors import AbortRun, InvalidOptions, RetryRun
from mainspring.model.retry import next_delay_ms
from mainspring.sdk.codec import UNREADABLE
from mainspring.sdk.failures import again, written
from mainspring.sdk.journal import Journal, Place, check_name, fits
from mainspring.sdk.local import journal_for
from mainspring.sdk.pool import pool
from mainspring.sdk.scopes import Branch, Scope, current_branch
from mainspring.sdk.shape import Shape, shape_of
from mainspring.sdk.step_options import NONE, Settled, StepOptions, settle
from mainspring.wire.worker import Entry

P = ParamSpec("P")
R = TypeVar("R")

_known: Final[set[str]] = set()
_NOWHERE: Final = Scope()
# a coroutine that is closed when its loop is gone runs elsewhere, and has nothing to go back to
_CLOSED: Final = contextlib.suppress(ValueError)


class StepVerb:
    """Makes steps: `await step("name", function, *arguments)`, or `@step` on a function.

    `step(retry=…, key=…)` gives the same verb with options: `await step(key="7")("name", f)`, or
    `@step(timeout="10s")`.
    """

    def __init__(self, settled: Settled) -> None:
        self._settled = settled

    @overload
    def __call__(
        self,
        name: str,
        func: Callable[P, Coroutine[Any, Any, R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Coroutine[Any, Any, R]: ...
    @overload
    def __call__(
        self, name: str, func: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, R]: ...
    @overload
    def __call__(self, func: Callable[P, Coroutine[Any, Any, R]], /) -> Step[P, R]: ...
    @overload
    def __call__(self, func: Callable[P, R], /) -> Step[P, R]: ...
    @overload
    def __call__(self, **options: Unpack[StepOptions]) -> StepVerb: ...
    def __call__(  # type: ignore[misc]  # mypy does not see that **kwargs takes those of Unpack
        self, name: Any = None, func: Any = None, /, *args: Any, **kwargs: Any
    ) -> Any:
        """Call `func` once in the life of the run, and give its result then and in every replay.

        The place of the step in the run is taken when this is called, the function is called when
        the answer is awaited. A result is what its JSON reads back as, in the type that the
        function is annotated with.

        Raises:
            StepFailed: it failed before in this attempt; also of the class of the error then.
            StepConflict: another asyncio task of the run uses the name.
            InvalidOutput: the result has no JSON form, or does not fit the annotation.
            JournalFull: the result is over 10 MB, or the journal has 50,000 entries.
            Misplaced: outside a run, or inside another step.
        """
        if func is None:
            if name is None:
                given: Any = {**self._settled.given, **kwargs}
                return StepVerb(settle(given))
            return _decorated(name, self._settled, sys._getframe(1).f_locals)
        if self._settled is not NONE and "name" in self._settled.given:
            raise InvalidOptions("A step was given two names; `name=` is for decorated functions.")
        return begin(name, func, args, kwargs, self._settled)


class Step(Generic[P, R]):
    """A function whose calls are steps of the run that makes them. Made by `@step`.

    `func` is the function as written; tests of it alone call that, or `task.local`.
    """

    def __init__(
        self, func: Callable[..., Any], name: str, settled: Settled, names: Mapping[str, Any]
    ) -> None:
        functools.update_wrapper(self, func)
        self.func = func
        self.name = name
        self._settled = settled
        self._names = names

    def __repr__(self) -> str:
        return f"<Step {self.name}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """The step; raises what `step` raises."""
        return begin(self.name, self.func, args, kwargs, self._settled, self._names)

    def sync(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The step, for `def` tasks: a plain function is called in this thread."""
        result: R = begin_blocking(self.name, self.func, args, kwargs, self._settled, self._names)
        return result

    def with_options(self, **options: Unpack[StepOptions]) -> Step[P, R]:
        """The same step with options, for example `with_options(key=order.id)(order)`."""
        settled = settle({**self._settled.given, **options})
        return Step(self.func, settled.given.get("name", self.name), settled, self._names)

    @overload
    def __get__(self, instance: None, owner: Any = None) -> Step[P, R]: ...
    @overload
    def __get__(self, instance: object, owner: Any = None) -> Step[..., R]: ...
    def __get__(self, instance: object, owner: Any = None) -> Any:
        """As a method: the instance is passed on, and is no part of the fingerprint."""
        if instance is None:
            return self
        bound = self.func.__get__(instance, owner)
        return Step(bound, self.name, self._settled, self._names)


def begin(
    name: str,
    func: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    settled: Settled,
    names: Mapping[str, Any] | None = None,
) -> Coroutine[Any, Any, Any]:
    """The step as a coroutine; its place is taken now."""
    journal = journal_for("step")
    if journal is None:
        return _called(shape_of(func, {}), func, args, kwargs, settled)
    if name not in _known:
        _admit(name)
    shape = shape_of(func, names)
    place = journal.place(name, settled.key, attempt_only=settled.attempt_only)
    return _perform(journal, place, shape, func, args, kwargs, settled)


def begin_blocking(
    name: str,
    func: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    settled: Settled,
    names: Mapping[str, Any] | None = None,
) -> Any:
    """The step for a `def` task: a plain function in the calling thread, the rest on the loop."""
    journal = journal_for("sync.step")
    if journal is None:
        return func(*args, **kwargs)
    shape = shape_of(func, names)
    if shape.is_async or not settled.simple or asyncio._get_running_loop() is not None:
        return journal.block(begin(name, func, args, kwargs, settled, names))
    if name not in _known:
        _admit(name)
    place = journal.place(name, settled.key, attempt_only=settled.attempt_only)
    mark = shape.fingerprint(args, kwargs) if settled.check_args else f"{shape.name}:"
    journal.check(place, "step", mark)
    if place.entry is not None:
        return _recalled(journal, place, shape)
    started = journal.clock.now()
    token = current_branch.set(Branch(_NOWHERE, place.key))
    try:
        value = func(*args, **kwargs)
        text, result = shape.stored(value, place.key)
        data = fits(text, f"The result of step {place.key!r}")
    except Exception as error:
        _failed(journal, place, mark, started, error)
        raise
    finally:
        current_branch.reset(token)
    now = journal.clock.now()
    entry = Entry(place.key, place.seq, "step", "completed", data, None, mark, started, now)
    if settled.relaxed:
        journal.post(entry)
    else:
        journal.block(journal.record(entry))
    return result


async def _perform(
    journal: Journal,
    place: Place,
    shape: Shape,
    func: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    settled: Settled,
) -> Any:
    mark = shape.fingerprint(args, kwargs) if settled.check_args else f"{shape.name}:"
    journal.check(place, "step", mark)
    key = place.key
    if place.entry is not None:
        return _recalled(journal, place, shape)
    started = journal.clock.now()
    token = current_branch.set(Branch(_NOWHERE, key))
    try:
        if settled.simple:
            if shape.is_async:
                value = await func(*args, **kwargs)
            else:
                value = await _called(shape, func, args, kwargs, settled)
        else:
            value = await _tried(shape, func, args, kwargs, settled)
        data, result = shape.stored(value, key)
        fits(data, f"The result of step {key!r}")
    except Exception as error:
        _failed(journal, place, mark, started, error)
        raise
    finally:
        with _CLOSED:
            current_branch.reset(token)
    now = journal.clock.now()
    entry = Entry(key, place.seq, "step", "completed", data, None, mark, started, now)
    if settled.relaxed:
        journal.post(entry)
    else:
        await journal.record(entry)
    return result


_perform.__name__ = _perform.__qualname__ = "step"  # what "was never awaited" should name


async def _called(
    shape: Shape, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], settled: Settled
) -> Any:
    if shape.is_async:
        return await func(*args, **kwargs)
    if settled.thread:
        value = await pool.call(func, *args, **kwargs)
    else:
        value = func(*args, **kwargs)
    return await value if inspect.isawaitable(value) else value


async def _tried(
    shape: Shape, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], settled: Settled
) -> Any:
    """Call the function, again as often as the options say, each time within the time-out."""
    tries = 1
    while True:
        limit = asyncio.timeout(settled.timeout_s)
        try:
            async with limit:
                return await _called(shape, func, args, kwargs, settled)
        except (AbortRun, RetryRun):
            raise  # they speak of the whole run
        except Exception as error:  # tried again, or else raised
            late = limit.expired() and isinstance(error, TimeoutError)
            delay = None
            if settled.retry is not None:
                delay = next_delay_ms(settled.retry, tries, random.random())
            if delay is None:
                if not late:
                    raise
                raise TimeoutError(
                    f"{shape.name} took longer than {settled.timeout_s:g} s"
                ) from error
        await asyncio.sleep(delay / 1000)
        tries += 1


def _recalled(journal: Journal, place: Place, shape: Shape) -> Any:
    """What the journal holds: the result, or the error of this attempt."""
    entry = place.entry
    assert entry is not None
    data = entry.data or "null"
    if entry.status == "failed":
        raise again(place.key, data)
    try:
        return shape.reads(data)
    except UNREADABLE as error:
        journal.diverge(place.key, f"a result ({data[:80]})", f"one of type {shape.returns!r}")
        raise AssertionError from error


def _failed(journal: Journal, place: Place, mark: str, started: int, error: Exception) -> None:
    """Keep that the step failed in this attempt, unless the error is a wish for the whole run."""
    if not isinstance(error, AbortRun | RetryRun):
        key, now = f"{place.key}!{journal.attempt}", journal.clock.now()
        data = written(error)
        journal.post(Entry(key, place.seq, "step", "failed", data, None, mark, started, now))


def _decorated(func: Any, settled: Settled, names: Mapping[str, Any]) -> Step[..., Any]:
    if isinstance(func, str) or not callable(func):
        raise InvalidOptions(
            f'step was given {func!r} and no function; write `step("name", function, …)`, or put '
            "`@step` on a function."
        )
    name: str = settled.given.get("name", getattr(func, "__name__", type(func).__name__))
    check_name(name)
    nested = "<locals>" in getattr(func, "__qualname__", "")
    return Step(func, name, settled, dict(names) if nested else {})


def _admit(name: str) -> None:
    check_name(name)
    if len(_known) < 10_000:
        _known.add(name)


step: Final = StepVerb(NONE)
