"""Which servers live, and which of them is to own which shard. Decisions only; nothing is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

LOST_S: Final = 3.5
"""How long the beats of a server may stand still before it counts as lost."""
SETTLED_S: Final = LOST_S + 1.0
"""After so long a server has seen for itself who lives."""
BLIND_S: Final = 2.0
"""Between two looks that are further apart nobody could be seen, so that the time counts for none.
"""


class Sightings:
    """What one server sees of the others' beats, on its own monotonic clock."""

    def __init__(self, server_id: str) -> None:
        self._mine = server_id
        self._seen: dict[str, _Sight] = {}
        self._looked_at: float | None = None
        self._now = 0.0

    def look(self, beats: Mapping[str, int], now: float) -> bool:
        """Take in the beats of all servers; True when any has come, gone, or been lost since."""
        before = self._states()
        last = now if self._looked_at is None else self._looked_at
        blind = now - last if now - last > BLIND_S else 0.0
        self._looked_at = self._now = now
        seen: dict[str, _Sight] = {}
        for server_id, beat in beats.items():
            if server_id == self._mine:
                continue
            sight = seen[server_id] = self._seen.get(server_id) or _Sight(beat, now)
            sight.since += blind if sight.since < now else 0.0
            if sight.beat != beat:
                sight.beat, sight.since, sight.moved = beat, now, True
        self._seen = seen
        return self._states() != before

    @property
    def alive(self) -> set[str]:
        """Others that were seen to live."""
        return {server_id for server_id, state in self._states().items() if state == "alive"}

    @property
    def settled(self) -> set[str]:
        """Those of them that have been here for long enough to find out by themselves who is lost:
        one that came later would only begin to wait.
        """
        known = {name for name, one in self._seen.items() if self._now - one.came > SETTLED_S}
        return self.alive & known

    @property
    def present(self) -> set[str]:
        """Others that are not lost: alive, or not known for long enough."""
        return {server_id for server_id, state in self._states().items() if state != "lost"}

    @property
    def lost(self) -> dict[str, int]:
        """Others that are lost, with their last beat."""
        states = self._states()
        return {name: sight.beat for name, sight in self._seen.items() if states[name] == "lost"}

    def _states(self) -> dict[str, str]:
        return {name: sight.state(self._now) for name, sight in self._seen.items()}


class _Sight:
    __slots__ = ("beat", "came", "moved", "since")

    def __init__(self, beat: int, since: float) -> None:
        self.beat = beat
        self.since = self.came = since
        self.moved = False

    def state(self, now: float) -> str:
        if now - self.since >= LOST_S:
            return "lost"
        return "alive" if self.moved else "new"


def spread(owners: Mapping[int, str], able: Collection[str]) -> dict[int, str]:
    """The owner that each shard is to have, so that the servers in `able` have even shares.

    As few as possible change hands, and everybody who sees the same comes to the same. Shards whose
    owner is not able are free.
    """
    held: dict[str, list[int]] = {server: [] for server in able}
    free: list[int] = []
    for shard_id in sorted(owners):
        held.get(owners[shard_id], free).append(shard_id)
    base, more = divmod(len(owners), max(len(held), 1))
    order = sorted(held, key=lambda server: (-len(held[server]), server))
    shares = {server: base + (place < more) for place, server in enumerate(order)}
    for server, share in shares.items():
        free += held[server][share:]
        del held[server][share:]
    free.sort()
    for server, share in shares.items():
        missing = share - len(held[server])
        held[server] += free[:missing]
        del free[:missing]
    return {shard_id: server for server, shards in held.items() for shard_id in shards}
