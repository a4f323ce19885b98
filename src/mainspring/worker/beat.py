"""The thread that says the session lives, whatever the event loop does; and notices its own end.

It shares nothing with the loop but the lease, and has a connection of its own.
"""

from __future__ import annotations

import logging
import os
import select
import threading
from collections.abc import Callable
from typing import Final

from mainspring.errors import MainspringError
from mainspring.wire.worker import BEAT_S
from mainspring.worker.lease import Lease
from mainspring.worker.posts import Posts

AGAIN_S: Final = 1.0
"""The pause after a beat that was not acknowledged."""

OnEvent = Callable[[Lease], None]

log = logging.getLogger("mainspring.worker")


class Beats:
    """Sends a beat for the followed session every 5 s, from `start` to `stop`.

    All callbacks are called in this thread.

    Args:
        renewed: a beat of this lease was acknowledged.
        lapsed: the lease ran out, or the server does not know the session.
        lifeline: a file descriptor that becomes readable when the parent process is gone.
        orphaned: called once then; the thread ends.
    """

    def __init__(
        self,
        posts: Posts,
        *,
        renewed: OnEvent,
        lapsed: OnEvent,
        lifeline: int | None = None,
        orphaned: Callable[[], None] = lambda: None,
        interval_s: float = BEAT_S,
    ) -> None:
        self._posts = posts
        self._renewed = renewed
        self._lapsed = lapsed
        self._lifeline = lifeline
        self._orphaned = orphaned
        self._interval_s = interval_s
        self._lease: Lease | None = None
        self._wake, self._waker = os.pipe()
        self._thread = threading.Thread(target=self._run, name="beats", daemon=True)
        self._stopping = False

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def follow(self, lease: Lease | None) -> None:
        """Beat for this session from now on, or for none; the first beat goes out at once."""
        self._lease = lease
        os.write(self._waker, b"\0")

    def stop(self) -> None:
        """End the thread; waits for a beat that is under way."""
        self._stopping = True
        os.write(self._waker, b"\0")
        self._thread.join()
        os.close(self._wake)
        os.close(self._waker)

    def _run(self) -> None:
        pause = self._interval_s
        while self._pause(pause):
            lease, pause = self._lease, self._interval_s
            if lease is not None and lease.begun and not self._beat(lease):
                pause = min(AGAIN_S, self._interval_s, lease.left)
        self._posts.close()

    def _beat(self, lease: Lease) -> bool:
        """Whether the beat was acknowledged, or there is nothing more to beat for."""
        sent_at, known, over = lease.now(), False, False
        try:
            known = self._posts.beat(lease.session_id)
            over = not known and lease.linked
        except MainspringError as error:
            log.debug("a beat was not acknowledged: %s", error)
        if lease is not self._lease:
            return True
        if known:
            lease.renew(sent_at)
            self._renewed(lease)
        if over or lease.lapsed:
            self._lease = None
            self._lapsed(lease)
            return True
        return known

    def _pause(self, seconds: float) -> bool:
        """Wait until the next beat is due; False when there will be none."""
        watched = [self._wake] if self._lifeline is None else [self._wake, self._lifeline]
        ready, _, _ = select.select(watched, (), (), seconds)
        if self._wake in ready:
            os.read(self._wake, 64)
        if self._lifeline in ready:
            self._orphaned()
            return False
        return not self._stopping
