"""What must hold of schedules: each tick makes its runs once, in time, as its catch-up says, and
none is forgotten. Reckoned anew from the interval, without a look at the engine's own rules.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

from mainspring.model.duration import milliseconds
from mainspring.store.changes import Changes
from mainspring.store.operating import ScheduleRow
from tools.sim.world import World

LATE_MS: Final = 60_000
"""A tick is missed when nobody has fired it for so long."""
MOST: Final = 100
"""Missed ticks that are fired together."""


class Fired(msgspec.Struct, rename="camel"):
    """What a run's payload says of its tick."""

    schedule_id: str
    timestamp: datetime


_decode: Final = msgspec.json.Decoder(Fired).decode


class Ticks:
    """The schedules of one environment, all of them intervals (`@every`) without a window.

    Attributes:
        rows: what is stored of those that exist.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.rows: dict[str, ScheduleRow] = {}
        self._fired: set[tuple[str, int]] = set()

    def committed(self, changes: Changes) -> None:
        """A commit is durable."""
        for (schedule_id,) in changes.drop_schedule:
            self.rows.pop(schedule_id, None)
        for row in changes.schedule:
            self.rows[row[0]] = ScheduleRow(*row)
        for fired in changes.tick:
            made = {at for schedule_id, at in map(_of, changes.run) if schedule_id == fired[0]}
            self._ticked(fired, made, changes.now)

    def _ticked(self, fired: tuple[Any, ...], made: set[int], now: int) -> None:
        schedule_id, at, next_at, _, _, active = fired
        row, fail = self.rows[schedule_id], self.world.fail
        if not row.active or row.next_at != at:
            fail(f"{schedule_id} fired the tick {at}; next is {row.next_at}, active {row.active}")
        if now < at:
            fail(f"{schedule_id} fired {at - now} ms too early")
            return
        every = milliseconds(row.cron.removeprefix("@every "), row.cron)
        due = range(at, now + 1, every)
        if next_at != due[-1] + every or not active:
            fail(f"{schedule_id} goes on with {next_at} after {due[-1]}, every {every} ms")
        late = [tick for tick in due if now - tick > LATE_MS]
        wanted = {tick for tick in due if now - tick <= LATE_MS}
        if row.catch_up == "all":
            wanted.update(late[-MOST:])
        elif row.catch_up == "latest" and not wanted:
            wanted.add(late[-1])
        made = {tick for tick in made if tick % every == 0}  # others somebody ran
        if made != wanted:
            fail(f"{schedule_id} made runs for {sorted(made)}, not for {sorted(wanted)}")
        for tick in made:
            if (schedule_id, tick) in self._fired:
                fail(f"tick {tick} of {schedule_id} was fired twice")
            self._fired.add((schedule_id, tick))
        row.next_at = next_at

    def check_in_time(self) -> None:
        """Nobody has forgotten a tick, now that nothing is broken any more."""
        now = self.world.wall_ms()
        for row in self.rows.values():
            if row.active and row.next_at < now - 5_000:
                self.world.fail(f"{row.schedule_id} has not fired for {now - row.next_at} ms")


def _of(row: tuple[Any, ...]) -> tuple[str, int]:
    """Whose tick a new run is; a schedule that somebody runs now and replays are none."""
    options, payload = row[8] or "", row[6] or ""
    if '"schedule_id"' not in options or "replay_of" in options:
        return "", 0
    found = _decode(payload)
    return found.schedule_id, round(found.timestamp.timestamp() * 1000)
