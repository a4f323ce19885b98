"""Which servers live, and which of them is to own which shard. Decisions only; nothing is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

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


class Chart(NamedTuple):
    """The node of a cluster of databases by shard and by server, as far as they are known."""

    shards: Mapping[int, int] = MappingProxyType({})
    servers: Mapping[str, int] = MappingProxyType({})

    def is_far(self, shard_id: int, server: str) -> bool:
        """Whether the server's statements about the shard would go on to another node."""
        home = self.shards.get(shard_id)
        return home is not None and self.servers.get(server) != home


ONE_NODE: Final = Chart()


def spread(
    owners: Mapping[int, str], able: Collection[str], chart: Chart = ONE_NODE
) -> dict[int, str]:
    """The owner that each shard is to have, so that the servers in `able` have even shares, and of
    those with even shares near ones. Shards whose owner is not able are free.

    As few as possible change hands, but for pairs of which both come near. Everybody who sees the
    same comes to the same.
    """
    held: dict[str, list[int]] = {server: [] for server in able}
    free: list[int] = []
    for shard_id in sorted(owners):
        held.get(owners[shard_id], free).append(shard_id)
    base, more = divmod(len(owners), max(len(held), 1))
    order = sorted(held, key=lambda server: (-len(held[server]), server))
    shares = {server: base + (place < more) for place, server in enumerate(order)}
    for server, share in shares.items():
        held[server].sort(key=lambda shard_id: (chart.is_far(shard_id, server), shard_id))
        free += held[server][share:]
        del held[server][share:]
    free.sort()
    for far_too in (False, True):
        for server, share in shares.items():
            missing = share - len(held[server])
            if missing:
                fit = [shard for shard in free if far_too or not chart.is_far(shard, server)]
                held[server] += fit[:missing]
                free = sorted(set(free).difference(fit[:missing]))
    plan = {shard_id: server for server, shards in held.items() for shard_id in shards}
    return plan | _exchanged(plan, chart)


def _exchanged(plan: Mapping[int, str], chart: Chart) -> dict[int, str]:
    """Owners of shards that two servers should exchange, since each is near to the other's."""
    far: dict[tuple[int | None, int], list[int]] = {}
    for shard_id in sorted(plan):
        if chart.is_far(shard_id, plan[shard_id]):
            way = chart.servers.get(plan[shard_id]), chart.shards[shard_id]
            far.setdefault(way, []).append(shard_id)
    found: dict[int, str] = {}
    for (node, home), shards in far.items():
        back = far.get((home, node), []) if node is not None and node < home else []
        for one, other in zip(shards, back, strict=False):
            found[one], found[other] = plan[other], plan[one]
    return found
