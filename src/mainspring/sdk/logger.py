"""Structured log lines of a run. Outside a run they go to the standard `logging`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

import msgspec

from mainspring.sdk.encode import BEYOND_JSON, to_json

Sink = Callable[[str, str, str | None], None]
"""Takes level, message and data (JSON text or None) of one line."""

sink: Final[ContextVar[Sink | None]] = ContextVar("mainspring_log_sink", default=None)
_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_outside: Final = logging.getLogger("mainspring.logger")


class Logger:
    """Writes lines of the current run: a message, and data as keyword arguments.

    Never raises: data without a JSON form is written as its `repr`.
    """

    def debug(self, message: str, /, **data: Any) -> None:
        """A line that only a search for an error wants to see."""
        _write("debug", message, data)

    def info(self, message: str, /, **data: Any) -> None:
        """A line about what happens."""
        _write("info", message, data)

    def warning(self, message: str, /, **data: Any) -> None:
        """A line about something that someone should look at."""
        _write("warning", message, data)

    def error(self, message: str, /, **data: Any) -> None:
        """A line about something that went wrong."""
        _write("error", message, data)


logger: Final = Logger()


def _write(level: str, message: str, data: dict[str, Any]) -> None:
    into = sink.get()
    if into is not None:
        into(level, message, _text(data) if data else None)
    elif _outside.isEnabledFor(_LEVELS[level]):
        shown = " ".join([message, *(f"{name}={value!r}" for name, value in data.items())])
        _outside.log(_LEVELS[level], "%s", shown, extra={"data": data}, stacklevel=3)


def _text(data: dict[str, Any]) -> str:
    try:
        return to_json(data).decode()
    except BEYOND_JSON:
        shown = {name: repr(value).replace("\0", "\\0") for name, value in data.items()}
        return msgspec.json.encode(
            {n: v.encode(errors="replace").decode() for n, v in shown.items()}
        ).decode()
