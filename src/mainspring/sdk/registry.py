"""The tasks and queues that this process has declared. Finding files is the business of `scan`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

import msgspec

from mainspring.errors import DuplicateTask, InvalidTask, UnknownTask
from mainspring.model.task import QueueSpec, TaskSpec
from mainspring.sdk import hooks
from mainspring.sdk.context import Context


class Executable(Protocol):
    """A registered task, as whoever executes it sees it; `mainspring.sdk.task.Task` is one."""

    id: str
    func: Callable[..., Any]
    is_async: bool
    file: str
    line: int
    hooks: hooks.Hooks

    @property
    def name(self) -> str:
        """The function's qualified name."""
        ...

    @property
    def spec(self) -> TaskSpec:
        """What the server is told. Raises: InvalidTask when annotations cannot be understood."""
        ...

    @property
    def failing(self) -> Executable | None:
        """The task whose runs call the failure hooks of this one; None when it has none."""
        ...

    def bind_payload(
        self, text: str, ctx: Context | None = None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments for `func`. Raises: InvalidPayload naming each bad field."""
        ...

    def payload(self, text: str) -> Any:
        """The payload object, or a dict of the arguments."""
        ...

    def encode_output(self, value: Any) -> str:
        """JSON text of what `func` returned. Raises: InvalidOutput."""
        ...


class DeclaredQueue(Protocol):
    """A registered queue; `mainspring.sdk.limits.Queue` is one."""

    @property
    def name(self) -> str: ...
    def spec(self) -> QueueSpec: ...


class Registry:
    """Tasks by id and queues by name, with the place of each queue's declaration."""

    def __init__(self) -> None:
        self.tasks: dict[str, Executable] = {}
        self.queues: dict[str, DeclaredQueue] = {}
        self._places: dict[str, tuple[str, int]] = {}

    def add_task(self, task: Executable) -> None:
        """Register a task; the same function imported again replaces itself.

        Raises: DuplicateTask naming both places when another function has the id.
        """
        known = self.tasks.get(task.id)
        if known is not None and (known.file, known.name) != (task.file, task.name):
            raise DuplicateTask(
                f"Two tasks have the id {task.id!r}: {known.name} in {known.file}:{known.line} and "
                f"{task.name} in {task.file}:{task.line}. Give one of them another `id=`.",
                details={
                    "id": task.id,
                    "places": [f"{known.file}:{known.line}", f"{task.file}:{task.line}"],
                },
            )
        self.tasks[task.id] = task

    def add_queue(self, queue: DeclaredQueue, file: str, line: int) -> None:
        """Register a queue; the same file may declare it anew.

        Raises: InvalidTask when another file declares it with other limits.
        """
        known = self.queues.get(queue.name)
        if known is not None and known.spec() != queue.spec():
            at, on = self._places[queue.name]
            if at != file:
                raise InvalidTask(
                    f"Queue {queue.name!r} is declared with different limits in {at}:{on} and "
                    f"{file}:{line}. Declare it once and import it."
                )
        self.queues[queue.name] = queue
        self._places[queue.name] = file, line

    def get(self, task_id: str) -> Executable:
        """The task with that id. Raises: UnknownTask."""
        try:
            return self.tasks[task_id]
        except KeyError:
            raise UnknownTask(
                f"No task {task_id!r} is declared in this process; it has "
                f"{', '.join(sorted(self.tasks)) or 'none'}."
            ) from None

    def executables(self) -> dict[str, Executable]:
        """What runs may be of, by id: the tasks, and those that call failure hooks of tasks."""
        found = dict(self.tasks)
        for task in self.tasks.values():
            failing = task.failing
            if failing is not None:
                found[failing.id] = failing
        return found

    def specs(self) -> tuple[list[TaskSpec], list[QueueSpec]]:
        """What the server is told of this process, sorted by id and by name.

        Raises: InvalidTask when the annotations of a task cannot be understood.
        """
        tasks = self.executables()
        return (
            [_told(tasks[task_id]) for task_id in sorted(tasks)],
            [self.queues[name].spec() for name in sorted(self.queues)],
        )

    def forget_file(self, file: str) -> None:
        """Take out the tasks of a file, for one that failed while it was imported."""
        self.tasks = {key: task for key, task in self.tasks.items() if task.file != file}

    @contextlib.contextmanager
    def isolated(self) -> Iterator[None]:
        """No tasks, queues or global hooks inside, and those from before afterwards; for tests."""
        before = self.tasks, self.queues, self._places
        self.tasks, self.queues, self._places = {}, {}, {}
        try:
            with hooks.isolated():
                yield
        finally:
            self.tasks, self.queues, self._places = before


def _told(task: Executable) -> TaskSpec:
    spec = task.spec
    return spec if task.failing is None else msgspec.structs.replace(spec, on_failure=True)


registry: Final = Registry()
