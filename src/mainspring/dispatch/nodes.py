"""The nodes of the tree: environments, queues, tracks, keys, lanes; their counts and caps."""

from __future__ import annotations

from collections import OrderedDict

from mainspring.dispatch.fairness import UNIT, Turns, stride_of
from mainspring.dispatch.lanes import LaneKey, Window
from mainspring.dispatch.limits import PLAIN_KEY, EnvironmentLimits, KeyLimits, QueueLimits

PACE_MS = 1000


class Environment:
    """One environment: its cap, its count, its queues and the tracks that may go, by version."""

    __slots__ = ("cap", "id", "limits", "queues", "running", "tracks", "virtual")

    def __init__(self, id: int) -> None:
        self.id = id
        self.queues: dict[str, Queue] = {}
        self.limits = EnvironmentLimits()
        self.cap = self.limits.cap
        self.running = 0
        self.virtual = 0
        self.tracks: dict[str, Turns[Track]] = {}


class Queue:
    """One queue: its cap, its counts, its keys, and its lanes that may go, by version.

    Attributes:
        cap: most runs at once, 0 while paused.
        full: somebody was turned away at the cap and waits for a release.
        key_limits: what differs for single keys; outlives the keys themselves.
        tag: its turn among the queues, over all versions.
        wake_at: epoch ms until which the rate of the whole queue holds it; 0 = it does not.
    """

    __slots__ = (
        "cap", "env", "full", "key_limits", "keys", "limits", "name", "queued", "rate", "running",
        "stride", "tag", "tracks", "virtual", "wake_at",
    )  # fmt: skip

    def __init__(self, env: Environment, name: str) -> None:
        self.env = env
        self.name = name
        self.keys: dict[str, Key] = {}
        self.key_limits: dict[str, KeyLimits] = {}
        self.limits = QueueLimits()
        self.rate = self.limits.rate
        self.cap = self.limits.cap(env.limits)
        self.stride = UNIT
        self.running = 0
        self.queued = 0
        self.full = False
        self.tag = 0
        self.wake_at = 0
        self.virtual = 0
        self.tracks: dict[str, Track] = {}


class Track(Turns["Lane"]):
    """The lanes of a queue and version that may go; takes turns with those of other queues.

    Attributes:
        listed: it stands in line in its environment.
        stale: lanes that became empty in line, about.
        resuming: lanes with resumes, kept only where a rate of the whole queue may hold all else.
    """

    __slots__ = ("listed", "queue", "resuming", "stale", "tag", "version")

    def __init__(self, queue: Queue, version: str) -> None:
        super().__init__()
        self.queue = queue
        self.version = version
        self.tag = 0
        self.listed = False
        self.stale = 0
        self.resuming: OrderedDict[Lane, None] = OrderedDict()


class Key:
    """One concurrency key of a queue ("" = none): what its lanes, one per version, share.

    Attributes:
        lane: the lane of runs pinned to no version, if there was one.
        pinned: the lanes of pinned runs by version.
        cap: most runs at once, 0 while paused.
        full: a lane was turned away at the cap and waits for a release.
        wake_at: epoch ms until which the rate of this key holds it; 0 = it does not.
        done, since: completions since epoch ms `since` (0 = not measuring).
        pace_us: moving average of microseconds between completions; 0 = not known.
    """

    __slots__ = (
        "cap", "done", "full", "lane", "name", "pace_us", "pinned", "queue", "running", "since",
        "stride", "wake_at",
    )  # fmt: skip

    def __init__(self, queue: Queue, name: str) -> None:
        limits = queue.key_limits.get(name, PLAIN_KEY)
        self.queue = queue
        self.name = name
        self.lane: Lane | None = None
        self.pinned: dict[str, Lane] | None = None
        self.cap = limits.cap(queue.limits)
        self.stride = stride_of(limits.weight)
        self.running = 0
        self.full = False
        self.wake_at = 0
        self.done = 0
        self.since = 0
        self.pace_us = 0

    def lanes(self) -> list[Lane]:
        """Return the lanes of all versions."""
        lanes = [] if self.lane is None else [self.lane]
        return [*lanes, *self.pinned.values()] if self.pinned else lanes

    def occupy(self, count: int) -> None:
        """Count slots taken, all the way up."""
        self.running += count
        self.queue.running += count
        self.queue.env.running += count

    def complete(self, now: int) -> None:
        """Count a completion; once in PACE_MS the pace is measured anew."""
        self.done += 1
        if now - self.since < PACE_MS:
            return
        if self.since:
            pace = (now - self.since) * 1000 // self.done
            self.pace_us = (3 * self.pace_us + pace) // 4 if self.pace_us else pace
        self.since = now
        self.done = 0


class Lane(Window):
    """The waiting runs of one lane key, and the handle that `claim` hands out.

    For the owner: `address`, `queued`, `cursor`. The rest belongs to the core.
    """

    __slots__ = ("key", "listed", "tag", "version")

    def __init__(self, key: Key, version: str) -> None:
        super().__init__()
        self.key = key
        self.version = version
        self.tag = 0
        self.listed = False

    @property
    def address(self) -> LaneKey:
        """The lane's (environment, queue, key, version)."""
        queue = self.key.queue
        return (queue.env.id, queue.name, self.key.name, self.version)

    @property
    def idle(self) -> bool:
        """Nothing waits here, in memory or in the database."""
        return (
            self.head == len(self.items)
            and not self.resumes
            and self.end is None
            and self.reading is None
        )
