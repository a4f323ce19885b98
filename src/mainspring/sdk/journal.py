"""The journal of one run as its code sees it: what is behind it, and keeping what comes next.

Which verb asks, and what values mean, is decided in `step`, `wait`, `children` and their sisters.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Any, Final

from mainspring.clock import Clock, SystemClock
from mainspring.sdk.port import Port
from mainspring.sdk.scopes import Branch, Scope
from mainspring.sdk.signals import Signal
from mainspring.wire.worker import Entry, Execute, Wait

NAME_LENGTH: Final = 128
KEY_LENGTH: Final = 256
MANY: Final = 10_000
MOST: Final = 50_000

_NAME: Final = re.compile(f"[^\0\ud800-\udfff/#!\\[\\]]{{1,{NAME_LENGTH}}}")
_KEY: Final = re.compile(f"(?!!)[^\0\ud800-\udfff]{{1,{KEY_LENGTH}}}")

log = logging.getLogger("mainspring.journal")


class Place:
    """One durable operation of the code: its key, its turn, and what the journal has under it."""

    __slots__ = ("entry", "key", "seq")

    def __init__(self, key: str, seq: int, entry: Entry | None) -> None:
        self.key = key
        self.seq = seq
        self.entry = entry


class Journal:
    """What the code of a run has behind it, and how it goes on. Belongs to the loop of its port.

    Attributes:
        branches: live asyncio tasks of the run. The worker adds the main one; `branches` the rest.
        waiting: tasks that are in a durable wait, with its key.
        thread: the thread that is the body of a `def` task; the worker says so.
        threads: how many durable waits that thread and others hold, by thread.
        stirred: set by the worker; called when a branch has ended while others wait.
        ended: the signal that has left the code; every further operation raises it again. A worker
            looks here, because code may have swallowed it.
    """

    __slots__ = (
        "_accepted", "_entries", "_recorded", "_seq", "_unread", "attempt", "branches", "clock",
        "ended", "generation", "port", "root", "run_id", "stirred", "thread", "threads", "waiting",
    )  # fmt: skip

    def __init__(self, order: Execute, port: Port, clock: Clock | None = None) -> None:
        self.run_id = order.run_id
        self.attempt = order.attempt
        self.generation = order.generation
        self.port = port
        self.clock = clock or SystemClock()
        self.root = Branch(Scope())
        self.branches: set[asyncio.Task[Any]] = set()
        self.waiting: dict[asyncio.Task[Any], str] = {}
        self.thread: int | None = None
        self.threads: dict[int, int] = {}
        self.stirred: Callable[[], None] | None = None
        self.ended: Signal | None = None
        self._entries: dict[str, Entry] = {}
        self._unread = 0
        self._accepted: set[str] | None = None
        self._seq = 0
        self._recorded = len(order.journal)

    @property
    def replaying(self) -> bool:
        """Whether the code is still where it has been before: recorded entries remain unread."""
        return self._unread > 0

    def unread(self) -> list[str]:
        """Keys that the code has not come to, in order; at its end, those of removed steps."""
        raise NotImplementedError

    def place(self, name: str, key: str | None = None, *, attempt_only: bool = False) -> Place:
        """The place of the next operation of that name in the branch that calls.

        Raises:
            Misplaced: inside the body of a step.
            StepConflict: another asyncio task uses the name in the same scope.
            InvalidOptions: a name or a key that is not allowed.
        """
        raise NotImplementedError

    def check(self, place: Place, kind: str, fingerprint: str) -> None:
        """Raises Divergence when the journal has something else in this place."""
        raise NotImplementedError

    async def record(self, entry: Entry) -> None:
        """Keep an entry durably. Raises: JournalFull."""
        raise NotImplementedError

    def post(self, entry: Entry) -> None:
        """Keep an entry without waiting for it; durable before everything later. Any thread."""
        raise NotImplementedError

    async def wait(self, place: Place, wait: Wait) -> Entry:
        """The outcome of a wait: the recorded one, or else once it is there."""
        raise NotImplementedError
