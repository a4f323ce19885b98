"""What all subscribers of one application share: rows that are read once, and one end."""

from __future__ import annotations

import random
from typing import Final

from mainspring.errors import StoreUnavailable
from mainspring.server.port import EnginePort, ShowPort, Topic, WatchPort
from mainspring.server.watch.lines import Lines
from mainspring.server.watch.reader import Reader
from mainspring.server.watch.rows import Rows
from mainspring.server.watch.subject import Subject
from mainspring.store.protocol import EnvironmentRow

HOLD_S: Final = 20.0
"""How long a question for changes is held when there are none."""
PING_S: Final = 15.0
"""After so long without anything to say a stream says something, so that nobody thinks it dead."""
ACK_S: Final = 30.0
"""How long a subscriber may leave everything unacknowledged that was sent to it."""
JITTER: Final = 0.15


class Hub:
    """Hands out readers, and closes all of them when the server stops."""

    def __init__(self, engine: EnginePort) -> None:
        self.hold_s = HOLD_S
        self.ping_s = PING_S
        self.ack_s = ACK_S
        self._engine = engine
        self._rows: dict[int, Rows] = {}
        self._lines: dict[int, Lines] = {}
        self._open: set[WatchPort] = set()
        self._draining = False

    def reader(self, env: EnvironmentRow, subject: Subject, *more: Topic) -> Reader:
        """A reader of that subject, whose watch also hears of the topics `more`; give it to
        `leave`. Raises: StoreUnavailable.
        """
        watch = self.watch(env, subject.topic, *more)
        return Reader(subject, watch, self._engine.show(env), self.rows(env))

    def rows(self, env: EnvironmentRow) -> Rows:
        """The rows of an environment."""
        rows = self._rows.get(env.env_id)
        if rows is None:
            rows = self._rows[env.env_id] = Rows(lambda: self._engine.show(env))
        return rows

    def lines(self, env: EnvironmentRow) -> Lines:
        """The log lines of an environment's runs."""
        lines = self._lines.get(env.env_id)
        if lines is None:
            lines = self._lines[env.env_id] = Lines(lambda: self._engine.show(env))
        return lines

    def show(self, env: EnvironmentRow) -> ShowPort:
        """What else is read for those who watch. Raises: StoreUnavailable."""
        return self._engine.show(env)

    def watch(self, env: EnvironmentRow, *topics: Topic) -> WatchPort:
        """A watch that closes when the server stops; give it to `leave`.

        Raises: StoreUnavailable, also while the server stops: who asks again is to wait a little.
        """
        if self._draining:
            raise StoreUnavailable("This server is stopping; repeat the request.")
        watch = self._engine.watch(env, *topics)
        self._open.add(watch)
        return watch

    def leave(self, watch: WatchPort) -> None:
        """Somebody is done with a watch. Safe to call twice."""
        self._open.discard(watch)
        watch.close()

    @property
    def watching(self) -> int:
        """How many watches are open."""
        return len(self._open)

    def hold(self) -> float:
        """Seconds to hold the next question, a little different each time."""
        return self.hold_s * (1 + JITTER * (2 * random.random() - 1))

    def drain(self) -> None:
        """Close every watch: whoever holds one answers and ends. Safe to call twice."""
        self._draining = True
        for watch in list(self._open):
            watch.close()
