"""What is decided while a commit is in flight: frames for which nothing has to be read."""

from __future__ import annotations

from mainspring.engine.batch import Batch, Facts
from mainspring.engine.link import Arrived
from mainspring.engine.state import State


class Ahead:
    """The beginning of the next turn, on top of the commit in flight.

    It holds only if that commit does. When that fails the memory is read anew, and the frames are
    decided again; so is one of them that could not be decided, which `error` remembers.
    """

    def __init__(self, now: int) -> None:
        self.batch = Batch(now)
        self.facts = Facts()
        self.arrived: list[Arrived] = []
        self.error: Exception | None = None

    def add(self, state: State, arrived: Arrived) -> None:
        """Write the rows of a frame."""
        self.arrived.append(arrived)
        if self.error is not None:
            return
        try:
            arrived.plan(state, self.batch, self.facts)
        except Exception as error:  # noqa: BLE001 - a bug; raised in the turn, which recovers
            self.error = error

    def begin(self, now: int) -> None:
        """The turn itself: what follows happens now."""
        if self.error is not None:
            raise self.error
        self.batch.now = self.batch.changes.now = now
