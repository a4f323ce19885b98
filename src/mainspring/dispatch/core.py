"""The scheduler core of one shard: what may run next. No I/O, no clock, no randomness."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mainspring.dispatch.lanes import Entry, Lane, LaneKey
from mainspring.dispatch.limits import EnvironmentLimits, KeyLimits, QueueLimits
from mainspring.dispatch.rate import Rates

Claim = tuple[Lane, int, str, bool]
"""(lane handle, ord, run id, resume). A resume spends no rate; every other claim does."""


class Core:
    """Lanes, limits, fairness and rates of one shard.

    `now` is epoch ms and never goes backwards within one core. A lane handle (`Lane`) stays valid
    while a run claimed, started or occupied through it holds its slot.

    At takeover: `set_*`, `rates.restore`, `occupy` for each active run, then `load` per lane and
    `push(resume=True)` for each ready row with the resume flag.
    """

    rates: Rates

    def __init__(self, low: int = 256, high: int = 4096) -> None:
        """Refill lanes below `low` entries in memory, trim them above `high`."""

    def set_environment(self, env: int, limits: EnvironmentLimits) -> None:
        """Set an environment's limits and pause, live. Lowering only stops new claims."""
        raise NotImplementedError

    def set_queue(self, env: int, queue: str, limits: QueueLimits) -> None:
        """Set a queue's limits, weight, rate and pause, live."""
        raise NotImplementedError

    def set_key(self, env: int, queue: str, key: str, limits: KeyLimits | None) -> None:
        """Set or (None) remove what differs for one key, live."""
        raise NotImplementedError

    def push(
        self, lane_key: LaneKey, ord: int, run_id: str, resume: bool = False, cost: int = 1
    ) -> None:
        """Queue a run whose `ready` row is committed.

        Beyond the lane's window it is only counted and comes back by a refill. A resume goes ahead
        of all new entries of its lane, stays in memory and spends no rate.
        """
        raise NotImplementedError

    def push_many(
        self, lane_key: LaneKey, entries: Iterable[Entry], costs: Mapping[str, int] | None = None
    ) -> None:
        """Queue many runs of one lane; `costs` names those that cost other than 1."""
        raise NotImplementedError

    def remove(self, lane_key: LaneKey, ord: int, run_id: str, resume: bool = False) -> bool:
        """Take a waiting run out (cancel, expire). False if the lane does not hold it any more."""
        raise NotImplementedError

    def load(self, lane_key: LaneKey, queued: int, cursor: Entry | None = None) -> Lane:
        """Register a lane at takeover: `queued` new (not resumed) rows lie after `cursor`.

        They are read by the refill that the lane asks for at once.
        """
        raise NotImplementedError

    def refills(self, limit: int = 64) -> list[Lane]:
        """Return lanes that need rows from the database; each once, until `refill` answers it.

        Read for each `(ord, run_id) > lane.cursor AND NOT resume ORDER BY ord, run_id LIMIT n`.
        Pushes and removes between this call and `refill` are merged. Rule for the owner: a commit
        that the read could see must have been pushed before `refill` is called.
        """
        raise NotImplementedError

    def refill(
        self,
        lane: Lane,
        entries: Sequence[Entry],
        exhausted: bool,
        costs: Mapping[str, int] | None = None,
    ) -> None:
        """Take in the rows read for a lane of `refills`.

        `exhausted` = the read returned fewer rows than its limit. A failed read is answered with
        no entries and `exhausted=False`: the lane asks again.
        """
        raise NotImplementedError

    def claim(self, env: int, version: str, n: int, now: int) -> list[Claim]:
        """Choose up to `n` runs for workers of a version and take their slots.

        Such workers take runs pinned to their version and runs pinned to none. Full lanes, queues
        and environments are not looked at.
        """
        raise NotImplementedError

    def start(
        self, lane_key: LaneKey, now: int, cost: int = 1, version: str | None = None
    ) -> Lane | None:
        """Take a slot at once for a run that was never queued; None if it has to be pushed.

        Only when its lane is empty, every gate passes and no lane waits that workers of `version`
        (default: the lane's own) could serve instead.
        """
        raise NotImplementedError

    def release(self, lane: Lane, now: int) -> None:
        """Give one slot back."""
        raise NotImplementedError

    def release_many(self, lanes: Iterable[Lane], now: int) -> None:
        """Give one slot back per handle; a handle may occur several times."""
        raise NotImplementedError

    def occupy(self, lane_key: LaneKey, count: int = 1) -> Lane:
        """Count slots held by active rows at takeover; passes no gate and may exceed limits."""
        raise NotImplementedError

    def unclaim(
        self,
        lane: Lane,
        ord: int,
        run_id: str,
        now: int,
        *,
        resume: bool = False,
        cost: int = 1,
        refund: bool = False,
    ) -> None:
        """Withdraw a claim: slot back, run back at its place. `refund` returns its rate too."""
        raise NotImplementedError
