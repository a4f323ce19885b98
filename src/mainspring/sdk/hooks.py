"""Hooks and middleware around runs: declaring them, and the order in which they are applied."""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from typing import Any, Final, Protocol, TypeVar

from msgspec import Struct

from mainspring.errors import InvalidTask
from mainspring.sdk.context import Context

H = TypeVar("H", bound=Callable[..., Any])
Next = Callable[[], Awaitable[Any]]
Middleware = Callable[[Context, Next], Awaitable[Any]]

around_wait: Final[ContextVar[bool]] = ContextVar("mainspring_around_wait", default=False)
"""Whether a wait or resume hook runs: outcomes of waits are held back until it has ended."""

_log: Final = logging.getLogger("mainspring.hooks")


class Result(Struct, frozen=True):
    """How a run ended, for `on_complete`: with `output` when `ok`, else with `error`."""

    ok: bool
    output: Any = None
    error: BaseException | None = None


class Waiting(Struct, frozen=True):
    """What a run waits for, for `on_wait` and `on_resume`.

    Attributes:
        kind: time, run, token, event or input.
        key: the name of the wait in the run's journal.
    """

    kind: str
    key: str


class Hooks:
    """The hooks of one task, or of all; each method is a decorator that returns the function.

    `any` is False as long as there is none that the worker calls, so that a task without hooks pays
    nothing for them;
    `alone` means that those of all tasks are not called for this one.
    """

    def __init__(self) -> None:
        self.any = False
        self.alone = False
        self.starts: list[Callable[..., Any]] = []
        self.successes: list[Callable[..., Any]] = []
        self.failures: list[Callable[..., Any]] = []
        self.completions: list[Callable[..., Any]] = []
        self.cancellations: list[Callable[..., Any]] = []
        self.waits: list[Callable[..., Any]] = []
        self.resumes: list[Callable[..., Any]] = []
        self.catches: list[Callable[..., Any]] = []
        self.kinds: list[Callable[..., Any]] = []
        """Like `catches`, asked after all of them: what a task's options say of kinds of errors."""
        self.middlewares: list[Middleware] = []

    def on_start_attempt(self, hook: H) -> H:
        """Call `hook(ctx)` before each attempt; an error in it fails the attempt."""
        return self._add(self.starts, hook)

    def on_success(self, hook: H) -> H:
        """Call `hook(ctx, output)` after a run completed; an error in it is only logged."""
        return self._add(self.successes, hook)

    def on_failure(self, hook: H) -> H:
        """Call `hook(ctx, error)` once a run has ended without success, also when its worker died.

        The calls are a run of their own, a child of the failed one: it is stored together with that
        end, so that it cannot be lost, may use steps and waits, and is tried again when a hook
        raises, without those that have returned. `ctx` is that of the failed run, `error` a
        RunFailed with the stored `RunError` as `details`. Not called for canceled and expired runs.
        """
        self.failures.append(hook)  # nothing for the worker to do around the body
        return hook

    def on_complete(self, hook: H) -> H:
        """Call `hook(ctx, result)` after success and after failure, as the last one.

        After success within the attempt, where an error in it is only logged; after failure as
        `on_failure`.
        """
        return self._add(self.completions, hook)

    def on_cancel(self, hook: H) -> H:
        """Call `hook(ctx)` after the body of a canceled run ended, within the grace time."""
        return self._add(self.cancellations, hook)

    def on_wait(self, hook: H) -> H:
        """Call `hook(ctx, waits)` before a run gives its slot back to wait; `waits` is a list of
        `Waiting`. An error in it is only logged. It must not wait durably itself.
        """
        return self._add(self.waits, hook)

    def on_resume(self, hook: H) -> H:
        """Call `hook(ctx, waits)` when the code of a run that waited goes on where it stood.

        Not called when the run begins anew from its journal in another process: what it needs
        there it sets up again, as in a first attempt. An error in it is only logged.
        """
        return self._add(self.resumes, hook)

    def catch_error(self, hook: H) -> H:
        """Ask `hook(ctx, error)` what an attempt that raised comes to, before a retry is decided.

        It returns `retry.skip()` (fail now), `retry.after(delay)`, `retry.at(moment)`, another
        exception in place of this one, or None for no opinion. The task's hooks are asked before
        the global ones; the first opinion counts. Not asked about AbortRun and RetryRun.
        """
        return self._add(self.catches, hook)

    def middleware(self, layer: H) -> H:
        """Wrap every attempt: `async def layer(ctx, call_next)` answers `await call_next()`.

        Raises: InvalidTask for a plain function.
        """
        if not inspect.iscoroutinefunction(layer):
            raise InvalidTask(
                f"Middleware {getattr(layer, '__qualname__', layer)!s} is a plain function; write "
                "`async def` and end with `return await call_next()`."
            )
        return self._add(self.middlewares, layer)

    def _add(self, hooks: list[Callable[..., Any]], hook: H) -> H:
        hooks.append(hook)
        self.any = True
        return hook


everywhere: Final = Hooks()
on_start_attempt = everywhere.on_start_attempt
on_success = everywhere.on_success
on_failure = everywhere.on_failure
on_complete = everywhere.on_complete
on_cancel = everywhere.on_cancel
on_wait = everywhere.on_wait
on_resume = everywhere.on_resume
catch_error = everywhere.catch_error
middleware = everywhere.middleware


@contextlib.contextmanager
def isolated() -> Iterator[None]:
    """No hooks of all tasks inside, and those from before again afterwards; for tests."""
    before = dict(vars(everywhere))
    vars(everywhere).update(vars(Hooks()))
    try:
        yield
    finally:
        vars(everywhere).update(before)


class Hooked(Protocol):
    """A task, as far as its hooks go."""

    @property
    def hooks(self) -> Hooks: ...


def has_hooks(task: Hooked) -> bool:
    """Whether anything beside the body is to be called for runs of the task."""
    return task.hooks.any or (everywhere.any and not task.hooks.alone)


async def run_attempt(task: Hooked, ctx: Context, body: Next) -> Any:
    """The body inside its middleware and after its start hooks; what it returns or raises."""
    starts = of(task, "starts")

    async def innermost() -> Any:
        for hook in starts:
            await called(hook, ctx)
        return await body()

    call: Next = innermost if starts else body
    for layer in reversed(of(task, "middlewares")):
        call = functools.partial(layer, ctx, call)
    return await call()


async def after_success(task: Hooked, ctx: Context, output: Any) -> None:
    """The success hooks, then the complete hooks; their errors are logged."""
    await _told(task, "successes", ctx, output)
    await _told(task, "completions", ctx, Result(ok=True, output=output))


async def after_cancel(task: Hooked, ctx: Context) -> None:
    """The cancel hooks; their errors are logged."""
    await _told(task, "cancellations", ctx)


def has_failure_hooks(task: Hooked) -> bool:
    """Whether anything is to be called for a run of the task that ended without success."""
    return bool(of(task, "failures") or of(task, "completions"))


def has_wait_hooks(task: Hooked) -> bool:
    """Whether `before_wait` or `after_wait` would call anything."""
    return bool(of(task, "waits") or of(task, "resumes"))


async def before_wait(task: Hooked, ctx: Context, waits: list[Waiting]) -> None:
    """The wait hooks, before the slot goes; their errors are logged. Not while replaying."""
    await _around(task, "waits", ctx, waits)


async def after_wait(task: Hooked, ctx: Context, waits: list[Waiting]) -> None:
    """The resume hooks, before the code goes on; their errors are logged."""
    await _around(task, "resumes", ctx, waits)


def of(task: Hooked, kind: str) -> list[Callable[..., Any]]:
    """The hooks of a kind (an attribute of `Hooks`) that hold for a task, global ones first."""
    own: list[Callable[..., Any]] = getattr(task.hooks, kind)
    return [*own] if task.hooks.alone else [*getattr(everywhere, kind), *own]


async def _around(task: Hooked, kind: str, ctx: Context, waits: list[Waiting]) -> None:
    token = around_wait.set(True)
    try:
        await _told(task, kind, ctx, waits)
    finally:
        around_wait.reset(token)


async def _told(task: Hooked, kind: str, ctx: Context, *news: Any) -> None:
    for hook in of(task, kind):
        try:
            await called(hook, ctx, *news)
        except Exception:  # noqa: BLE001 - the run has its result; a hook cannot change it
            _log.exception("Hook %s failed for run %s of task %s", name(hook), ctx.run_id, ctx.task)


def name(hook: Callable[..., Any]) -> str:
    """What a hook is called in messages."""
    return str(getattr(hook, "__qualname__", None) or repr(hook))


async def called(hook: Callable[..., Any], *arguments: Any) -> None:
    """Call a hook, a plain one or a coroutine function."""
    answer = hook(*arguments)
    if inspect.isawaitable(answer):
        await answer
