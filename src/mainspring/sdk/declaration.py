"""What `@task` says of a function, checked; not the function itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypedDict, get_args

from msgspec import Struct

from mainspring.errors import InvalidTask
from mainspring.model import template
from mainspring.model.duration import Duration
from mainspring.model.machine import PRESETS, UNLIMITED, Limits
from mainspring.model.retry import RetryPolicy
from mainspring.model.task import ScheduleSpec, TaskSpec, default_queue
from mainspring.sdk.cron import Declared, declared
from mainspring.sdk.limits import Queue, Retry, check_name, check_preset, declared_ms
from mainspring.sdk.machine import Machine
from mainspring.sdk.options import KeyFunctions
from mainspring.sdk.policy import Matcher, matchers

Isolation = Literal["async", "thread", "process"]
KeyOf = str | Callable[..., str | int | None]


class TaskOptions(TypedDict, total=False):
    """What `@task(...)` takes. Durations are seconds, a timedelta or text such as `"10m"`.

    Attributes:
        id: default the function's name.
        queue: default a queue of the task's own.
        max_duration: of active time, over all attempts of a run.
        ttl: how long a run may wait for its first start.
        concurrency_key: a template over the payload, `"user-{payload.userId}"`, or a function of
            the task's arguments, which works for Python callers only.
        idempotency_key: the same; always global.
        idempotency_ttl: how long such a key is remembered, 30 days by default.
        description: default the first line of the docstring.
        isolation: `async` (in the worker's event loop, the default of an `async def`), `thread`
            (the default of a `def`), or `process`: each attempt in a process of its own.
        machine: a preset such as `"small-1x"`, or `Machine(memory="256mb")`, which needs
            `isolation="process"`.
        schedule: when it runs by itself: cron text, a `Cron`, or a list of them.
        retry_on: exception classes, or functions of the error; only these are tried again.
        abort_on: the same; these fail the run at once.
        catch_error: a hook that decides for each error, see `hooks.catch_error`.
    """

    id: str
    queue: Queue | str
    retry: Retry
    max_duration: Duration
    ttl: Duration
    concurrency_key: KeyOf
    idempotency_key: KeyOf
    idempotency_ttl: Duration
    description: str
    isolation: Isolation
    machine: Machine | str
    schedule: Declared
    retry_on: Matcher | Sequence[Matcher]
    abort_on: Matcher | Sequence[Matcher]
    catch_error: Callable[..., Any]


class Declaration(Struct, frozen=True):
    """The checked options of one task."""

    id: str
    queue: str
    retry: RetryPolicy
    description: str
    max_duration_ms: int | None
    ttl_ms: int | None
    concurrency_key: str | None
    idempotency_key: str | None
    idempotency_ttl_ms: int | None
    machine: str | None
    keys: KeyFunctions | None
    retry_on: tuple[Matcher, ...] | None = None
    abort_on: tuple[Matcher, ...] = ()
    catch_error: Callable[..., Any] | None = None
    isolation: Isolation | None = None
    limits: Limits = UNLIMITED
    on_out_of_memory: str | None = None
    schedules: tuple[ScheduleSpec, ...] = ()

    def isolation_of(self, is_async: bool) -> Isolation:
        """Where attempts are executed. Raises: InvalidTask when the function is not fit for it."""
        own: Isolation = "async" if is_async else "thread"
        if self.isolation not in (None, own, "process"):
            kind = "an `async def`" if is_async else "a plain `def`"
            raise InvalidTask(
                f"Task {self.id!r}: isolation is {self.isolation!r}, but the function is {kind}; "
                f"{own!r} and 'process' are allowed."
            )
        return self.isolation or own

    def spec(self, *, file: str, line: int, **of_function: Any) -> TaskSpec:
        """The declaration and what the function itself says, as the server is told."""
        return TaskSpec(
            id=self.id,
            queue=self.queue,
            retry=self.retry,
            max_duration_ms=self.max_duration_ms,
            ttl_ms=self.ttl_ms,
            description=self.description,
            idempotency_key=self.idempotency_key,
            idempotency_ttl_ms=self.idempotency_ttl_ms,
            concurrency_key=self.concurrency_key,
            machine=self.machine,
            schedules=self.schedules,
            file=file,
            line=line,
            **of_function,
        )


def declare(given: TaskOptions, name: str, documentation: str) -> Declaration:
    """Check the options of a task; `name` is the function's. Raises: InvalidTask."""
    task_id = given.get("id", name)
    check_name(task_id, "Task: id")
    what = f"Task {task_id!r}"
    unknown = given.keys() - TaskOptions.__annotations__.keys()
    if unknown:
        raise InvalidTask(
            f"{what}: no option is named {', '.join(sorted(unknown))}; there are "
            f"{', '.join(TaskOptions.__annotations__)}."
        )
    queue = given.get("queue", default_queue(task_id))
    if not isinstance(queue, Queue):
        check_name(queue, f"{what}: queue")
    retry = given.get("retry", Retry())
    if not isinstance(retry, Retry):
        raise InvalidTask(f"{what}: retry is {retry!r}; write Retry(max_attempts=…).")
    concurrency, concurrency_of = _key(given, "concurrency_key", what)
    idempotency, idempotency_of = _key(given, "idempotency_key", what)
    ttl_ms = _ms(given, "idempotency_ttl", what)
    isolation = given.get("isolation")
    if isolation is not None and isolation not in get_args(Isolation):
        raise InvalidTask(
            f"{what}: isolation is {isolation!r}; {', '.join(get_args(Isolation))} are allowed."
        )
    machine, limits = _machine(given, what)
    functions = concurrency_of is not None or idempotency_of is not None
    return Declaration(
        id=task_id,
        queue=queue.name if isinstance(queue, Queue) else queue,
        retry=retry.spec(),
        description=given.get("description", documentation.strip().partition("\n")[0]),
        max_duration_ms=_ms(given, "max_duration", what),
        ttl_ms=_ms(given, "ttl", what),
        concurrency_key=concurrency,
        idempotency_key=idempotency,
        idempotency_ttl_ms=ttl_ms,
        machine=machine,
        keys=KeyFunctions(concurrency_of, idempotency_of, ttl_ms) if functions else None,
        retry_on=matchers(given["retry_on"], f"{what}: retry_on") if "retry_on" in given else None,
        abort_on=matchers(given.get("abort_on", ()), f"{what}: abort_on"),
        catch_error=_hook(given, "catch_error", what),
        isolation=isolation,
        limits=limits,
        on_out_of_memory=retry.on_out_of_memory,
        schedules=declared(given["schedule"], what) if "schedule" in given else (),
    )


def _machine(given: TaskOptions, what: str) -> tuple[str | None, Limits]:
    """The preset that the server is told, and what the worker enforces."""
    machine = given.get("machine")
    if machine is None:
        return None, UNLIMITED
    if not isinstance(machine, Machine):
        preset = check_preset(machine, f"{what}: machine")
        return preset, PRESETS[preset]
    if given.get("isolation") != "process":
        raise InvalidTask(
            f"{what}: the limits of a Machine hold for a process, and its runs share one; add "
            "isolation='process'."
        )
    return None, machine.limits()


def _hook(given: TaskOptions, option: str, what: str) -> Callable[..., Any] | None:
    value: Any = given.get(option)
    if value is not None and not callable(value):
        raise InvalidTask(f"{what}: {option} is {value!r}; give a function (ctx, error).")
    hook: Callable[..., Any] | None = value
    return hook


def _key(
    given: TaskOptions, option: str, what: str
) -> tuple[str | None, Callable[..., Any] | None]:
    """The template and the function of a key; at most one of them."""
    value: Any = given.get(option)
    if callable(value):
        return None, value
    if value is None:
        return None, None
    if not isinstance(value, str):
        raise InvalidTask(f"{what}: {option} is {value!r}; write a template or a function.")
    template.check(value, f"{what}: {option}")
    return value, None


def _ms(given: TaskOptions, option: str, what: str) -> int | None:
    value: Any = given.get(option)
    return None if value is None else declared_ms(value, f"{what}: {option}")
