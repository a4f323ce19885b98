"""One turn of a shard's owner: the rows of its commit, and what follows once it is durable."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from mainspring.dispatch.nodes import Lane
from mainspring.engine.session import Session
from mainspring.model.run import Run
from mainspring.store.changes import PLAN, Changes
from mainspring.store.protocol import DebounceRow, KeyRow, LiveRow
from mainspring.wire.worker import ToWorker

KeyId = tuple[int, str, str]
"""(env_id, task, key)."""


class Wanted:
    """What the verbs of a turn have to know before they decide."""

    __slots__ = ("debounces", "keys", "known", "located")

    def __init__(self) -> None:
        self.keys: set[KeyId] = set()
        self.debounces: set[KeyId] = set()
        self.located: set[str] = set()
        self.known: set[str] = set()


class Facts:
    """The answers to `Wanted`, and what the turn itself has added to them."""

    __slots__ = ("debounces", "keys", "known", "located")

    def __init__(self) -> None:
        self.keys: dict[KeyId, KeyRow] = {}
        self.debounces: dict[KeyId, DebounceRow] = {}
        self.located: dict[str, LiveRow] = {}
        self.known: dict[str, str] = {}


class Picked(Struct):
    """A claim on its way into the commit."""

    lane: Lane
    ord: int
    session: Session
    resume: bool


class Batch:
    """The commit of one turn and its consequences; nothing shows before the commit is durable.

    Attributes:
        touched: runs that this turn has changed already; another verb on one of them waits.
    """

    __slots__ = ("answers", "changes", "ended", "now", "orders", "picked", "touched")

    def __init__(self, now: int) -> None:
        self.now = now
        self.changes = Changes(now)
        self.touched: set[str] = set()
        self.answers: list[tuple[Future[Any], Any]] = []
        self.orders: dict[Session, list[ToWorker]] = {}
        self.picked: dict[str, Picked] = {}
        self.ended: list[Run] = []

    def order(self, session: Session, order: ToWorker) -> None:
        """Send an order once the commit is durable."""
        orders = self.orders.get(session)
        if orders is None:
            self.orders[session] = [order]
        else:
            orders.append(order)

    def answer(self, future: Future[Any], value: Any) -> None:
        """Answer a caller once the commit is durable; an exception as value is raised there."""
        self.answers.append((future, value))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        changes = self.changes
        return not any(getattr(changes, name) for name in PLAN)


def settle(answers: Sequence[tuple[Future[Any], Any]]) -> None:
    """Give the callers their answers; those who have left are passed over."""
    for future, value in answers:
        if future.done():
            continue
        if isinstance(value, BaseException):
            future.set_exception(value)
        else:
            future.set_result(value)
