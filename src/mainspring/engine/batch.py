"""One turn of a shard's owner: the rows of its commit, and what follows once it is durable."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from mainspring.dispatch.nodes import Lane
from mainspring.engine.document import Document
from mainspring.engine.edges import Edges
from mainspring.engine.live import Live
from mainspring.engine.session import Session
from mainspring.model.run import Run
from mainspring.store.batching import BatchRow, ItemRow
from mainspring.store.changes import PLAN, Changes
from mainspring.store.operating import ScheduleRow
from mainspring.store.protocol import DebounceRow, KeyRow, LiveRow
from mainspring.store.waiting import EndRow, InputRow, JournalRow, LossesRow, WaitpointRow
from mainspring.wire.worker import Entry, LogLine, Park, ToWorker

KeyId = tuple[int, str, str]
"""(env_id, task, key)."""
RequestId = tuple[int, str]
"""(env_id, what the repeats of a request have in common)."""
EntryId = tuple[str, str, int]
"""(run id, journal key, generation)."""


class Wanted:
    """What the verbs of a turn have to know before they decide.

    `inputs` are streams whose last number is asked, `records` single inputs; `relatives` are runs
    of `documents` whose parent and root are asked as well. `ending` are runs that may end in this
    turn: who waits for them and what they wait for is read where there may be any. `edges` are runs
    whose open waits are asked, `points` are runs, tokens, events and inputs: who waits for them is
    asked. `ends` are runs of which only the end is asked. `heads` are (run, stream, writer) whose
    ends are asked.
    """

    __slots__ = (
        "batches", "debounces", "documents", "edges", "ending", "ends", "generations", "heads",
        "inputs", "items", "journal", "keys", "known", "located", "losses", "points", "records",
        "relatives", "requests", "schedules", "tokens",
    )  # fmt: skip

    def __init__(self) -> None:
        self.keys: set[KeyId] = set()
        self.requests: set[RequestId] = set()
        self.batches: set[str] = set()
        self.items: set[tuple[str, int]] = set()
        self.debounces: set[KeyId] = set()
        self.located: set[str] = set()
        self.known: set[str] = set()
        self.tokens: set[str] = set()
        self.inputs: set[tuple[str, str]] = set()
        self.records: set[tuple[str, str, int]] = set()
        self.documents: set[str] = set()
        self.relatives: set[str] = set()
        self.ending: set[str] = set()
        self.edges: set[str] = set()
        self.points: set[str] = set()
        self.journal: set[EntryId] = set()
        self.ends: set[str] = set()
        self.generations: set[str] = set()
        self.losses: set[str] = set()
        self.heads: set[tuple[str, str, str]] = set()
        self.schedules: set[str] = set()

    @property
    def is_empty(self) -> bool:
        """Whether nothing has to be known."""
        return not any(getattr(self, name) for name in self.__slots__)


class Facts:
    """The answers to `Wanted`, and what the turn itself has added to them.

    `edges` holds the waits of the runs in `Wanted.edges` and those on `Wanted.points`; where their
    runs are is in `located`, unless they are active. `generations` and `losses` leave out 0.
    """

    __slots__ = (
        "batches", "debounces", "documents", "edges", "ends", "generations", "heads", "inputs",
        "items", "journal", "keys", "known", "located", "losses", "records", "requests",
        "schedules", "tokens",
    )  # fmt: skip

    def __init__(self) -> None:
        self.keys: dict[KeyId, KeyRow] = {}
        self.requests: dict[RequestId, str] = {}
        self.batches: dict[str, BatchRow] = {}
        self.items: dict[tuple[str, int], ItemRow] = {}
        self.debounces: dict[KeyId, DebounceRow] = {}
        self.located: dict[str, LiveRow] = {}
        self.known: dict[str, str] = {}
        self.tokens: dict[str, WaitpointRow] = {}
        self.inputs: dict[tuple[str, str], int] = {}
        self.records: dict[tuple[str, str, int], InputRow] = {}
        self.documents: dict[str, Document] = {}
        self.edges = Edges()
        self.journal: dict[EntryId, JournalRow] = {}
        self.ends: dict[str, EndRow] = {}
        self.generations: dict[str, int] = {}
        self.losses: dict[str, LossesRow] = {}
        self.heads: dict[tuple[str, str, str], tuple[int, int]] = {}
        self.schedules: dict[str, ScheduleRow] = {}


class Picked(Struct):
    """A claim on its way into the commit."""

    lane: Lane
    ord: int
    session: Session
    resume: bool
    version: str


class Batch:
    """The commit of one turn and its consequences; nothing shows before the commit is durable.

    Attributes:
        touched: runs that this turn has changed already; another verb on one of them waits.
        lines: what the engine adds to the logs of runs.
        over: runs that this turn ends, in that order.
        anew: live runs that begin a new journal in this turn: their waits are over.
        parks: what asks to be parked; decided when everything else of the turn is.
        resumed: parked runs that this turn makes ready.
        told: outcomes for runs that execute.
        held: (session, run id, epoch) of coroutines that are parked once this turn is durable.
        dropped: (session, run id, epoch) of coroutines that a session has let go of.
        freed: runs whose parked coroutine nobody will need.
        faults: where in the changes the failures of an (env_id, fingerprint) are.
    """

    __slots__ = (
        "anew", "answers", "changes", "dropped", "ended", "faults", "freed", "held", "lines", "now",
        "orders", "over", "parks", "picked", "resumed", "told", "touched",
    )  # fmt: skip

    def __init__(self, now: int) -> None:
        self.now = now
        self.changes = Changes(now)
        self.touched: set[str] = set()
        self.answers: list[tuple[Future[Any], Any]] = []
        self.orders: dict[Session, list[ToWorker]] = {}
        self.picked: dict[str, Picked] = {}
        self.ended: list[Run] = []
        self.lines: list[LogLine] = []
        self.over: dict[str, None] = {}
        self.anew: dict[str, None] = {}
        self.parks: list[tuple[Session, Park]] = []
        self.resumed: set[str] = set()
        self.told: dict[Live, list[Entry]] = {}
        self.held: list[tuple[Session, str, int]] = []
        self.dropped: list[tuple[Session, str, int]] = []
        self.freed: list[str] = []
        self.faults: dict[tuple[int, str], int] = {}

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
