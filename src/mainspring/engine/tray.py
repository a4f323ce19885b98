"""What waits for the next turn of an owner: changes, frames and losses. It decides none of them."""

from __future__ import annotations

from collections import deque

from mainspring.engine.batch import settle
from mainspring.engine.link import Arrived
from mainspring.engine.live import Live
from mainspring.engine.reading import Verb
from mainspring.engine.session import Session
from mainspring.engine.trigger import TriggerCall
from mainspring.errors import MainspringError

TRIGGERS = 2_000
"""New runs in one turn at most."""


class Tray:
    """The in-tray of an owner.

    Attributes:
        waiting: new runs in it.
        losing: active runs, or whole sessions, whose worker is gone, with the reason.
    """

    def __init__(self) -> None:
        self.waiting = 0
        self.losing: list[tuple[Live | Session, str]] = []
        self._verbs: deque[Verb] = deque()
        self._triggers: deque[TriggerCall] = deque()
        self._arrived: list[Arrived] = []
        self._careful = 0
        self._suspect: object = None

    @property
    def has_verbs(self) -> bool:
        """Whether somebody asked for a change."""
        return bool(self._verbs or self._triggers)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits for a turn, and none has to be careful."""
        return not (self._arrived or self.losing or self.has_verbs or self._careful)

    def submit(self, verb: Verb) -> None:
        """Put in a change."""
        if isinstance(verb, TriggerCall):
            self._triggers.append(verb)
            self.waiting += len(verb.items)
        else:
            self._verbs.append(verb)

    def arrive(self, arrived: Arrived) -> None:
        """Put in what a session sent."""
        self._arrived.append(arrived)

    def take(self) -> tuple[list[Arrived], list[Verb]]:
        """Take out the work of one turn; one thing at a time after a commit was refused."""
        work: list[Verb] = []
        if self._careful:
            self._careful -= 1
            if self._arrived:
                return [self._arrived.pop(0)], work
            if self._verbs:
                work.append(self._verbs.popleft())
            elif self._triggers:
                work.append(self._take_trigger())
            return [], work
        arrived, self._arrived = self._arrived, []
        work.extend(self._verbs)
        self._verbs.clear()
        weight = 0
        while self._triggers and weight < TRIGGERS:
            call = self._take_trigger()
            weight += len(call.items)
            work.append(call)
        return arrived, work

    def put_back(self, arrived: list[Arrived], work: list[Verb]) -> None:
        """Work of a turn that failed is done again, and looks first what of it exists."""
        for verb in reversed(work):
            if isinstance(verb, TriggerCall):
                verb.repeat()
                self._triggers.appendleft(verb)
                self.waiting += len(verb.items)
            else:
                self._verbs.appendleft(verb)
        self._arrived[:0] = arrived

    def put_back_refused(
        self, arrived: list[Arrived], work: list[Verb], error: MainspringError
    ) -> None:
        """Work that cannot be committed is tried again one by one.

        What cannot be committed even alone, with a memory just read, is given back to its caller.
        """
        things = [*work, *arrived]
        if len(things) != 1:
            self._careful = len(things) + 1
        elif self._suspect is not things[0]:
            self._suspect, self._careful = things[0], 1
        else:
            settle([(verb.future, error) for verb in work])
            arrived, work = [one for one in arrived if one.give_up(error)], []
        self.put_back(arrived, work)

    def refuse(self, error: MainspringError) -> None:
        """Tell everybody who waits that nothing will come of it."""
        settle([(verb.future, error) for verb in (*self._verbs, *self._triggers)])
        self._verbs.clear()
        self._triggers.clear()
        self.waiting = 0

    def _take_trigger(self) -> TriggerCall:
        call = self._triggers.popleft()
        self.waiting -= len(call.items)
        return call
