"""The feed of a shard: the numbers of its commits, and who is to be woken by which. No rows.

Topics are tuples: ("run", run_id), ("tag", env_id, tag, more tags in order…), ("batch", batch_id),
("env", env_id), ("logs", run_id), ("stream", run_id, key), ("input", run_id, key). What happened is
read from the store, by the number that a subscriber has come to; a feed may be lost at any time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

from msgspec import Struct

from mainspring.store.changes import Changes

Topic = tuple[Any, ...]

EPOCH_BITS: Final = 36
"""Bits of a change number that count the commits of one epoch: 2,000 a second for a year."""
KEPT: Final = 2_000
"""Runs that the channel of a list knows at most: twice as many as a list may show."""
LINGER_S: Final = 60.0
"""How long a channel without watches stays; longer than a client takes to ask again."""
SHOWN: Final = (
    "run", "ready", "claim", "start", "park", "done", "cancel", "metadata", "document", "payload",
    "pin", "options", "stream",
)  # fmt: skip
"""Lists of a commit that change what a reader sees of the run in their first column."""
_BATCH: Final = 12
"""The column `batch_id` of the list `run`."""


class Digest(Struct, array_like=True):
    """What a commit changes, as far as those who watch have to know: run ids, (env_id, tag, run id)
    of new tags, (run id, batch id) of new runs.
    """

    change: int
    runs: list[str]
    tags: list[tuple[int, str, str]]
    batches: list[tuple[str, str]]

    @classmethod
    def of(cls, changes: Changes) -> Digest:
        """Of a commit that is durable."""
        runs = {row[0] for name in SHOWN for row in getattr(changes, name)}
        runs.update(run_id for _, _, run_id in changes.tag)
        batches = [(row[0], row[_BATCH]) for row in changes.run if row[_BATCH] is not None]
        return cls(changes.change, list(runs), list(changes.tag), batches)


Told = Callable[[Digest | None, tuple[Topic, ...], int], None]
"""Hears what a feed hears: a commit, topics that are no commits, or that the numbers go on from
another one than the last; all of it empty and -1 at the end.
"""


class Watch:
    """What one subscriber waits for. It is woken; what happened it reads by itself.

    Attributes:
        rung: something has happened since the last `wait`, or since it was set to False.
        closed: nothing will happen any more: the shard has another owner, or its server stops.
        on_ring: called when it rings or closes, at once and from the loop; it must not raise.
    """

    __slots__ = ("_channels", "_feed", "closed", "on_ring", "rung")

    def __init__(self, feed: Feed, channels: tuple[_Channel, ...]) -> None:
        self._feed = feed
        self._channels = channels
        self.rung = False
        self.closed = False
        self.on_ring: Callable[[], None] | None = None

    def ring(self) -> None:
        """Something has happened."""
        self.rung = True
        if self.on_ring is not None:
            self.on_ring()

    async def wait(self) -> bool:
        """Until something has happened; False once it is closed."""
        if not (self.rung or self.closed):
            bell: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.on_ring = lambda: None if bell.done() else bell.set_result(None)
            try:
                await bell
            finally:
                self.on_ring = None
        self.rung = False
        return not self.closed

    def since(self, change: int) -> dict[str, int] | None:
        """The runs of these topics that commits after that number have changed, with the number of
        the last one; None when that is not known and all have to be read.
        """
        found: dict[str, int] = {}
        for channel in self._channels:
            if self.closed or channel.floor is None or change < channel.floor:
                return None
            for run_id in reversed(channel.changed):
                number = channel.changed[run_id]
                if number <= change:
                    break
                found[run_id] = max(found.get(run_id, 0), number)
        return found

    def known(self, run_id: str) -> int | None:
        """No commit after this number has changed that run, one of these topics'; None when that
        is not known.
        """
        for channel in self._channels:
            if run_id in channel.runs and channel.floor is not None and not self.closed:
                return channel.changed.get(run_id, channel.floor)
        return None

    def rings(self, at: int) -> int:
        """How often something has happened of the topic at that place."""
        return self._channels[at].rings

    def expect(self, run_ids: Iterable[str]) -> None:
        """Hear of these runs from now on, oldest first: the topic is a list, and they are all it
        shows. Later ones join by themselves. Who reads the rows only now misses nothing.
        """
        if not self.closed:
            for channel in self._channels:
                self._feed.expect(channel, run_ids)

    def close(self) -> None:
        """Hear of nothing any more; who waits is woken. Safe to call twice."""
        if not self.closed:
            self.closed = True
            self._feed.leave(self, self._channels)
            self.ring()


class Feed:
    """Numbers the commits of a shard's owner, and wakes those who wait for what they change.

    On another server it repeats what the owner's tells; it is `begun` once it knows where that is.
    """

    def __init__(self, *, begun: bool = True) -> None:
        self.last = 0
        self.is_begun = asyncio.Event()
        if begun:
            self.is_begun.set()
        self._made = 0
        self._taps: list[Told] = []
        self._channels: dict[Topic, _Channel] = {}
        self._lists: dict[Topic, list[_Channel]] = {}
        self._by_run: dict[str, list[_Channel]] = {}
        self._left: dict[_Channel, float | None] = {}

    def begin(self, epoch: int) -> None:
        """An epoch of the owner begins. What the one before has written last may be unknown, so
        that everybody looks for himself.
        """
        self._made = epoch << EPOCH_BITS
        self.go_on(self._made)

    def go_on(self, last: int) -> None:
        """What has happened up to that number may be unknown; what comes is not."""
        self.last = last
        self.is_begun.set()
        for tap in self._taps:
            tap(None, (), last)
        for channel in list(self._channels.values()):
            if channel.floor is not None or not channel.is_list:
                channel.floor = last
            channel.changed.clear()
            channel.ring()

    def tap(self, told: Told) -> Callable[[], None]:
        """Have everything told that happens from now on, first of all the number of the last
        commit; the function that ends it.
        """
        self._taps.append(told)
        told(None, (), self.last)
        return lambda: self._taps.remove(told) if told in self._taps else None

    def number(self) -> int:
        """The number of the next commit, whatever becomes of it."""
        self._made += 1
        return self._made

    def commit(self, changes: Changes) -> None:
        """That commit is durable. Costs nothing when nobody watches."""
        self.last = changes.change
        if self._channels or self._taps:
            digest = Digest.of(changes)
            for tap in self._taps:
                tap(digest, (), self.last)
            self.take(digest)

    def publish(self, *topics: Topic) -> None:
        """Something that is no commit has become durable. Costs nothing when nobody watches."""
        for topic in topics if self._channels else ():
            channel = self._channels.get(topic)
            if channel is not None:
                channel.ring()
        for tap in self._taps:
            tap(None, topics, self.last)

    @property
    def is_watched(self) -> bool:
        """Whether anybody may be waiting for anything."""
        return bool(self._channels or self._taps)

    def watch(self, *topics: Topic) -> Watch:
        """Begin to hear of these topics; `close` it."""
        channels = tuple(self._channels.get(topic) or self._open(topic) for topic in topics)
        watch = Watch(self, channels)
        for channel in channels:
            channel.watches[watch] = None
            self._left.pop(channel, None)
        return watch

    def expect(self, channel: _Channel, run_ids: Iterable[str]) -> None:
        """The list of that channel shows these runs."""
        for run_id in run_ids:
            self._join(channel, run_id)
        if channel.floor is None:
            channel.floor = self.last

    def leave(self, watch: Watch, channels: Iterable[_Channel]) -> None:
        """A watch is over."""
        for channel in channels:
            channel.watches.pop(watch, None)
            if not channel.watches:
                self._left[channel] = None

    def sweep(self, now: float) -> None:
        """Forget channels that nobody has watched for a while; `now` is a monotonic time."""
        for channel, since in list(self._left.items()):
            if since is None:
                self._left[channel] = now
            elif now - since > LINGER_S:
                del self._left[channel]
                self._drop(channel)

    def close(self) -> None:
        """The owner has ended: so have all watches."""
        watches = [watch for channel in self._channels.values() for watch in channel.watches]
        for container in (self._channels, self._lists, self._by_run, self._left):
            container.clear()
        for watch in watches:
            if not watch.closed:
                watch.closed = True
                watch.ring()
        taps, self._taps = self._taps, []
        for tap in taps:
            tap(None, (), -1)

    def take(self, digest: Digest) -> None:
        """That is durable: know it, and wake who waits for it."""
        self.last = change = digest.change
        runs = set(digest.runs)
        for env_id, tag, run_id in digest.tags:
            for channel in self._lists.get(("tag", env_id, tag), ()):
                self._join(channel, run_id)
        if self._lists:
            for run_id, batch_id in digest.batches:
                for channel in self._lists.get(("batch", batch_id), ()):
                    self._join(channel, run_id)
        rung: dict[_Channel, None] = {}
        for run_id in self._by_run.keys() & runs:
            for channel in self._by_run[run_id]:
                channel.note(run_id, change)
                rung[channel] = None
        for channel in self._lists.get(("env",), ()):
            for run_id in runs:
                channel.note(run_id, change)
            if runs:
                rung[channel] = None
        for channel in rung:
            channel.ring()

    def _open(self, topic: Topic) -> _Channel:
        channel = self._channels[topic] = _Channel(topic)
        for part in _parts(topic):
            self._lists.setdefault(part, []).append(channel)
        if topic[0] == "run":
            self._join(channel, topic[1])
        if not channel.is_list and self.is_begun.is_set():
            channel.floor = self.last
        return channel

    def _join(self, channel: _Channel, run_id: str) -> None:
        if run_id in channel.runs:
            return
        channel.runs[run_id] = None
        self._by_run.setdefault(run_id, []).append(channel)
        if len(channel.runs) > KEPT:
            self._part(channel, next(iter(channel.runs)))

    def _part(self, channel: _Channel, run_id: str) -> None:
        del channel.runs[run_id]
        channels = self._by_run[run_id]
        channels.remove(channel)
        if not channels:
            del self._by_run[run_id]

    def _drop(self, channel: _Channel) -> None:
        del self._channels[channel.topic]
        for part in _parts(channel.topic):
            channels = self._lists[part]
            channels.remove(channel)
            if not channels:
                del self._lists[part]
        for run_id in list(channel.runs):
            self._part(channel, run_id)


class _Channel:
    """One topic that somebody watches, or did a moment ago.

    `runs` are those it hears of, `changed` the numbers of their last changes in order, which are
    complete above `floor`; without a floor they are not. `rings` counts what has happened.
    """

    __slots__ = ("changed", "floor", "is_list", "rings", "runs", "topic", "watches")

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.is_list = topic[0] in ("tag", "batch")
        self.rings = 0
        self.floor: int | None = None
        self.runs: dict[str, None] = {}
        self.changed: dict[str, int] = {}
        self.watches: dict[Watch, None] = {}

    def note(self, run_id: str, change: int) -> None:
        self.changed.pop(run_id, None)
        self.changed[run_id] = change
        if len(self.changed) > KEPT:
            lost = self.changed.pop(next(iter(self.changed)))
            self.floor = max(self.floor or 0, lost)

    def ring(self) -> None:
        self.rings += 1
        for watch in list(self.watches):
            watch.ring()


def _parts(topic: Topic) -> list[Topic]:
    """Under which names a list hears of new runs; none for what is no list."""
    if topic[0] == "tag":
        return [("tag", topic[1], tag) for tag in topic[2:]]
    if topic[0] == "batch":
        return [topic]
    return [("env",)] if topic[0] == "env" else []
