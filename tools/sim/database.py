"""The real SQLite store behind a simulated network: slow, lost and doubtful transactions, and the
row locks of PostgreSQL. Each transaction is one moment; a fenced commit is two, between which it
holds its shard. Nothing is decided here but the fates of transactions.
"""

from __future__ import annotations

from asyncio import Future, events
from collections.abc import Callable, Collection, Coroutine, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from mainspring.errors import FencedOut, MainspringError, StoreUnavailable, UnknownOutcome
from mainspring.store.changes import PLAN, Changes, Claimed, Row
from mainspring.store.database import FENCED_OUT, Call, Scalars
from mainspring.store.leasing import Nodes
from mainspring.store.migrations import Applied, Phase
from mainspring.store.record import StoreRecord
from mainspring.store.sqlite import SqliteStore
from mainspring.telemetry.metrics import Sample
from tools.sim.world import Node, World

T = TypeVar("T")
Work = Callable[[], Coroutine[Any, Any, Any]]
Observer = Callable[[int, int, Changes, list[Claimed]], None]

LOST: Final = "the connection to the database is lost (simulated)"
TAKES: Final = "shard_lock"


class Fates:
    """How transactions go; shares are of 1.

    Attributes:
        fails: nothing of the transaction reaches the database.
        doubtful: its answer is lost, whether it was written or not.
        slow: it takes up to `slow_s`.
        slow_reads: the answer of a reading one, or of one that is not fenced, takes up to a second.
    """

    def __init__(self) -> None:
        self.fails = 0.0
        self.doubtful = 0.0
        self.slow = 0.0
        self.slow_s = 1.0
        self.slow_reads = 0.0
        self.down = False


class Disk:
    """The database itself: one SQLite in memory, which every simulated process shares.

    Attributes:
        committed: told of each fenced commit at the moment in which it becomes durable.
        cut: names of processes that do not reach it.
        nodes: of how many it seems to be; 0 = it is no cluster.
    """

    def __init__(self, world: World, store: SqliteStore) -> None:
        self.world = world
        self.store = store
        self.fates = Fates()
        self.committed: Observer = lambda shard, epoch, changes, claimed: None
        self.node = Node(world, "database")
        self.cut: set[str] = set()
        self.nodes = 0
        self._in_flight: dict[int, set[object]] = {}
        self._waiting: dict[int, list[Callable[[], None]]] = {}

    def now(self, work: Work) -> Any:
        """Do a transaction at this moment. Raises: what it raises."""
        world = self.world
        if world.node is None:  # any loop will do, because nothing is waited for
            world.node = self.node
            events._set_running_loop(self.node.loop)
        coroutine = work()
        try:
            while True:
                coroutine.send(None)
        except StopIteration as end:
            return end.value

    def node_of(self, server_id: str) -> int:
        """The node that a server is connected to."""
        return int(server_id.rpartition("-")[2]) % max(self.nodes, 1)

    def home(self, shard_id: int) -> int:
        """The node that has the rows of a shard."""
        return shard_id % max(self.nodes, 1)

    def epoch(self, shard_id: int) -> int:
        """Who holds the shard, as the fence of a commit sees it."""
        connection = self.store.database._transactions.connection
        assert connection is not None
        row = connection.execute("SELECT epoch FROM shard WHERE shard_id = ?", (shard_id,)).get
        return int(row or 0)

    def hold(self, shard_id: int, token: object) -> None:
        """A commit has passed the fence and locks the shard's row, shared."""
        self._in_flight.setdefault(shard_id, set()).add(token)

    def free(self, shard_id: int, token: object) -> None:
        """That commit is over; who waits for the row goes on."""
        self._in_flight[shard_id].discard(token)
        if not self._in_flight[shard_id]:
            waiting, self._waiting[shard_id] = self._waiting.get(shard_id, []), []
            for deed in waiting:
                deed()

    def when_free(self, shard_id: int, deed: Callable[[], None]) -> None:
        """Lock the shard's row for oneself: wait for every commit that holds it."""
        if self._in_flight.get(shard_id):
            self._waiting.setdefault(shard_id, []).append(deed)
        else:
            deed()


class Database:
    """The database as one process reaches it; see `mainspring.store.database.Database`."""

    def __init__(self, disk: Disk, node: Node) -> None:
        self._disk = disk
        self._node = node
        self._world = disk.world
        self._inner = disk.store.database
        self.statements = self._inner.statements

    async def open(self, *, migrate: bool) -> None:
        """It is open always."""

    async def close(self) -> None:
        """It stays open for the others."""

    async def fetch(
        self, name: str, into: type[T], scalars: Scalars, rows: Sequence[Row] = ()
    ) -> list[T]:
        statement = self.statements[name]
        if statement.columns and not rows:
            return []
        rows = list(rows)
        return await self._sent(lambda: self._inner.fetch(name, into, scalars, rows))  # type: ignore[no-any-return]

    async def write(
        self, *calls: Call, fence: tuple[int, int] | None = None
    ) -> list[tuple[Any, ...]]:
        shard = next((scalars["shard"] for name, scalars, _ in calls if name == TAKES), None)
        return await self._sent(lambda: self._inner.write(*calls, fence=fence), shard=shard)  # type: ignore[no-any-return]

    async def commit(self, shard_id: int, epoch: int, changes: Changes) -> list[Claimed]:
        future: Future[list[Claimed]] = self._node.loop.create_future()
        if self._fails():
            self._world.note(self._node.name, "commit lost on its way")
            self._later(partial(self._settle, future, None, UnknownOutcome(LOST)))
        else:
            self._later(partial(self._arrive, future, shard_id, epoch, changes))
        return await future

    async def migrate(self, phase: Phase = "all") -> list[str]:
        raise NotImplementedError

    async def schema(self) -> list[Applied]:
        raise NotImplementedError

    async def nodes(self, shard_ids: Collection[int] = ()) -> Nodes:
        disk = self._disk
        homes = {shard_id: disk.home(shard_id) for shard_id in shard_ids}
        return Nodes(disk.node_of(self._node.name), homes) if disk.nodes else Nodes()

    def figures(self) -> list[Sample]:
        return self._inner.figures()

    def _arrive(
        self, future: Future[list[Claimed]], shard_id: int, epoch: int, changes: Changes
    ) -> None:
        """The commit is at the database: the fence, and the lock of the shard's row."""
        disk, chance = self._disk, self._world.random.random
        if disk.fates.down:
            self._settle(future, None, UnknownOutcome(LOST))
            return
        if disk.epoch(shard_id) != epoch:
            self._world.note(self._node.name, "fenced out with epoch", epoch)
            fenced = FencedOut(FENCED_OUT.format(shard=shard_id, epoch=epoch))
            self._later(partial(self._settle, future, None, fenced))
            return
        token = object()
        disk.hold(shard_id, token)
        takes = 0.0005
        if disk.fates.slow and chance() < disk.fates.slow:
            takes = chance() * disk.fates.slow_s
            self._world.note(self._node.name, f"commit takes {takes:.2f} s")
        breaks = disk.fates.doubtful > 0 and chance() < disk.fates.doubtful
        if breaks:
            takes = max(takes, chance() * 0.3)
        ends = partial(self._ends, future, shard_id, token, changes, breaks)
        self._world.after(takes, ends)
        if breaks:  # at any moment: before the commit is executed, or after
            self._world.note(self._node.name, "commit in doubt")
            settle = partial(self._settle, future, None, UnknownOutcome(LOST))
            self._world.after(chance() * takes * 1.5, settle)

    def _ends(
        self,
        future: Future[list[Claimed]],
        shard_id: int,
        token: object,
        changes: Changes,
        breaks: bool,
    ) -> None:
        """The commit is executed, or broken off; its answer goes back, or is lost."""
        disk = self._disk
        if disk.fates.down or (breaks and self._world.random.random() < 0.5):
            disk.free(shard_id, token)
            self._world.note(self._node.name, "commit rolled back")
            self._later(partial(self._settle, future, None, UnknownOutcome(LOST)))
            return
        claimed: list[Claimed] = []
        error: MainspringError | None = None
        held = disk.epoch(shard_id)  # the lock has kept it as it was when the fence was passed
        try:
            claimed = disk.now(lambda: self._inner.commit(shard_id, held, changes))
        except MainspringError as refused:
            error = refused
            for name in PLAN:
                for row in getattr(changes, name):
                    self._world.note("  refused", name, row)
            self._world.fail(f"the database refused a commit: {refused.message}")
        else:
            disk.committed(shard_id, held, changes, claimed)
        disk.free(shard_id, token)
        if not breaks:
            self._later(partial(self._settle, future, claimed, error))

    async def _sent(self, work: Work, shard: Any = None) -> Any:
        future: Future[Any] = self._node.loop.create_future()
        if self._fails():
            self._later(partial(self._settle, future, None, StoreUnavailable(LOST)))
        elif shard is not None:
            self._later(lambda: self._disk.when_free(shard, partial(self._do, future, work)))
        else:
            self._later(partial(self._do, future, work))
        return await future

    def _fails(self) -> bool:
        fails = self._disk.fates.fails
        if self._node.name in self._disk.cut:
            return True
        return fails > 0 and self._world.random.random() < fails

    def _do(self, future: Future[Any], work: Work) -> None:
        if self._disk.fates.down:
            self._settle(future, None, StoreUnavailable(LOST))
            return
        try:
            result = self._disk.now(work)
        except MainspringError as error:
            self._later(partial(self._settle, future, None, error))
        else:
            fates, chance = self._disk.fates, self._world.random.random
            late = chance() if fates.slow_reads and chance() < fates.slow_reads else 0.0
            lost = fates.doubtful > 0 and chance() < fates.doubtful  # what was written stays
            told = StoreUnavailable(LOST) if lost else None
            self._later(partial(self._settle, future, result, told), late)

    def _later(self, deed: Callable[[], None], late: float = 0.0) -> None:
        self._world.after(0.0002 + self._world.random.random() * 0.001 + late, deed)

    def _settle(self, future: Future[Any], result: Any, error: MainspringError | None) -> None:
        """The answer is back at the process, if that is still there."""
        self._node.call(_settle, future, result, error)


def _settle(future: Future[Any], result: Any, error: MainspringError | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


class Store(StoreRecord):
    """The repositories as one process has them."""

    def __init__(self, disk: Disk, node: Node) -> None:
        super().__init__(Database(disk, node))


def empty(store: SqliteStore) -> None:
    """Leave what migrations have made and no row; statements stay prepared, as the schema does."""
    connection = store.database._transactions.connection
    assert connection is not None
    if not _tables:
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        _tables.extend(name for (name,) in names if name != "schema_version")
    emptied = [f"DELETE FROM {name}" for name in _tables]  # noqa: S608 - names of ours
    connection.execute(";".join(("BEGIN", *emptied, "COMMIT")))


_tables: list[str] = []
