"""The owner of a shard: turn after turn, each with at most one commit. Rules live elsewhere.

Everything that wants to change state is put into its in-tray; a turn takes what is there, reads
what the rules must know, lets them write rows, commits, and only then lets anybody see it. What
arrives while a commit is under way goes into the next turn: the commit's own time sets the batch.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from mainspring.engine import claim, finish, metadata, streams, takeover, wait
from mainspring.engine.ahead import Ahead
from mainspring.engine.batch import Batch, settle
from mainspring.engine.bulk import Bulks
from mainspring.engine.due import MOST, Due
from mainspring.engine.elsewhere import elsewhere
from mainspring.engine.feed import Feed
from mainspring.engine.link import Arrived
from mainspring.engine.live import Live
from mainspring.engine.lookup import Lookup
from mainspring.engine.measures import Measures
from mainspring.engine.publish import Publisher
from mainspring.engine.reading import Verb, needs_nothing, read
from mainspring.engine.retention import Retention
from mainspring.engine.rounds import Rounds
from mainspring.engine.session import Session
from mainspring.engine.spent import Spent
from mainspring.engine.state import State
from mainspring.engine.telling import Tellings
from mainspring.engine.tray import Tray
from mainspring.engine.unused import Unused, hold
from mainspring.engine.variables import Variables
from mainspring.errors import (
    EngineError,
    FencedOut,
    MainspringError,
    StoreUnavailable,
    UnknownOutcome,
)
from mainspring.store.changes import Claimed
from mainspring.store.objects import Objects
from mainspring.store.protocol import Store

PAUSES = 4
"""Iterations of the loop before a turn, so that what the last one set off here comes along."""

log = logging.getLogger("mainspring.engine")


class Owner:
    """Runs the turns of one shard from `start` to `stop`.

    `commits` and `ended` count commits and ended runs. `bulks` works on bulk actions, `rounds`
    compare memory with the rows, `lookup` reads runs, `measures` counts, `tellings` take spans,
    `retention`, `spent`, `unused` delete old runs, tokens, objects. `rebuilt` is called when memory
    was read anew after a doubtful commit. `ends_seen`: all runs of a batch before that have ended.
    """

    variables: Variables
    """Set by the engine, which has them for all shards."""

    def __init__(self, state: State, store: Store, objects: Objects, server_id: str) -> None:
        self.rebuilt: Callable[[], None] = lambda: None
        self.write_lines: Callable[[], Awaitable[None]] = _no_lines
        self.state = state
        self.store = store
        self.objects = objects
        self.epoch = 0
        self.commits = 0
        self.ended = 0
        self.bulks = Bulks(state, store, objects, self.submit)
        self.retention = Retention(state, store, objects)
        self.spent = Spent(state, store)
        self.unused = Unused(state, store, objects)
        self.ends_seen: dict[str, int] = {}
        self.feed = Feed()
        self.publisher = Publisher(state, store, objects, self.feed, self.arrive, self.lose)
        self.rounds = Rounds(state, store)
        self.measures = Measures(state, store)
        self.tellings = Tellings(state, store, self.measures)
        self.lookup = Lookup(store.runs, state.shard_id)
        self.server_id = server_id
        self._tray = Tray()
        self._bell = asyncio.Event()
        self._stopping = False
        self._turning = False
        self._doubtful: MainspringError | None = None
        self._is_late = False
        self._looked_at = 0
        self._task: asyncio.Task[None] | None = None
        self._wake: asyncio.TimerHandle | None = None
        self._turns: list[asyncio.Future[None]] = []
        self._flying = False
        self._ahead: Ahead | None = None

    async def start(self, epoch: int, heard: Mapping[str, float]) -> None:
        """Rebuild the memory of the shard, which was taken in this epoch, and begin. Sessions were
        `heard` of then (`takeover.rebuild`). Raises: StoreUnavailable.
        """
        self.epoch = self.measures.part = epoch
        await takeover.rebuild(self.state, self.store, heard)
        self.feed.begin(self.epoch)
        self._task = asyncio.create_task(self._run(), name=f"owner-{self.state.shard_id}")
        self._bell.set()

    async def stop(self) -> None:
        """End after the turn under way; who still waits is told. Safe to call twice."""
        self._stopping = True
        await asyncio.gather(self.bulks.stop(), self.retention.archiving.stop())
        self._bell.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        if self._wake is not None:
            self._wake.cancel()
        self._refuse(self._doubtful or elsewhere())

    def ring(self) -> None:
        """Something changed: have a turn soon."""
        self._bell.set()

    def ring_if_due(self) -> None:
        """Have a turn if a timer is due or a rate lets a run go; for clocks moved by hand."""
        now = self.state.clock.now()
        for at in (self.state.timers.next_at(), self.state.core.rates.next_wake()):
            if at is not None and at <= now:
                self._bell.set()
        if self.state.timers.horizon < now + takeover.HORIZON_MS // 2:
            self._bell.set()

    @property
    def is_over(self) -> bool:
        """Whether it has stopped, or is about to."""
        return self._stopping

    def depose(self) -> None:
        """Another server has the shard: answer nothing any more."""
        self._stopping = True
        self._bell.set()

    @property
    def waiting(self) -> int:
        """New runs in the in-tray."""
        return self._tray.waiting

    async def turn_over(self) -> None:
        """Wait for the end of the turn under way."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns.append(future)
        await future

    async def idle(self) -> None:
        """Wait until nothing is left to do at this moment of the clock."""
        self.ring_if_due()
        while not self._stopping:
            at = self.state.timers.next_at()
            if self._turning or self._bell.is_set():
                await self.turn_over()
            elif self.publisher.work:
                await asyncio.wait(self.publisher.work)
            elif at is not None and at <= self.state.clock.now():
                self._bell.set()
            else:
                return

    def submit(self, verb: Verb) -> None:
        """Put a change into the in-tray; its future is answered once it is durable."""
        if self._stopping:
            settle([(verb.future, elsewhere())])
            return
        self._tray.submit(verb)
        self._bell.set()

    def arrive(self, arrived: Arrived) -> None:
        """Take in what a session sent, at once (`Ahead`) where nothing has to be read for it."""
        if self._flying and self._tray.is_empty and needs_nothing(self.state, arrived):
            if self._ahead is None:
                self._ahead = Ahead(self.state.clock.now())
            self._ahead.add(self.state, arrived)
        else:
            self._tray.arrive(arrived)
        self._bell.set()

    def lose(self, lost: Live | Session, reason: str) -> None:
        """A run's worker, or a whole session with what it then holds, is gone."""
        self._tray.losing.append((lost, reason))
        self._bell.set()

    async def _run(self) -> None:
        while await self._rung():
            self._turning = True
            try:
                await self._turn()
                if self.rounds.is_due and self._ahead is None:
                    await self.rounds.look(self.commits, self._recover)
            except FencedOut:
                log.warning("shard %s was taken over by another server", self.state.shard_id)
                self._stopping = True
                self._refuse(self._doubtful or elsewhere())
                return
            self._turning = False
            self._end_turn()
            self._set_wake()

    def _end_turn(self) -> None:
        turns, self._turns = self._turns, []
        settle([(future, None) for future in turns])

    async def _rung(self) -> bool:
        await self._bell.wait()
        for _ in range(PAUSES):
            await asyncio.sleep(0)
        self._bell.clear()
        return not self._stopping

    async def _turn(self) -> None:
        ahead, self._ahead = self._ahead or Ahead(self.state.clock.now()), None
        arrived, work = self._tray.take()
        everything = ahead.arrived + arrived
        try:
            await self._decide(ahead, arrived, work)
            self._doubtful = None
        except FencedOut:
            self._put_back_ahead()
            self._tray.put_back(everything, work)
            raise
        except MainspringError as error:
            await self._doubt(error, everything, work)
        except Exception as error:
            # the supervisor of the loop: a bug must neither stop the shard nor lose its work
            log.exception("turn of shard %s failed; its memory is rebuilt", self.state.shard_id)
            await self._doubt(EngineError(f"The engine failed: {error!r}."), everything, work)

    async def _decide(self, ahead: Ahead, arrived: list[Arrived], work: list[Verb]) -> None:
        """Read, let the rules write, commit, publish."""
        state = self.state
        now = state.clock.now()
        if state.timers.horizon < now + takeover.HORIZON_MS // 2:
            await takeover.load_timers(state, self.store)
        await takeover.refill(state, self.store)
        ahead.begin(now)
        batch, facts = ahead.batch, ahead.facts
        self._looked_at = now
        due = Due(state.timers.due(now, MOST))
        losing, self._tray.losing = self._tray.losing, []
        streams.trim(state, batch.changes)
        await read(state, self.store, arrived, losing, work, due, facts)
        for message in arrived:
            message.plan(state, batch, facts)
        for lost, reason in losing:
            finish.lose_all(state, batch, facts, lost, reason)
        later = [verb for verb in work if not verb.plan(state, batch, facts)]
        cascades = due.plan(state, batch, facts) if due.timers else []
        wait.settle(state, batch, facts)
        metadata.write(batch, facts)
        more = claim.plan(state, batch)
        if batch.picked or batch.orders:
            batch.changes.rate.extend(state.core.rates.changed())
        claimed: list[Claimed] = []
        if not batch.is_empty:
            claimed = await self._commit(batch)
        self.publisher.publish(batch, claimed, ahead.arrived + arrived)
        self.measures.commit(batch, claimed)
        for verb in later:
            self._tray.submit(verb)
        for at, run_id in cascades:
            self.publisher.cascade(at, run_id, self.submit)
        if more or later or len(due.timers) == MOST or not self._tray.is_empty:
            self._bell.set()

    async def _commit(self, batch: Batch) -> list[Claimed]:
        """Make the turn durable; meanwhile the next one begins."""
        self._flying = True
        batch.changes.change = self.feed.number()
        try:
            if self._is_late:
                await hold(self.objects, batch.changes, (self.state.shard_id, self.epoch))
            claimed = await self.store.shards.commit(self.state.shard_id, self.epoch, batch.changes)
        finally:
            self._flying = False
        self._is_late = False
        self.commits += 1
        self.ended += len(batch.changes.done)
        return claimed

    async def _doubt(
        self, error: MainspringError, arrived: list[Arrived], work: list[Verb]
    ) -> None:
        """A commit failed or is doubtful: find out what is true, then do the same work again."""
        log.warning("commit of shard %s: %s", self.state.shard_id, error.message)
        self._is_late = True
        if isinstance(error, UnknownOutcome):
            self._doubtful = StoreUnavailable("Another server took over; repeat the request.")
        self._put_back_ahead()
        if isinstance(error, UnknownOutcome | StoreUnavailable):
            self._tray.put_back(arrived, work)
        else:
            self._tray.put_back_refused(arrived, work, error)
        await self._recover()

    def _put_back_ahead(self) -> None:
        """What was decided on top of a commit that failed is to be decided again."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            self._tray.put_back(ahead.arrived, [])

    async def _recover(self) -> bool:
        """Raise our epoch, which waits for commits in flight, and read anew; False when over."""
        delay = 0.05
        while not self._stopping:
            try:
                self.epoch = await takeover.again(self.state, self.store, self.server_id)
            except FencedOut:
                raise
            except Exception as error:  # noqa: BLE001 - the loop goes on, as in `_turn`
                log.warning("shard %s waits for the database: %s", self.state.shard_id, error)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 2.0)
            else:
                self.feed.begin(self.epoch)
                self.rebuilt()
                self.publisher.wake(list(self.state.waiters))
                self._bell.set()
                return True
        return False

    def _set_wake(self) -> None:
        """Ring at the next timer or when a rate limit lets a run go."""
        if self._bell.is_set():
            return
        state = self.state
        now = state.clock.now()
        at, free_at = state.timers.next_at(), state.core.rates.next_wake()
        times = [at] if at is not None else []
        if free_at is not None and free_at > self._looked_at:
            times.append(free_at)  # an earlier one waits for a worker, which rings by itself
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        if times:
            loop = asyncio.get_running_loop()
            self._wake = loop.call_later(max(min(times) - now, 0) / 1000, self._bell.set)

    def _refuse(self, error: MainspringError) -> None:
        self._tray.refuse(error)
        for futures in self.state.waiters.values():
            settle([(future, error) for future in futures])
        self.state.waiters.clear()
        self.feed.close()
        self._end_turn()


async def _no_lines() -> None:
    """Nothing that runs have logged is waiting to be written."""
