"""The tree of environments, queues, keys and lanes, and who is listed for a turn. No verbs."""

from __future__ import annotations

from collections import OrderedDict

from mainspring.dispatch.fairness import UNIT, Turns, stride_of
from mainspring.dispatch.lanes import LaneKey, Window
from mainspring.dispatch.limits import (
    PLAIN_KEY,
    EnvironmentLimits,
    KeyLimits,
    QueueLimits,
)
from mainspring.dispatch.rate import Rates

PACE_MS = 1000
SWEEP_FROM = 64


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
        cap: most runs at once, 0 while paused.
        full: a lane was turned away at the cap and waits for a release.
        wake_at: epoch ms until which the rate of this key holds it; 0 = it does not.
        done, since: completions since epoch ms `since` (0 = not measuring).
        pace_us: moving average of microseconds between completions; 0 = not known.
    """

    __slots__ = (
        "cap", "done", "full", "lanes", "name", "pace_us", "queue", "running", "since", "stride",
        "wake_at",
    )  # fmt: skip

    def __init__(self, queue: Queue, name: str) -> None:
        limits = queue.key_limits.get(name, PLAIN_KEY)
        self.queue = queue
        self.name = name
        self.lanes: tuple[Lane, ...] = ()
        self.cap = limits.cap(queue.limits)
        self.stride = stride_of(limits.weight)
        self.running = 0
        self.full = False
        self.wake_at = 0
        self.done = 0
        self.since = 0
        self.pace_us = 0

    def measure(self, now: int) -> None:
        """Fold the completions counted since last time into the pace."""
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
            and self.cursor is None
            and self.reading is None
        )


class Tree:
    """Finds and makes the nodes, changes their limits, and lists for a turn whoever may go.

    A lane is listed when it has runs in memory and its key has room; a track when it has listed
    lanes and its queue has room. What is full leaves and is listed again by the release or the
    change of limit that makes room, so that nobody ever looks at it in between.
    """

    def __init__(self, rates: Rates) -> None:
        self.environments: dict[int, Environment] = {}
        self.rates = rates

    def environment(self, id: int) -> Environment:
        """Return an environment; makes it on first sight."""
        env = self.environments.get(id)
        if env is None:
            env = self.environments[id] = Environment(id)
        return env

    def queue(self, env_id: int, name: str) -> Queue:
        """Return a queue; makes it on first sight."""
        env = self.environment(env_id)
        queue = env.queues.get(name)
        if queue is None:
            queue = env.queues[name] = Queue(env, name)
        return queue

    def lane(self, lane_key: LaneKey) -> Lane:
        """Return a lane; makes it on first sight."""
        env_id, queue_name, name, version = lane_key
        try:
            key = self.environments[env_id].queues[queue_name].keys[name]
        except KeyError:
            queue = self.queue(env_id, queue_name)
            key = queue.keys[name] = Key(queue, name)
        for lane in key.lanes:
            if lane.version == version:
                return lane
        lane = Lane(key, version)
        key.lanes = (*key.lanes, lane)
        return lane

    def find(self, lane_key: LaneKey) -> Lane | None:
        """Return a lane if it is known."""
        env_id, queue_name, name, version = lane_key
        env = self.environments.get(env_id)
        queue = env.queues.get(queue_name) if env else None
        key = queue.keys.get(name) if queue else None
        for lane in key.lanes if key else ():
            if lane.version == version:
                return lane
        return None

    def list_lane(self, lane: Lane) -> None:
        """Let a lane stand in line if it has something to run and its key has room."""
        key, resumes = lane.key, lane.resumes
        if not resumes and (key.wake_at or lane.head == len(lane.items)):
            return
        if key.running >= key.cap:
            key.full = True
            return
        queue = key.queue
        track = queue.tracks.get(lane.version)
        if track is None:
            track = queue.tracks[lane.version] = Track(queue, lane.version)
        if not lane.listed:
            lane.listed = True
            track.enter(lane, queue.virtual, key.stride)
        if resumes and queue.rate is not None and not queue.rate.per_key:
            track.resuming[lane] = None
        if not track.listed:
            self.list_track(track)

    def list_track(self, track: Track) -> None:
        """Let a track stand in line if it has a lane to serve and its queue has room."""
        queue = track.queue
        if not (track.resuming if queue.wake_at else track.line or track.heap):
            return
        if queue.running >= queue.cap:
            queue.full = True
            return
        if track.listed:
            return
        env = queue.env
        turns = env.tracks.get(track.version)
        if turns is None:
            turns = env.tracks[track.version] = Turns()
        track.listed = True
        turns.enter(track, env.virtual, queue.stride)

    def reopen_key(self, key: Key) -> None:
        """List what was turned away at a key."""
        key.full = False
        for lane in key.lanes:
            self.list_lane(lane)

    def reopen_queue(self, queue: Queue) -> None:
        """List what was turned away at a queue."""
        queue.full = False
        for track in queue.tracks.values():
            self.list_track(track)

    def emptied(self, lane: Lane) -> None:
        """Tidy up behind a lane that lost its last run other than by a claim."""
        queue = lane.key.queue
        track = queue.tracks.get(lane.version)
        if track is not None and not lane.resumes:
            track.resuming.pop(lane, None)
        if lane.head < len(lane.items) or lane.resumes:
            return
        if track is None or not lane.listed:
            self.drop(lane.key)
            return
        track.stale += 1
        if track.stale > SWEEP_FROM and 2 * track.stale > len(track):
            track.stale = 0
            for swept in track.sweep(_has_runs):
                swept.listed = False
                self.drop(swept.key)

    def drop(self, key: Key) -> None:
        """Forget a key that runs nothing, whose lanes are empty and not in line.

        A queue's unkeyed lane stays: it comes back with every run.
        """
        if key.running or any(lane.listed or not lane.idle for lane in key.lanes):
            return
        if key.name:
            key.queue.keys.pop(key.name, None)
            key.lanes = ()
        else:
            key.lanes = tuple(lane for lane in key.lanes if not lane.version)

    def set_environment(self, id: int, limits: EnvironmentLimits) -> None:
        """Set the limits of an environment, live."""
        env = self.environment(id)
        env.limits = limits
        env.cap = limits.cap
        for queue in env.queues.values():
            queue.cap = queue.limits.cap(limits)
            self.reopen_queue(queue)

    def set_queue(self, env_id: int, name: str, limits: QueueLimits) -> None:
        """Set the limits of a queue, live; costs a step per key if its limit or rate changes."""
        queue = self.queue(env_id, name)
        old, queue.limits = queue.limits, limits
        queue.cap = limits.cap(queue.env.limits)
        queue.stride = stride_of(limits.weight)
        if limits.limit != old.limit:
            for key in queue.keys.values():
                key.cap = queue.key_limits.get(key.name, PLAIN_KEY).cap(limits)
                if key.full:
                    self.reopen_key(key)
        if limits.rate != old.rate:
            self._change_rate(queue)
        self.reopen_queue(queue)

    def set_key(self, env_id: int, queue_name: str, name: str, limits: KeyLimits | None) -> None:
        """Set or remove what differs for a key, live."""
        queue = self.queue(env_id, queue_name)
        if limits is None or limits == PLAIN_KEY:
            queue.key_limits.pop(name, None)
        else:
            queue.key_limits[name] = limits
        key = queue.keys.get(name)
        if key is not None:
            key.cap = (limits or PLAIN_KEY).cap(queue.limits)
            key.stride = stride_of((limits or PLAIN_KEY).weight)
            self.reopen_key(key)

    def _change_rate(self, queue: Queue) -> None:
        """Let go of all that the old rate held; the new one is asked at each turn."""
        queue.rate = queue.limits.rate
        self.rates.limit(queue.env.id, queue.name, queue.rate)
        self.rates.let_go((queue.env.id, queue.name, ""), queue)
        for track in queue.tracks.values():
            track.resuming.clear()
        for key in queue.keys.values():
            self.rates.let_go((queue.env.id, queue.name, key.name), key)
            for lane in key.lanes:
                self.list_lane(lane)


def _has_runs(lane: Lane) -> bool:
    return lane.head < len(lane.items) or bool(lane.resumes)
