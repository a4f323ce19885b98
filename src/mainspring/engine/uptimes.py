"""The monotonic clocks of other servers, as this one can read them. Nothing is read here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mainspring.store.leasing import Beat, LeaseRow

KEPT_S: Final = 300.0
"""How long a server is remembered that has gone: much longer than any lease."""


class Uptimes:
    """What each server's clock showed at its last beat, and when we saw that on our own.

    No wall clock is in it, and nothing that two clocks show is compared but by what passes: so a
    clock that is set, on any of the hosts, changes nothing.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Beat, float]] = {}

    def look(self, beats: Sequence[Beat], now: float) -> None:
        """Take in the last beats of all servers. `now` is in monotonic seconds of our own."""
        for beat in beats:
            before = self._seen.get(beat.server_id)
            if before is None or before[0] != beat:
                self._seen[beat.server_id] = beat, now
        there = {beat.server_id for beat in beats}
        for server_id, (_, at) in list(self._seen.items()):
            if server_id not in there and now - at > KEPT_S:
                del self._seen[server_id]

    def here(self, server_id: str, uptime_ms: int) -> float | None:
        """When that server's clock showed this, in seconds of our own; None = that is not known.

        It is never too early, but too late by the time in which we did not look.
        """
        beat, at = self._seen.get(server_id, (None, 0.0))
        if beat is None or beat.uptime_ms is None:
            return None
        return at + (uptime_ms - beat.uptime_ms) / 1000

    def heard(self, rows: Sequence[LeaseRow]) -> dict[str, float]:
        """When the sessions of these rows were heard of last, in seconds of our own.

        Who is missing is given a whole lease, which is safe.
        """
        found: dict[str, float] = {}
        for row in rows:
            at = self.here(row.server_id, row.heard_ms)
            if at is not None:
                found[row.session_id] = at
        return found
