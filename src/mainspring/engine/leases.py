"""The leases of a shard's sessions, kept in the rows so that a takeover continues them.

A beat counts only once its row is written: a worker believes in its lease no longer than the next
owner will. So an owner's death neither cuts a lease short nor makes it longer.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import Future
from typing import Final

from mainspring.engine.batch import settle
from mainspring.engine.elsewhere import elsewhere
from mainspring.engine.owner import Owner
from mainspring.engine.session import Session
from mainspring.errors import MainspringError, StoreUnavailable

EVERY_S: Final = 0.25
"""Between two writes of a shard, however many sessions beat."""

log = logging.getLogger("mainspring.engine")


class Leases:
    """What has been heard of the sessions of one shard, and whether that is durable."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._state = owner.state
        self._heard: set[Session] = set()
        self._over: set[str] = set()
        self._whole = False
        self._waiting: list[Future[None]] = []
        self._lock = asyncio.Lock()
        self._writing: asyncio.Task[None] | None = None
        self._wrote_at = 0.0

    def hear(self, session: Session) -> None:
        """The session lives; its lease counts from now on."""
        session.beat_at = self._state.clock.monotonic()
        self._heard.add(session)

    async def kept(self) -> None:
        """Until what was heard is durable. Raises: StoreUnavailable, when it may not be."""
        future: Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def end(self, session: Session) -> None:
        """The session is over, and its row of no use."""
        self._heard.discard(session)
        self._over.add(session.id)

    def all(self) -> None:
        """Write all of them anew, in our own time: the next owner may not know the clocks of those
        who have written them.
        """
        self._whole = True

    def ring(self) -> None:
        """Begin to write, if there is anything and it is time."""
        due = self._state.clock.monotonic() - self._wrote_at >= EVERY_S
        if due and self._has_news and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self.write(), name="leases")

    async def write(self) -> None:
        """Write what there is. What fails is written the next time; who waits repeats."""
        async with self._lock:
            if not self._has_news:
                return
            self._wrote_at = self._state.clock.monotonic()
            waiting, self._waiting = self._waiting, []
            heard, over, whole = self._heard, self._over, self._whole
            self._heard, self._over, self._whole = set(), set(), False
            try:
                await self._keep(heard, over, whole)
            except MainspringError as error:
                log.debug("leases of shard %s: %s", self._state.shard_id, error.message)
                self._heard |= heard
                self._over |= over
                self._whole |= whole
                told = StoreUnavailable("The lease could not be renewed now; repeat the beat.")
                settle([(future, told) for future in waiting])
            else:
                settle([(future, None) for future in waiting])

    def close(self) -> None:
        """Write no more; who still waits has to ask the next owner."""
        waiting, self._waiting = self._waiting, []
        self._heard, self._over, self._whole = set(), set(), False
        settle([(future, elsewhere()) for future in waiting])

    async def idle(self) -> None:
        """Until nothing is being written."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    @property
    def _has_news(self) -> bool:
        return bool(self._heard or self._over or self._whole or self._waiting)

    async def _keep(self, heard: set[Session], over: set[str], whole: bool) -> None:
        sessions = self._state.sessions
        chosen = sessions.values() if whole else heard
        rows = [
            (session.id, int(session.beat_at * 1000))
            for session in chosen
            if session.beat_at is not None and sessions.get(session.id) is session
        ]
        gone, owner = sorted(over - sessions.keys()), self._owner
        await owner.store.leases.keep(
            self._state.shard_id, owner.epoch, owner.server_id, rows, gone, whole=whole
        )
