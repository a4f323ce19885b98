"""Errors that a test puts into tasks and functions, for a number of calls. No engine here."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any

from mainspring.errors import InvalidOptions
from mainspring.sdk.task import Configured, Task

Error = BaseException | type[BaseException]


class InjectedFault(Exception):
    """What `jobs.fail` raises when the test names no error of its own."""


class Fault:
    """An error for the next calls of a function.

    Attributes:
        fired: how many calls have failed.
        left: how many still will.
    """

    def __init__(self, name: str, times: int, error: Error | None) -> None:
        self.name = name
        self.fired = 0
        self.left = times
        self._error = error

    def strike(self) -> None:
        """Raise, as long as calls are left."""
        if self.left <= 0:
            return
        self.left -= 1
        self.fired += 1
        error = self._error
        if error is None:
            raise InjectedFault(f"call {self.fired} of {self.name} failed because the test said so")
        raise error


class Faults:
    """All faults of a test; `restore` takes them out again."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def inject(
        self,
        target: Any,
        times: int,
        error: Error | None,
    ) -> Fault:
        """Let the next calls of a task's body or of a function raise.

        A function is replaced wherever a module or a class refers to it.
        Raises: InvalidOptions when nothing refers to it.
        """
        if isinstance(target, Configured):
            target = target._task
        if isinstance(target, Task):
            fault = Fault(f"task {target.id!r}", times, error)
            assert target.signature is not None  # read before the function is wrapped
            self._replace(target, "func", faulty(target.func, fault))
            return fault
        name = getattr(target, "__qualname__", repr(target))
        fault = Fault(name, times, error)
        places = list(references(target))
        if not places:
            raise InvalidOptions(
                f"jobs.fail cannot find {name}: no module or class refers to it. Pass the task, or "
                "a function of a module that the task calls by its name."
            )
        for owner, attribute in places:
            self._replace(owner, attribute, faulty(target, fault))
        return fault

    def restore(self) -> None:
        """Put the functions back as they were."""
        while self._undo:
            self._undo.pop()()

    def _replace(self, owner: Any, attribute: str, function: Callable[..., Any]) -> None:
        before = owner.__dict__[attribute]
        setattr(owner, attribute, function)
        self._undo.append(lambda: setattr(owner, attribute, before))


def faulty(function: Callable[..., Any], fault: Fault) -> Callable[..., Any]:
    """The function, which fails first as long as the fault says so."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def later(*args: Any, **kwargs: Any) -> Any:
            fault.strike()
            return await function(*args, **kwargs)

        return later

    @functools.wraps(function)
    def now(*args: Any, **kwargs: Any) -> Any:
        fault.strike()
        return function(*args, **kwargs)

    return now


def references(function: Any) -> Iterator[tuple[Any, str]]:
    """(module or class, name) of everything that refers to a function."""
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", None)
        for name, value in list(names.items()) if isinstance(names, dict) else ():
            if value is function:
                yield module, name
    owner: Any = sys.modules.get(getattr(function, "__module__", ""))
    *path, name = getattr(function, "__qualname__", "").split(".")
    for part in path:
        owner = getattr(owner, part, None)
    if path and inspect.isclass(owner) and vars(owner).get(name) is function:
        yield owner, name
