"""Until when this process may act for its session, counted on this side. No network, no thread."""

from __future__ import annotations

from typing import Final

from mainspring.clock import Clock
from mainspring.wire.worker import LEASE_S

MARGIN_S: Final = 3.0
"""How long before the server's count ends the worker stops acting, so that it is always first."""


class Lease:
    """A session's right to report results. It begins when the server first welcomes the session.

    It counts from the moment an acknowledged beat was *sent*, never from when the answer came, so
    that it ends here before it ends at the server, whatever the network does.

    Attributes:
        linked: whether the link stands. Only then does it count when the server says that it does
            not know the session: a new server learns of it when the link comes up again.
    """

    def __init__(self, session_id: str, clock: Clock) -> None:
        self.session_id = session_id
        self.seconds = LEASE_S
        self.linked = True
        self._clock = clock
        self._until: float | None = None

    def now(self) -> float:
        """The clock it counts on; read it before a beat is sent."""
        return self._clock.monotonic()

    def welcome(self, seconds: float, sent_at: float) -> None:
        """The server answered a hello that was sent at `sent_at`. It begins with the first one; the
        others renew nothing, since the next owner of the session may not know of them.
        """
        self.seconds, self.linked = seconds, True
        if not self.begun:
            self.renew(sent_at)

    def renew(self, sent_at: float) -> None:
        """The server acknowledged a beat that was sent at `sent_at`. A lapsed lease stays so."""
        if self.lapsed:
            return
        until = sent_at + self.seconds - MARGIN_S
        if self._until is None or until > self._until:
            self._until = until

    @property
    def begun(self) -> bool:
        """Whether the server ever welcomed the session."""
        return self._until is not None

    @property
    def lapsed(self) -> bool:
        """Whether it began and has run out; nothing of the session may be reported any more."""
        return self._until is not None and self._clock.monotonic() >= self._until

    @property
    def left(self) -> float:
        """Seconds until it runs out, never negative; 0 before it begins."""
        return max(0.0, (self._until or 0.0) - self._clock.monotonic())
