"""One turn of a shard's owner: the rows of its commit, and what follows once it is durable."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from mainspring.dispatch.nodes import Lane
from mainspring.engine.document import Document
from mainspring.engine.session import Session
from mainspring.model.run import Run
from mainspring.store.changes import PLAN, Changes
from mainspring.store.protocol import DebounceRow, InputRow, KeyRow, LiveRow, WaitpointRow
from mainspring.wire.worker import LogLine, ToWorker

KeyId = tuple[int, str, str]
"""(env_id, task, key)."""


class Wanted:
    """What the verbs of a turn have to know before they decide.

    `inputs` are streams whose last number is asked, `records` single inputs; `relatives` are runs
    of `documents` whose parent and root are asked as well.
    """

    __slots__ = (
        "debounces", "documents", "inputs", "keys", "known", "located", "records", "relatives",
        "tokens",
    )  # fmt: skip

    def __init__(self) -> None:
        self.keys: set[KeyId] = set()
        self.debounces: set[KeyId] = set()
        self.located: set[str] = set()
        self.known: set[str] = set()
        self.tokens: set[str] = set()
        self.inputs: set[tuple[str, str]] = set()
        self.records: set[tuple[str, str, int]] = set()
        self.documents: set[str] = set()
        self.relatives: set[str] = set()


class Facts:
    """The answers to `Wanted`, and what the turn itself has added to them."""

    __slots__ = (
        "debounces", "documents", "inputs", "keys", "known", "located", "records", "tokens",
    )  # fmt: skip

    def __init__(self) -> None:
        self.keys: dict[KeyId, KeyRow] = {}
        self.debounces: dict[KeyId, DebounceRow] = {}
        self.located: dict[str, LiveRow] = {}
        self.known: dict[str, str] = {}
        self.tokens: dict[str, WaitpointRow] = {}
        self.inputs: dict[tuple[str, str], int] = {}
        self.records: dict[tuple[str, str, int], InputRow] = {}
        self.documents: dict[str, Document] = {}


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
        lines: what the engine adds to the logs of runs.
    """

    __slots__ = ("answers", "changes", "ended", "lines", "now", "orders", "picked", "touched")

    def __init__(self, now: int) -> None:
        self.now = now
        self.changes = Changes(now)
        self.touched: set[str] = set()
        self.answers: list[tuple[Future[Any], Any]] = []
        self.orders: dict[Session, list[ToWorker]] = {}
        self.picked: dict[str, Picked] = {}
        self.ended: list[Run] = []
        self.lines: list[LogLine] = []

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
