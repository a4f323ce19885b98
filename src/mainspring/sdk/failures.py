"""Errors of steps and children: as they are stored, and as they are raised when they are read."""

from __future__ import annotations

import contextlib
import functools
import re
import sys
import traceback
from typing import Any, Final, cast

import msgspec

from mainspring.errors import MainspringError, RunCanceled, RunFailed, StepFailed
from mainspring.model.run import RunError
from mainspring.sdk.encode import BEYOND_JSON, to_json
from mainspring.wire.calls import Outcome

MESSAGE_LIMIT: Final = 16 * 1024
STACK_LIMIT: Final = 64 * 1024
ARGUMENTS_LIMIT: Final = 16 * 1024

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_read: Final = msgspec.json.Decoder(RunError).decode


def written(error: Exception) -> str:
    """A step's error as JSON text of a RunError, with what is needed to raise its like again."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - the user's own __str__ failed; its name must do
        message = ""
    stack = "".join(traceback.format_exception(error))
    code = error.code if isinstance(error, MainspringError) else ""
    kind = type(error)
    details: dict[str, Any] = {"class": f"{kind.__module__}:{kind.__qualname__}"}
    with contextlib.suppress(*BEYOND_JSON):  # the message alone will do
        arguments = to_json(error.args)
        if len(arguments) <= ARGUMENTS_LIMIT:
            details["args"] = msgspec.Raw(arguments)
    stored = RunError(
        _clean(message)[:MESSAGE_LIMIT],
        kind.__name__,
        _clean(stack)[-STACK_LIMIT:],
        code,
        details,
    )
    return to_json(stored).decode()


def again(step: str, text: str) -> StepFailed:
    """The error of a step that failed earlier in this attempt.

    It is of the class of that error as well, where that class is known in this process, so that the
    same `except` catches both.
    """
    stored = _read(text)
    details = stored.details if isinstance(stored.details, dict) else {}
    made: StepFailed | None = None
    cls = _both(str(details.get("class", "")))
    arguments = details.get("args")
    if cls is not None:
        try:
            made = cls.__new__(cls)
        except Exception:  # noqa: BLE001 - a class with a __new__ of its own; the plain one will do
            made = None
    if made is None:
        made = StepFailed(f"Step {step!r} failed earlier in this attempt: {stored.message}")
    else:
        made.args = tuple(arguments) if isinstance(arguments, list) else (stored.message,)
        made.message = stored.message
    made.details = stored
    return made


def of_child(outcome: Outcome) -> RunFailed:
    """What a child that ended without success means for its parent."""
    error = outcome.error or RunError("no error was stored")
    if outcome.status == "canceled":
        return RunCanceled(
            f"Run {outcome.run_id} of task {outcome.task} was canceled.", details=error
        )
    said = f"{error.name}: {error.message}" if error.message else error.name
    return RunFailed(
        f"Run {outcome.run_id} of task {outcome.task} ended as {outcome.status}: {said}",
        details=error,
    )


@functools.lru_cache(maxsize=256)
def _both(name: str) -> type[StepFailed] | None:
    """A class that is StepFailed and the one of that name; None where that is not to be had."""
    module, _, path = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, type) or not issubclass(found, Exception):
        return None
    body = {"__str__": lambda self: self.message, "__module__": __name__}
    try:
        return cast("type[StepFailed]", type(found.__name__, (StepFailed, found), body))
    except TypeError:  # their layouts do not go together
        return None


def _clean(text: str) -> str:
    return _UNSTORABLE.sub("�", text)
