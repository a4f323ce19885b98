"""From an exception to the outcome of an attempt and the error that people read. No messages."""

from __future__ import annotations

import re
import traceback
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple

import msgspec

import mainspring
from mainspring.errors import AbortRun, InvalidOptions, InvalidPayload, MainspringError, RetryRun
from mainspring.model.duration import milliseconds
from mainspring.model.run import RunError
from mainspring.sdk.encode import BEYOND_JSON, to_json
from mainspring.sdk.policy import shown
from mainspring.worker import hidden

MESSAGE_LIMIT: Final = 16 * 1024
STACK_LIMIT: Final = 64 * 1024
DETAILS_LIMIT: Final = 64 * 1024

_OURS: Final = str(Path(mainspring.__file__).parent / "worker")
_SDK: Final = str(Path(mainspring.__file__).parent / "sdk")
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


class Phase(IntEnum):
    """How far an attempt got."""

    BIND = 0
    BODY = 1
    OUTPUT = 2


class Outcome(NamedTuple):
    """A word of `wire.worker.Finished`, with the error and the delay that the task wishes."""

    word: str
    error: RunError
    retry_after_ms: int | None = None


def of(error: BaseException, phase: Phase) -> Outcome:
    """What an attempt that ended with this exception has come to.

    Everything counts as a failure that may be tried again, also SystemExit and the like, except
    what can only fail again: a payload or an output that does not fit, and AbortRun.
    """
    if phase is Phase.BIND and isinstance(error, InvalidPayload):
        # where in our code that was found out helps nobody
        return Outcome("invalid_payload", described(error, stack=False))
    if phase is Phase.OUTPUT or isinstance(error, AbortRun):
        return Outcome("aborted", described(shown(error)))
    if isinstance(error, RetryRun):
        if error.after is None:
            return Outcome("retry", described(shown(error)))
        try:
            return Outcome("retry", described(shown(error)), milliseconds(error.after, "after"))
        except (InvalidOptions, TypeError) as wrong:
            wrong.__cause__ = error
            return Outcome("failed", described(wrong))
    return Outcome("failed", described(error))


def described(error: BaseException, *, stack: bool = True) -> RunError:
    """The exception as it is stored: message, class name, stack of the user's code with causes."""
    code, details = "", None
    if isinstance(error, MainspringError):
        code, details = error.code, _details(error.details)
    return RunError(
        hidden.shown(storable(_message(error)))[:MESSAGE_LIMIT],
        type(error).__name__,
        _stack(error) if stack else "",
        code,
        details,
    )


def storable(text: str) -> str:
    """The text without NUL characters and lone surrogates, which no database or JSON can hold."""
    if text.isascii() and "\0" not in text:
        return text
    return _UNSTORABLE.sub("\ufffd", text)


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"The task called exit with {error.code!r}; return or raise an error instead."
    try:
        text = str(error)
    except Exception as broken:  # noqa: BLE001 - the user's __str__ may do anything
        text = f"(its text cannot be shown: {type(broken).__name__})"
    return text or type(error).__name__


def _stack(error: BaseException) -> str:
    """The traceback, without the frames through which we called the user's code."""
    trace = _from_user(error.__traceback__)
    if trace is None and not isinstance(error, MainspringError):
        trace = error.__traceback__  # a fault of this package has to be found
    shown = traceback.TracebackException(type(error), error, trace)
    cause, inner = shown, error
    while (following := _chained(cause, inner)) is not None:
        cause, inner = following
        while cause.stack and cause.stack[0].filename.startswith(_OURS):
            del cause.stack[0]
    text = hidden.shown(storable("".join(shown.format())))
    if len(text) > STACK_LIMIT:
        half = STACK_LIMIT // 2
        text = f"{text[:half]}\n… {len(text) - STACK_LIMIT:,} characters left out …\n{text[-half:]}"
    return text


def _from_user(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame of the user's code on; None when there is none."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith((_OURS, _SDK)):
        trace = trace.tb_next
    return trace


def _chained(
    shown: traceback.TracebackException, error: BaseException
) -> tuple[traceback.TracebackException, BaseException] | None:
    if shown.__cause__ is not None and error.__cause__ is not None:
        return shown.__cause__, error.__cause__
    if shown.__context__ is not None and error.__context__ is not None:
        return shown.__context__, error.__context__
    return None


def _details(details: Any) -> Any:
    """The details as plain JSON values; text when they have no such form."""
    if details is None:
        return None
    try:
        data = hidden.shown_json(to_json(details).decode()).encode()
    except BEYOND_JSON:
        return hidden.shown(storable(repr(details)))[:DETAILS_LIMIT]
    if len(data) > DETAILS_LIMIT:
        return data[:DETAILS_LIMIT].decode(errors="replace")
    return msgspec.json.decode(data)
