"""Finds, makes and drops the nodes, and lists for a turn whoever may go. Picks nobody."""

from __future__ import annotations

from collections import OrderedDict

from mainspring.dispatch.fairness import Turns, stride_of
from mainspring.dispatch.lanes import LaneKey
from mainspring.dispatch.limits import PLAIN_KEY, EnvironmentLimits, KeyLimits, QueueLimits
from mainspring.dispatch.nodes import Environment, Key, Lane, Queue, Track
from mainspring.dispatch.rate import Rates

SWEEP_FROM = 64
FEWEST = 8


class Tree:
    """Finds and makes the nodes, changes their limits, and lists for a turn whoever may go.

    A lane is listed when it has runs in memory and its key has room; a track when it has listed
    lanes and its queue has room. What is full leaves and is listed again by the release or the
    change of limit that makes room, so that nobody ever looks at it in between.

    Attributes:
        low, high: the lane windows' sizes; they shrink as the keys get more.
        thirsty: lanes that need rows from the database, in order.
    """

    def __init__(self, rates: Rates, low: int, high: int, budget: int) -> None:
        self.environments: dict[int, Environment] = {}
        self.rates = rates
        self.thirsty: OrderedDict[Lane, None] = OrderedDict()
        self.low, self.high = low, high
        self._keys = 0
        self._low, self._high, self._budget = low, high, budget

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
            self._count_keys(1)
        if version:
            if key.pinned is None:
                key.pinned = {}
            lane = key.pinned.get(version)
            if lane is None:
                lane = key.pinned[version] = Lane(key, version)
            return lane
        if key.lane is None:
            key.lane = Lane(key, "")
        return key.lane

    def find(self, lane_key: LaneKey) -> Lane | None:
        """Return a lane if it is known."""
        env_id, queue_name, name, version = lane_key
        env = self.environments.get(env_id)
        queue = env.queues.get(queue_name) if env else None
        key = queue.keys.get(name) if queue else None
        if key is None or not version:
            return key.lane if key else None
        return key.pinned.get(version) if key.pinned else None

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
            track = self._new_track(queue, lane.version)
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
            env.tracks = {version: turns for version, turns in env.tracks.items() if turns}
            turns = env.tracks[track.version] = Turns()
        track.listed = True
        turns.enter(track, env.virtual, queue.stride)

    def reopen_key(self, key: Key) -> None:
        """List what was turned away at a key."""
        key.full = False
        if key.lane is not None:
            self.list_lane(key.lane)
        if key.pinned:
            for lane in key.pinned.values():
                self.list_lane(lane)

    def reopen_queue(self, queue: Queue) -> None:
        """List what was turned away at a queue."""
        queue.full = False
        for track in queue.tracks.values():
            self.list_track(track)

    def check_window(self, lane: Lane) -> None:
        """Ask for rows for a lane that has more in the database, if few are left in memory."""
        if len(lane.items) - lane.head < self.low and lane.reading is None:
            self.thirsty[lane] = None

    def let_go(self, lane: Lane) -> None:
        """Ask a rate again that holds a lane, because the lane's next run is another one."""
        key, queue = lane.key, lane.key.queue
        if key.wake_at:
            self.rates.let_go((queue.env.id, queue.name, key.name), key)
            self.reopen_key(key)
        if queue.wake_at:
            self.rates.let_go((queue.env.id, queue.name, ""), queue)
            self.reopen_queue(queue)

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
        if key.running or (key.lane is not None and (key.lane.listed or not key.lane.idle)):
            return
        if key.pinned:
            if any(lane.listed or not lane.idle for lane in key.pinned.values()):
                return
            key.pinned = None
        if key.name:
            if key.queue.keys.pop(key.name, None) is not None:
                self._count_keys(-1)
            key.lane = None
        else:
            key.since = key.done = 0

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

    @staticmethod
    def _new_track(queue: Queue, version: str) -> Track:
        """Make a track, and forget those of versions that are gone."""
        tracks = queue.tracks.items()
        queue.tracks = {v: t for v, t in tracks if t or t.listed or t.resuming}
        track = queue.tracks[version] = Track(queue, version)
        return track

    def _count_keys(self, change: int) -> None:
        self._keys += change
        self.high = min(self._high, max(FEWEST, self._budget // (self._keys or 1)))
        self.low = min(self._low, self.high // 4 + 1)

    def _change_rate(self, queue: Queue) -> None:
        """Let go of all that the old rate held; the new one is asked at each turn."""
        queue.rate = queue.limits.rate
        self.rates.limit(queue.env.id, queue.name, queue.rate)
        self.rates.let_go((queue.env.id, queue.name, ""), queue)
        for track in queue.tracks.values():
            track.resuming.clear()
        for key in queue.keys.values():
            self.rates.let_go((queue.env.id, queue.name, key.name), key)
            self.reopen_key(key)


def _has_runs(lane: Lane) -> bool:
    return lane.head < len(lane.items) or bool(lane.resumes)
