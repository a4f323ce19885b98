"""What follows once a turn is durable: orders, answers, outcomes. Nothing is decided here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from mainspring.engine import claim, order, streams, wait
from mainspring.engine.batch import Batch, settle
from mainspring.engine.cancel import Submit, cancel_children
from mainspring.engine.feed import Feed
from mainspring.engine.link import Arrived, unknown_task
from mainspring.engine.live import Live
from mainspring.engine.order import Wish
from mainspring.engine.state import State
from mainspring.errors import MainspringError, StoreUnavailable
from mainspring.store.changes import Claimed, Row
from mainspring.store.objects import Objects
from mainspring.store.protocol import Store
from mainspring.wire.worker import Ack, LogLine

AGAIN_S = 1.0
"""After which something is read again that the database did not give."""

log = logging.getLogger("mainspring.engine")


class Publisher:
    """Lets everybody know what a shard's turns have made durable.

    What needs a look at the database goes on beside the turns, in `work`. `arrive` and `lose` take
    the runs whose order cannot be given. `on_ends` hears of ended runs, as rows of `done`.
    """

    def __init__(
        self,
        state: State,
        store: Store,
        objects: Objects,
        feed: Feed,
        arrive: Callable[[Arrived], None],
        lose: Callable[[Live, str], None],
    ) -> None:
        self.work: set[asyncio.Task[None]] = set()
        self.on_ends: Callable[[Sequence[Row]], None] | None = None
        self._state = state
        self._store = store
        self._objects = objects
        self._feed = feed
        self._arrive = arrive
        self._lose = lose

    def publish(self, batch: Batch, claimed: list[Claimed], arrived: Sequence[Arrived]) -> None:
        """The commit is durable: now everybody may know."""
        state = self._state
        wait.hold(state, batch)
        if batch.changes.change:
            self._feed.commit(batch.changes)
            if self._feed.is_watched:
                self._feed.publish(*streams.topics(batch.changes))
        if claimed:
            self._grant(claim.hand_over(state, batch, claimed))
        if batch.told:
            self._grant(wait.tell_all(batch))
        for message in arrived:
            session = message.session
            if message.number > session.acked:
                session.acknowledge(message.number)
                batch.order(session, Ack(message.number))
        for session, orders in batch.orders.items():
            if session.deliver is not None:
                session.deliver(orders)
        settle(batch.answers)
        if batch.lines:
            self._spawn(self._write_lines(batch.lines))
        for run in batch.ended:
            settle([(future, run) for future in state.waiters.pop(run.id, ())])
        if batch.changes.done:
            self._tell_ends(batch.changes.done)

    def _tell_ends(self, rows: Sequence[Row]) -> None:
        if self.on_ends is not None:
            self.on_ends(rows)
        if self._state.waiters:
            self.wake([row[0] for row in rows])

    def wake(self, run_ids: list[str]) -> None:
        """Answer the callers who await these runs, as far as they have ended."""
        self._spawn(self._wake(run_ids))

    def tell_again(self, lives: list[Live]) -> None:
        """A link is back: what the waits of these runs brought may not have been heard."""
        self._grant([wait.again(live) for live in lives])

    def cascade(self, at: int, run_id: str, submit: Submit) -> None:
        """Cancel the children of a canceled run, whose timer fired at that time."""
        self._spawn(self._cascade(at, run_id, submit))

    async def _write_lines(self, lines: list[LogLine]) -> None:
        """What the engine adds to the logs of runs; not worth a repeat."""
        try:
            await self._store.runs.append_logs(self._state.shard_id, lines)
        except MainspringError as error:
            log.warning("%s", error.message)
        else:
            self._feed.publish(*{("logs", line.run_id) for line in lines})

    async def _wake(self, run_ids: list[str]) -> None:
        """Runs that ended without ever being live here: their waiters read the row."""
        waiters = self._state.waiters
        awaited = [run_id for run_id in run_ids if run_id in waiters]
        try:
            runs = await self._store.runs.many(self._state.shard_id, awaited) if awaited else []
        except MainspringError as error:
            log.warning("who awaits runs is answered later: %s", error.message)
            asyncio.get_running_loop().call_later(AGAIN_S, self.wake, awaited)
            return
        for run in runs:
            if run.status.is_final:
                settle([(future, run) for future in waiters.pop(run.id, ())])

    def _grant(self, wishes: list[Wish]) -> None:
        if wishes:
            self._spawn(self._fetch(wishes))

    async def _fetch(self, wishes: list[Wish]) -> None:
        """Give orders that need a stored payload, metadata, the journal, or another session."""
        try:
            known = await order.read(self._store, self._state.shard_id, wishes)
        except MainspringError as error:
            for wish in wishes:
                self._give_up(wish, "its journal could not be read", error)
            return
        for wish in wishes:
            try:
                made = order.Order(wish, known)
                await made.complete(self._objects)
                await made.complete_untold(self._objects)
            except MainspringError as error:
                self._give_up(wish, "its payload could not be read", error)
            else:
                self._deliver(wish, made)

    def _give_up(self, wish: Wish, what: str, error: MainspringError) -> None:
        """Its order cannot be given. A run that executes already goes on, and is told later."""
        live = wish.live
        if wish.row is not None or not isinstance(error, StoreUnavailable):
            self._lose(live, f"{what}: {error.message}")
        elif self._state.lives.get(live.run_id) is live:
            asyncio.get_running_loop().call_later(AGAIN_S, self._grant, [wish])

    def _deliver(self, wish: Wish, made: order.Order) -> None:
        """Send an order, to another session when this one does not know the task."""
        state, live = self._state, wish.live
        if state.lives.get(live.run_id) is not live:
            return
        if wish.row is not None and not live.before and live.task not in live.session.tasks:
            session = state.session_for(live.env_id, live.version, live.task)
            if session is None:
                self._arrive(unknown_task(live))
                return
            live.session.holds.discard(live.run_id)
            session.holds.add(live.run_id)
            live.session = session
        if live.session.deliver is not None:
            live.session.deliver(made.orders())

    async def _cascade(self, at: int, run_id: str, submit: Submit) -> None:
        state = self._state
        try:
            await cancel_children(self._store.runs, state.shard_id, run_id, at, submit)
        except MainspringError as error:
            log.warning("children of run %s are canceled later: %s", run_id, error.message)
            again = (at, "cascade", run_id, "")
            asyncio.get_running_loop().call_later(1, state.timers.add, again)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.work.add(task)
        task.add_done_callback(self.work.discard)
