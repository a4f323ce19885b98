"""The task whose runs call the failure hooks of another. When one is made is the engine's say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec

from mainspring.errors import EngineError, InvalidPayload
from mainspring.model.machine import Limits
from mainspring.model.run import Run
from mainspring.model.task import TaskSpec, default_queue, failure_task
from mainspring.sdk import hooks
from mainspring.sdk.context import Context, current
from mainspring.sdk.handles import failure
from mainspring.sdk.journal import KEY_LENGTH, Journal
from mainspring.sdk.limits import check_name
from mainspring.sdk.logger import logger
from mainspring.sdk.scopes import Branch, current_branch
from mainspring.sdk.transport import ask
from mainspring.wire.calls import Retrieve
from mainspring.wire.orders import order_of
from mainspring.wire.worker import Entry

_decode: Final = msgspec.json.Decoder(dict[str, str]).decode


class Failing(Protocol):
    """A task with failure hooks, as far as it is needed here."""

    id: str
    file: str
    line: int
    hooks: hooks.Hooks

    @property
    def name(self) -> str: ...
    def payload(self, text: str) -> Any: ...


class FailureTask:
    """Calls, in a run of its own, the failure and complete hooks for a run that ended badly.

    Its middleware is that of the task. Hooks are called one after the other, each in a scope of
    the journal of its own; one that has returned is not called again when the run is. An error of
    one is raised once all were called.
    """

    is_async = True

    def __init__(self, task: Failing) -> None:
        self.id = failure_task(task.id)
        self.name = f"{task.name} on_failure"
        self.func: Callable[..., Any] = self._call
        self.file = task.file
        self.line = task.line
        self.hooks = hooks.Hooks()
        self.hooks.alone = True
        self.hooks.middlewares = hooks.of(task, "middlewares")
        self.hooks.starts = hooks.of(task, "starts")
        self.hooks.any = bool(self.hooks.middlewares or self.hooks.starts)
        self.limits = Limits()
        self.on_out_of_memory: str | None = None
        self._task = task

    @property
    def spec(self) -> TaskSpec:
        """What the server is told. Raises: InvalidTask when the task's id leaves no room."""
        check_name(self.id, f"Task {self._task.id!r} has failure hooks, whose task")
        return TaskSpec(
            id=self.id,
            queue=default_queue(self.id),
            description=f"Calls the failure hooks of {self._task.id}.",
            file=self.file,
            line=self.line,
        )

    @property
    def failing(self) -> None:
        """It has no failure hooks of its own."""
        return

    def bind_payload(
        self, text: str, ctx: Context | None = None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The id of the failed run. Raises: InvalidPayload."""
        return (self.payload(text)["run"],), {}

    def payload(self, text: str) -> Any:
        """The payload as a dict. Raises: InvalidPayload."""
        try:
            found = _decode(text)
        except msgspec.MsgspecError as error:
            raise InvalidPayload(f"{self.id}: the payload is unreadable: {error}.") from error
        if "run" not in found:
            raise InvalidPayload(f'{self.id}: the payload is {{"run": id of the failed run}}.')
        return found

    def encode_output(self, value: Any) -> str:
        """Hooks have no result."""
        return "null"

    async def _call(self, run_id: str) -> None:
        run = await ask(Retrieve(run_id), Run)
        here = current()
        ctx = Context(
            order_of(run, 0, run.payload or "null"), here.environment, payload=self._task.payload
        )
        error = failure(run)
        result = hooks.Result(ok=False, error=error)
        calls: list[tuple[Callable[..., Any], object]] = [
            *((hook, error) for hook in hooks.of(self._task, "failures")),
            *((hook, result) for hook in hooks.of(self._task, "completions")),
        ]
        group = here.journal.root.gathered(calls)
        broken: list[Exception] = []
        for hook, news in calls:
            error_of_hook = await _once(here.journal, group.branch(), hook, ctx, news)
            if error_of_hook is not None:
                broken.append(error_of_hook)
        if broken:
            raise broken[0]


async def _once(
    journal: Journal, branch: Branch, hook: Callable[..., Any], ctx: Context, news: object
) -> Exception | None:
    """Call the hook unless it has returned in an earlier attempt; what it raises."""
    name = hooks.name(hook)
    mark = journal.place("hook", name[:KEY_LENGTH])
    if mark.entry is not None:
        journal.forget(branch.scope.prefix)
        return None
    started = journal.clock.now()
    token = current_branch.set(branch)
    try:
        await hooks.called(hook, ctx, news)
    except EngineError:
        raise
    except Exception as error:  # noqa: BLE001 - the other hooks are called first
        logger.error(f"Hook {name} raised {type(error).__name__}: {error}")
        return error
    finally:
        current_branch.reset(token)
    now = journal.clock.now()
    await journal.record(
        Entry(mark.key, mark.seq, "checkpoint", data="null", started_at=started, ended_at=now)
    )
    return None
