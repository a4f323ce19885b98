"""The thread that notices when the event loop stands still, and shows whose code does that.

It ends nothing: code that blocks the loop costs its neighbours time, not the worker its lease.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

import mainspring
from mainspring.worker.capture import Capture
from mainspring.worker.slots import Held, Slots

LIMIT_S: Final = 1.0
_LOOKS: Final = 4
"""How often it looks within the limit."""
_OURS: Final = (
    str(Path(mainspring.__file__).parent / "worker"),
    str(Path(asyncio.__file__).parent),
)

Blocked = Callable[["asyncio.Task[Any] | None", str], None]
"""Told, in the watchdog's thread, which asyncio task stands in the way, and its stack."""

log = logging.getLogger("mainspring.worker")


class Watchdog:
    """Watches the running event loop from `start` to `stop`; `blocked` is called once each time
    that it has not turned for `limit_s`.
    """

    def __init__(self, blocked: Blocked, limit_s: float = LIMIT_S) -> None:
        self._blocked = blocked
        self._limit_s = limit_s
        self._loop = asyncio.get_running_loop()
        self._watched = threading.get_ident()
        self._turned_at = time.monotonic()
        self._asked = False
        self._told = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join()

    def _watch(self) -> None:
        pause = self._limit_s / _LOOKS
        before = time.monotonic()
        while not self._stopping.wait(pause):
            now = time.monotonic()
            if now - before > 2 * pause:
                self._turned_at = now  # this thread stood still, too: the machine was busy or slept
            before = now
            if not self._asked:
                self._asked, self._turned_at = True, now
                with contextlib.suppress(RuntimeError):  # the loop is closed
                    self._loop.call_soon_threadsafe(self._turned)
            elif not self._told and now - self._turned_at >= self._limit_s:
                self._told = True
                self._tell()

    def _turned(self) -> None:
        """On the loop: it turns."""
        self._asked = self._told = False

    def _tell(self) -> None:
        frame = sys._current_frames().get(self._watched)
        task = asyncio.current_task(self._loop)
        if frame is not None and self._asked:
            self._blocked(task, shown(frame))


def shown(frame: FrameType) -> str:
    """The stack of a thread, without the frames through which the user's code was called."""
    frames = traceback.extract_stack(frame)
    own = [at for at, entry in enumerate(frames) if entry.filename.startswith(_OURS)]
    users = frames[own[-1] + 1 :] if own else frames
    return "".join(traceback.format_list(users or frames))


def report(
    slots: Slots, capture: Capture | None, task: asyncio.Task[Any] | None, stack: str
) -> None:
    """Write a warning into the log of the run that the task belongs to, and into the worker's."""
    run = _owner(slots, task)
    if run is None:
        log.warning("the event loop stands still; no run's code does that:\n%s", stack)
        return
    order = run.order
    log.warning(
        "run %s of task %s keeps the event loop from turning, and all other runs with it; the log "
        "of the run shows where",
        order.run_id,
        order.task,
    )
    if capture is not None:
        capture.warn(
            run,
            "This code keeps the event loop from turning, so that no other run of the worker goes "
            "on. Await something that does not block, or make the task a plain `def`, or give it "
            f"isolation='process'. It was here:\n{stack}",
        )


def _owner(slots: Slots, task: asyncio.Task[Any] | None) -> Held | None:
    if task is None:
        return None
    for run in list(slots.held.values()):
        journal = run.ctx.opened
        if run.work is task or (journal is not None and task in journal.branches):
            return run
    return None
