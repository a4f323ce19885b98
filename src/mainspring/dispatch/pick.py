"""Picks the runs that go next, and takes their slots. Adds and removes none by itself."""

from __future__ import annotations

from mainspring.dispatch.fairness import earlier
from mainspring.dispatch.lanes import unpack
from mainspring.dispatch.nodes import Environment, Key, Lane, Queue, Track
from mainspring.dispatch.tree import Tree

Claim = tuple[Lane, int, str, bool]
"""(lane handle, ord, run id, resume). A resume spends no rate; every other claim does."""


class Picker:
    """Goes down the tree by turns: a track of the environment, a lane of its queue, a run."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._rates = tree.rates

    def claim(
        self, environment: Environment, version: str, n: int, now: int, only: bool = False
    ) -> list[Claim]:
        """Pick up to `n` runs for workers of a version; `only` those that are pinned to it."""
        self.wake(now)
        claims: list[Claim] = []
        room = min(n, environment.cap - environment.running)
        general = None if only else environment.tracks.get("")
        pinned = environment.tracks.get(version) if version else None
        while room > 0:
            turns = earlier(general, pinned)
            if turns is None:
                break
            track = turns.pop()
            queue = track.queue
            if track.tag < queue.tag:  # it had its turn by another version since it was listed
                track.listed = False
                self._tree.list_track(track)
                queue.tag = min(queue.tag, track.tag)
                continue
            most = 1 if general or pinned else room
            taken = self._serve(track, version, most, now, claims, only)
            if taken:
                room -= taken
                environment.virtual = max(environment.virtual, track.tag)
                queue.tag = environment.virtual + queue.stride
            track.listed = False
            self._tree.list_track(track)
        return claims

    def anyone_waits(self, environment: Environment, version: str, now: int) -> bool:
        """Tell whether a lane could run on workers of a version; tidies the lines on its way."""
        for name in ("", version) if version else ("",):
            turns = environment.tracks.get(name)
            while turns:
                track = turns.pop()
                queue = track.queue
                if queue.running < queue.cap:
                    lane = self._next_lane(track, version, now)
                    if lane is not None:
                        if not queue.wake_at:
                            queue.tracks[lane.version].put_back(lane)
                            lane.listed = True
                        turns.put_back(track)
                        return True
                track.listed = False
                self._tree.list_track(track)
        return False

    def wake(self, now: int) -> None:
        """List what a rate held until now."""
        for waiter in self._rates.due(now):
            if isinstance(waiter, Queue):
                self._tree.reopen_queue(waiter)
            elif isinstance(waiter, Key):
                self._tree.reopen_key(waiter)

    def _serve(
        self, track: Track, version: str, n: int, now: int, claims: list[Claim], only: bool
    ) -> int:
        """Claim up to `n` runs of a queue, each lane in its turn; returns how many."""
        queue = track.queue
        n = min(n, queue.cap - queue.running)
        taken = 0
        while taken < n:
            lane = self._next_lane(track, version, now, only)
            if lane is None:
                break
            room = n - taken
            if room > 1 and ((not only and queue.tracks.get("")) or queue.tracks.get(version)):
                room = 1  # others wait for their turn
            taken += self._take(lane, room, now, claims)
        return taken

    def _next_lane(self, track: Track, version: str, now: int, only: bool = False) -> Lane | None:
        """Take out of the line the lane whose turn it is, and that passes every gate of its key."""
        queue = track.queue
        if queue.wake_at:
            return self._next_resuming(track)
        general = None if only else queue.tracks.get("")
        pinned = queue.tracks.get(version) if version else None
        while True:
            turns = earlier(general, pinned)
            if turns is None:
                return None
            lane = turns.pop()
            lane.listed = False
            key = lane.key
            if lane.head == len(lane.items) and not lane.resumes:
                self._tree.drop(key)
            elif key.running >= key.cap:
                key.full = True
                queue.tracks[lane.version].resuming.pop(lane, None)
            elif queue.rate is None or lane.resumes or self._passes_rate(lane, now):
                return lane
            elif not queue.rate.per_key:  # all lanes have to wait: this one keeps its place
                turns.put_back(lane)
                lane.listed = True
                return None

    def _next_resuming(self, track: Track) -> Lane | None:
        """Return the lane whose resume is next while a rate holds everything else of the queue."""
        while track.resuming:
            lane = next(iter(track.resuming))
            if lane.resumes and lane.key.running < lane.key.cap:
                return lane
            lane.key.full = True
            del track.resuming[lane]
        return None

    def _passes_rate(self, lane: Lane, now: int) -> bool:
        """Ask the rate for the first run of a lane; holds the key or the queue if it must wait."""
        key, queue, rate = lane.key, lane.key.queue, lane.key.queue.rate
        assert rate is not None
        if key.wake_at:
            return False
        bucket = (queue.env.id, queue.name, key.name if rate.per_key else "")
        at = self._rates.free_at(bucket, rate, lane.first_cost(), now)
        if at:
            self._rates.hold(bucket, key if rate.per_key else queue, at)
        return not at

    def _take(self, lane: Lane, n: int, now: int, claims: list[Claim]) -> int:
        """Claim the first runs of a lane, and let it stand in line again if it may."""
        key, queue, rate = lane.key, lane.key.queue, lane.key.queue.rate
        if lane.resumes:
            texts, resume = [lane.take_resume()], True
            queue.tracks[lane.version].resuming.pop(lane, None)
        elif rate is None:
            texts, resume = lane.take(min(n, key.cap - key.running)), False
            if lane.costs is not None:
                for text in texts:
                    lane.take_cost(text)
        else:
            texts, resume = lane.take(1), False
            bucket = (queue.env.id, queue.name, key.name if rate.per_key else "")
            self._rates.spend(bucket, rate, lane.take_cost(texts[0]), now)
        claims += [(lane, *unpack(text), resume) for text in texts]
        taken = len(texts)
        queue.queued -= taken
        queue.virtual = max(queue.virtual, lane.tag)
        key.occupy(taken)
        if lane.end is not None:
            self._tree.check_window(lane)
        self._tree.list_lane(lane)
        return taken
