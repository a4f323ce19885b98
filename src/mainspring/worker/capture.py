"""What the user's code prints and logs, given to the run it belongs to. Counting is `lines`'."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TextIO, cast

import msgspec

from mainspring.clock import Clock
from mainspring.sdk.context import running
from mainspring.wire.worker import LogLine, Logs
from mainspring.worker import hidden
from mainspring.worker.lines import NOTICE, Lines, kept
from mainspring.worker.slots import Held, Slots

BATCH: Final = 200
BATCH_SIZE: Final = 1024 * 1024
DELAY_S: Final = 0.1

_EMIT: Final = logging.StreamHandler.emit.__code__
_encode: Final = msgspec.json.Encoder().encode


class Capture:
    """Collects lines of runs, and hands them over every 100 ms or 200 lines.

    Text written outside of every run goes where it always went. With `echo`, lines of runs go
    there as well. It belongs to one session at a time; costs nothing for runs that are silent.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        echo: bool = False,
        direct: Callable[[LogLine], None] | None = None,
    ) -> None:
        """`direct` is handed each line at once, from any thread, and nothing is collected."""
        self.echo = echo
        self._direct = direct
        self._clock = clock
        self._slots: Slots | None = None
        self._post: Callable[[Logs], None] = lambda logs: None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lines: list[LogLine] = []
        self._armed = False
        # re-entrant: collecting garbage in here may print
        self._lock = threading.RLock()

    def attach(self, slots: Slots, post: Callable[[Logs], None]) -> None:
        """Serve the runs of these slots; `post` is called on this event loop."""
        self._slots = slots
        self._post = post
        self._loop = asyncio.get_running_loop()

    def run(self) -> Held | None:
        """The run that the current code belongs to, as long as it is held."""
        ctx = running.get()
        if ctx is None or self._slots is None:
            return None
        return self._slots.owner(ctx)

    def sink(self, level: str, message: str, data: str | None) -> None:
        """Take a line of `mainspring.logger`."""
        run = self.run()
        if run is not None:
            self._add(run, level, message, data)
        if run is None or self.echo:
            _plain(sys.__stderr__, hidden.shown(message if data is None else f"{message} {data}"))

    def write(self, level: str, text: str) -> bool:
        """Take what is printed; False when it belongs to no run."""
        run = self.run()
        if run is not None:
            self.feed(run, level, text)
        return run is not None

    def feed(self, run: Held, level: str, text: str) -> None:
        """Take what this run has printed."""
        with self._lock:
            if run.lines is None:
                run.lines = Lines()
            whole = run.lines.feed(level, text)
        for line in whole:
            self._add(run, level, line, None)

    def record(self, run: Held, record: logging.LogRecord) -> None:
        """Take a record of the standard `logging`."""
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + logging.Formatter().formatException(record.exc_info)
        data = _encode({"logger": record.name}).decode()
        self._add(run, record.levelname.lower(), message, data)

    def warn(self, run: Held, message: str) -> None:
        """Give a run a line of our own, whatever it does."""
        self._keep(run, "warning", message, None)

    def finish(self, run: Held) -> None:
        """The run is about to end: hand over everything, also a last line without its end."""
        if run.lines is not None:
            for level, text in run.lines.rest():
                self._add(run, level, text, None)
        self.flush()

    def flush(self) -> None:
        """Hand over what has been collected; on the event loop only."""
        self._armed = False
        with self._lock:
            lines, self._lines = self._lines, []
        start = size = 0
        for end, line in enumerate(lines, 1):
            size += len(line.message)
            if end - start == BATCH or size > BATCH_SIZE:
                self._post(Logs(lines[start:end]))
                start, size = end, 0
        if start < len(lines):
            self._post(Logs(lines[start:]))

    def _add(self, run: Held, level: str, message: str, data: str | None) -> None:
        if not run.ctx.replaying:  # those lines are there already
            self._keep(run, level, message, data)

    def _keep(self, run: Held, level: str, message: str, data: str | None) -> None:
        with self._lock:
            if run.lines is None:
                run.lines = Lines()
            keep = run.lines.admit()
            if keep is False:
                return
            if keep is None:
                level, message, data = "warning", NOTICE, None
            told = kept(hidden.shown(message))
            if data is not None:
                data = hidden.shown_json(data)
            line = LogLine(run.order.run_id, self._clock.now(), level, told, data)
            if self._direct is not None:
                self._direct(line)
                return
            self._lines.append(line)
            count = len(self._lines)
        if not self._armed and self._loop is not None:
            self._armed = True
            self._loop.call_soon_threadsafe(self._loop.call_later, DELAY_S, self.flush)
        elif count == BATCH and self._loop is not None:
            self._loop.call_soon_threadsafe(self.flush)


class Hiding:
    """Stands in for stdout or stderr, and takes secrets out of what is written."""

    def __init__(self, real: TextIO) -> None:
        self._real = real

    def write(self, text: str) -> int:
        """Write; returns the number of characters."""
        self._real.write(hidden.shown(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Stream(Hiding):
    """The same; gives a run's text to `Capture`, all other text onwards."""

    def __init__(self, real: TextIO, capture: Capture, level: str) -> None:
        super().__init__(real)
        self._capture = capture
        self._level = level

    def write(self, text: str) -> int:
        """Write; returns the number of characters."""
        # a StreamHandler writes records that `Handler` below has taken already
        logged = sys._getframe(1).f_code is _EMIT
        if logged or not self._capture.write(self._level, text) or self._capture.echo:
            return super().write(text)
        return len(text)


class Handler(logging.Handler):
    """Gives records of runs to `Capture`; others are shown as if this handler was not there."""

    def __init__(self, capture: Capture) -> None:
        super().__init__()
        self._capture = capture

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record."""
        run = self._capture.run()
        try:
            if run is not None:
                self._capture.record(run, record)
            if (run is None or self._capture.echo) and logging.root.handlers == [self]:
                last = logging.lastResort
                if last is not None and (run is not None or record.levelno >= last.level):
                    last.emit(record)
        except Exception:  # noqa: BLE001 - logging's own rule: a record must not end the program
            self.handleError(record)


def hide_in_streams() -> None:
    """From now on this process writes no secrets to its streams, also while it imports."""
    sys.stdout = cast(TextIO, Hiding(sys.stdout))
    sys.stderr = cast(TextIO, Hiding(sys.stderr))


@contextlib.contextmanager
def captured(capture: Capture) -> Iterator[None]:
    """Stand before stdout, stderr and `logging` of this process.

    Where `logging` was not set up, its level becomes INFO, so that runs keep what they log.
    """
    out, err, level = sys.stdout, sys.stderr, logging.root.level
    handler = Handler(capture)
    logging.root.addHandler(handler)
    if logging.root.handlers == [handler] and level == logging.WARNING:
        logging.root.setLevel(logging.INFO)
    sys.stdout = cast(TextIO, Stream(out, capture, "info"))
    sys.stderr = cast(TextIO, Stream(err, capture, "warning"))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err
        logging.root.removeHandler(handler)
        logging.root.setLevel(level)


def _plain(stream: TextIO | None, text: str) -> None:
    if stream is not None:
        stream.write(f"{text}\n")
