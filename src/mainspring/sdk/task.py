"""A task: a function with an id, options and the verbs that make runs of it."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Generic, Literal, ParamSpec, TypeVar, Unpack, cast, overload

from mainspring.errors import InvalidOptions, InvalidOutput, InvalidTask, RunFailed
from mainspring.model.run import OUTPUT_LIMIT
from mainspring.model.task import TaskSpec
from mainspring.sdk import hooks
from mainspring.sdk.aftermath import FailureTask
from mainspring.sdk.batch import Batch, send_batch, send_batch_sync
from mainspring.sdk.call import Call, send_one, send_sync
from mainspring.sdk.children import wait_for, wait_for_one
from mainspring.sdk.codec import UNREADABLE, Codec, codec
from mainspring.sdk.context import Context
from mainspring.sdk.cron import fitted
from mainspring.sdk.declaration import Declaration
from mainspring.sdk.encode import BEYOND_JSON, to_json, why
from mainspring.sdk.handles import Handle, plain
from mainspring.sdk.local import blocking, without_run
from mainspring.sdk.options import NONE, Options, Resolved, resolve
from mainspring.sdk.payload import Payload, payload
from mainspring.sdk.policy import by_kind
from mainspring.sdk.signature import Signature, read

P = ParamSpec("P")
R = TypeVar("R")


class Verbs(Generic[P, R]):
    """What makes runs: a task, or a task with options."""

    _task: Task[P, R]
    _resolved: Resolved

    def trigger(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, Handle[R]]:
        """Make a run with these arguments; it is stored when the answer is there.

        Inside a run it is kept in the journal, and made once however often the code is replayed.

        Raises:
            InvalidPayload: arguments do not fit; `details` names each. Nothing was sent.
            PayloadTooLarge: the payload is over 3 MB.
            UnknownTask: no worker ever registered the task.
        """
        return send_one(self.call(*args, **kwargs))

    def trigger_sync(self, *args: P.args, **kwargs: P.kwargs) -> Handle[R]:
        """`trigger` for blocking code. Raises: Misplaced where an event loop runs."""
        return send_sync([self.call(*args, **kwargs)])[0]

    def trigger_and_wait(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """Make a run with these arguments and give its result, without a slot meanwhile.

        Only inside a run. Raises what `trigger` raises, and:
            RunFailed: the run ended without success; `details` is its stored `RunError`.
            RunCanceled: it was canceled; a `RunFailed` too.
            Misplaced: outside a run, where `(await trigger(…)).result()` waits.
        """
        return wait_for_one(self.call(*args, **kwargs))

    def trigger_and_wait_sync(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """`trigger_and_wait` for `def` tasks."""
        return blocking(wait_for_one(self.call(*args, **kwargs)))

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call[R]:
        """Arguments for `batch_trigger`, checked now and sent later. Raises: InvalidPayload."""
        task = self._task
        return Call(
            task.id,
            task.payloads.text(args, kwargs),
            task.decode_output,
            self._resolved,
            args=args,
            kwargs=kwargs,
            keys=task.declaration.keys,
            checked=True,
        )

    def batch_trigger(self, calls: Iterable[Call[R]]) -> Coroutine[Any, Any, Batch[R]]:
        """Make a run for each call, all or none; a list of handles in the same order, with an id.

        More than 1,000 calls are sent piece by piece, of which each is stored as a whole. Options
        given here hold for all calls, those of a call come before them.

        Raises: InvalidOptions for a call of another task (`tasks.batch` takes those).
        """
        return send_batch(self._own(calls), self._resolved)

    def batch_trigger_sync(self, calls: Iterable[Call[R]]) -> Batch[R]:
        """`batch_trigger` for blocking code."""
        return send_batch_sync(self._own(calls), self._resolved)

    @overload
    def batch_trigger_and_wait(
        self, calls: Iterable[Call[R]], *, return_exceptions: Literal[False] = False
    ) -> Coroutine[Any, Any, list[R]]: ...
    @overload
    def batch_trigger_and_wait(
        self, calls: Iterable[Call[R]], *, return_exceptions: Literal[True]
    ) -> Coroutine[Any, Any, list[R | RunFailed]]: ...
    def batch_trigger_and_wait(
        self, calls: Iterable[Call[R]], *, return_exceptions: bool = False
    ) -> Coroutine[Any, Any, Any]:
        """`batch_trigger`, then the results of all runs in the same order, once all have ended.

        With `return_exceptions` a run without success is a RunFailed in its place; else the first
        of them, in order, is raised. `mainspring.gather` takes calls of several tasks.
        """
        return wait_for(
            self._own(calls),
            self._resolved,
            return_exceptions=return_exceptions,
            verb="batch_trigger_and_wait",
        )

    def batch_trigger_and_wait_sync(self, calls: Iterable[Call[R]]) -> list[R]:
        """`batch_trigger_and_wait` for `def` tasks."""
        return blocking(wait_for(self._own(calls), self._resolved))

    def with_options(self, **options: Unpack[Options]) -> Configured[P, R]:
        """The same verbs with options, for example `with_options(delay="10m").trigger(…)`.

        Options given before are kept unless named again. Raises: InvalidOptions.
        """
        return Configured(self._task, resolve({**self._resolved.given, **options}))

    def _own(self, calls: Iterable[Call[R]]) -> list[Call[R]]:
        listed = list(calls)
        for call in listed:
            if call.task != self._task.id:
                raise InvalidOptions(
                    f"A batch of task {self._task.id!r} was given a call of {call.task!r}; "
                    "use `tasks.batch` for calls of several tasks."
                )
        return listed


class Task(Verbs[P, R]):
    """A registered function. Made by `@task`; calling it calls the function, with no run.

    Attributes:
        id: its name in the environment.
        func: the function as written.
        is_async: whether the function is a coroutine function; others run in threads.
        isolation: async, thread or process.
        file: where it is declared, with `line`.
        hooks: those of this task; `on_failure` and its sisters add to them.
    """

    def __init__(
        self,
        func: Callable[P, Any],
        declaration: Declaration,
        local_names: Mapping[str, Any],
    ) -> None:
        inner = inspect.unwrap(func)
        code = getattr(inner, "__code__", None)
        functools.update_wrapper(cast("Any", self), func)
        self.func: Callable[..., Any] = func
        self.declaration = declaration
        self.id = declaration.id
        self.name: str = getattr(inner, "__qualname__", self.id)
        self.is_async = inspect.iscoroutinefunction(func)
        self.isolation = declaration.isolation_of(self.is_async)
        self.file = os.path.realpath(code.co_filename) if code is not None else ""
        self.line = code.co_firstlineno if code is not None else 0
        self.hooks = _hooks(declaration)
        self.on_start_attempt = self.hooks.on_start_attempt
        self.on_success = self.hooks.on_success
        self.on_failure = self.hooks.on_failure
        self.on_complete = self.hooks.on_complete
        self.on_cancel = self.hooks.on_cancel
        self.on_wait = self.hooks.on_wait
        self.on_resume = self.hooks.on_resume
        self.catch_error = self.hooks.catch_error
        self.middleware = self.hooks.middleware
        self._task = self
        self._resolved = NONE
        self._local_names = local_names

    def __repr__(self) -> str:
        return f"<Task {self.id} of {self.file}:{self.line}>"

    def __reduce__(self) -> str:
        # pickled by name, as functions are
        return self.name

    async def local(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself, a plain one in a thread: no run, no retry, no record.

        Outside a run its steps are plain calls and its waits for time are slept; other waits and
        `trigger_and_wait` raise Misplaced. Inside a run its steps are steps of that run.
        """
        with without_run():
            if self.is_async:
                result: R = await self.func(*args, **kwargs)
            else:
                result = await asyncio.to_thread(self.func, *args, **kwargs)
        return result

    def handle(self, run_id: str) -> Handle[R]:
        """The handle of a run of this task whose id was stored. Sends nothing."""
        return Handle(run_id, self.decode_output)

    @functools.cached_property
    def signature(self) -> Signature:
        """The function's parameters and types. Raises: InvalidTask."""
        found = read(self.func, self.id, self._local_names)
        if self.declaration.schedules:
            return fitted(found, f"Task {self.id!r}")
        return found

    @functools.cached_property
    def payloads(self) -> Payload:
        """How arguments and payload correspond. Raises: InvalidTask."""
        return payload(self.id, self.signature)

    @functools.cached_property
    def spec(self) -> TaskSpec:
        """What the server is told. Raises: InvalidTask when annotations cannot be understood."""
        returned = self._returned
        return self.declaration.spec(
            isolation=self.isolation,
            payload_schema=self.payloads.schema,
            output_schema=returned.schema if returned is not None else None,
            file=self.file,
            line=self.line,
        )

    @property
    def failing(self) -> FailureTask | None:
        """The task whose runs call the failure hooks of this one; None when it has none."""
        return FailureTask(self) if hooks.has_failure_hooks(self) else None

    def bind_payload(
        self, text: str, ctx: Context | None = None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments for `func`, with the context where it wants one. Raises: InvalidPayload."""
        return self.payloads.bind(text, ctx)

    def payload(self, text: str) -> Any:
        """The payload object, or a dict of the arguments. Raises: InvalidPayload."""
        return self.payloads.value(text)

    def encode_output(self, value: Any) -> str:
        """JSON text of what `func` returned. Raises: InvalidOutput."""
        if value is None:
            return "null"
        try:
            data = to_json(value)
        except BEYOND_JSON as error:
            raise InvalidOutput(
                f"Task {self.id!r} returned what cannot be stored: {why(error)}. Return builtins, "
                "dataclasses or models."
            ) from error
        if len(data) > OUTPUT_LIMIT:
            raise InvalidOutput(
                f"Task {self.id!r} returned {len(data):,} bytes; {OUTPUT_LIMIT:,} are allowed. "
                "Store it elsewhere and return a reference."
            )
        return data.decode()

    def decode_output(self, text: str | None) -> R:
        """What a run returned, as the type that the function is annotated with.

        Raises: InvalidOutput when the stored value does not fit that type.
        """
        returned = self._returned
        if returned is None or text is None:
            value: R = plain(text)
            return value
        try:
            typed: R = returned.decode(text)
        except UNREADABLE as error:
            raise InvalidOutput(
                f"A run of task {self.id!r} returned what does not fit its annotation "
                f"{self.signature.returns!r}: {error}.",
                details=returned.faults(text),
            ) from error
        return typed

    @functools.cached_property
    def _returned(self) -> Codec | None:
        """The codec of the return type; None when there is none that JSON can hold."""
        annotation = self.signature.returns
        if annotation is Any or annotation is type(None):
            return None
        try:
            return codec(annotation, f"Task {self.id!r}: the return type")
        except InvalidTask:
            return None


def _hooks(declaration: Declaration) -> hooks.Hooks:
    """The hooks that the options of a task stand for."""
    made = hooks.Hooks()
    if declaration.catch_error is not None:
        made.catch_error(declaration.catch_error)
    if declaration.retry_on is not None or declaration.abort_on:
        made.kinds.append(by_kind(declaration.retry_on, declaration.abort_on))
        made.any = True
    return made


class AsyncTask(Task[P, R]):
    """A task made from an `async def`."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """Call the function itself; no run."""
        coroutine: Coroutine[Any, Any, R] = self.func(*args, **kwargs)
        return coroutine


class PlainTask(Task[P, R]):
    """A task made from a `def`; its runs execute in threads."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself; no run."""
        result: R = self.func(*args, **kwargs)
        return result


class Configured(Verbs[P, R]):
    """A task with options; made by `with_options`."""

    def __init__(self, task: Task[P, R], resolved: Resolved) -> None:
        self._task = task
        self._resolved = resolved

    def __repr__(self) -> str:
        return f"<{self._task!r} with {', '.join(self._resolved.given)}>"
