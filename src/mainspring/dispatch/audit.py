"""Recounts everything that a core counts or keeps sorted. Repairs nothing."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from mainspring.dispatch.core import Core
from mainspring.dispatch.limits import PLAIN_KEY
from mainspring.dispatch.nodes import Environment, Key, Lane, Queue, Track


def audit(core: Core) -> list[str]:
    """Recount a core; returns one line per difference, none if all agree.

    Costs a step per waiting run in memory: for tests and for slices of a slow clock, not for the
    hot path. Every line names the node, the expected and the found value.
    """
    return [
        difference for env in core.tree.environments.values() for difference in _environment(env)
    ]


def audit_queue(queue: Queue) -> list[str]:
    """Recount one queue; costs a step per run in its windows."""
    return list(_queue(queue))


def _environment(env: Environment) -> Iterator[str]:
    where = f"environment {env.id}"
    yield from _same(where, "running", sum(q.running for q in env.queues.values()), env.running)
    yield from _same(where, "cap", env.limits.cap, env.cap)
    for version, turns in env.tracks.items():
        standing = [*turns.line, *(entry[2] for entry in turns.heap)]
        yield from _same(where, f"tracks of {version!r} twice", len(set(standing)), len(standing))
        for track in standing:
            yield from _same(where, f"{track.queue.name!r} listed", True, track.listed)
    for queue in env.queues.values():
        yield from _queue(queue)


def _queue(queue: Queue) -> Iterator[str]:
    where = f"queue {queue.name!r}"
    keys = queue.keys.values()
    lanes = [lane for key in keys for lane in key.lanes()]
    yield from _same(where, "running", sum(key.running for key in keys), queue.running)
    yield from _same(where, "queued", sum(lane.queued for lane in lanes), queue.queued)
    yield from _same(where, "cap", queue.limits.cap(queue.env.limits), queue.cap)
    standing: set[Lane] = set()
    for track in queue.tracks.values():
        standing |= yield from _track(track)
    for key in keys:
        yield from _key(key)
        for lane in key.lanes():
            yield from _lane(lane, lane in standing)


def _track(track: Track) -> Generator[str, None, set[Lane]]:
    where = f"track {track.queue.name!r} {track.version!r}"
    queue = track.queue
    standing = [*track.line, *(entry[2] for entry in track.heap)]
    tags = [lane.tag for lane in track.line]
    yield from _same(where, "order", sorted(tags), tags)
    yield from _same(where, "lanes twice", len(set(standing)), len(standing))
    may_go = queue.running < queue.cap and bool(track.resuming if queue.wake_at else standing)
    if may_go:
        yield from _same(where, "listed", True, track.listed)
    return set(standing)


def _key(key: Key) -> Iterator[str]:
    where = f"key {key.queue.name!r} {key.name!r}"
    limits = key.queue.key_limits.get(key.name, PLAIN_KEY)
    yield from _same(where, "cap", limits.cap(key.queue.limits), key.cap)
    if key.running < 0:
        yield f"{where}: running is {key.running}"
    if key.name and not key.running and all(lane.idle and not lane.listed for lane in key.lanes()):
        yield f"{where}: idle, but kept"


def _lane(lane: Lane, standing: bool) -> Iterator[str]:
    where = f"lane {lane.address}"
    key, queue, waiting = lane.key, lane.key.queue, lane.items[lane.head :]
    yield from _same(where, "listed", standing, lane.listed)
    yield from _same(where, "order", sorted(set(waiting)), waiting)
    if lane.end is None:
        yield from _same(where, "beyond a closed window", 0, lane.beyond)
    elif waiting and waiting[-1] > lane.end:
        yield f"{where}: {waiting[-1]} lies after the end {lane.end}"
    if key.running < key.cap and (lane.resumes or (waiting and not key.wake_at)):
        yield from _same(where, "may go, listed", True, standing)
    if lane.resumes and key.running < key.cap and queue.rate and not queue.rate.per_key:
        yield from _same(where, "resuming", True, lane in queue.tracks[lane.version].resuming)
    late = lane.reading.late if lane.reading is not None else []
    stray = set(lane.costs or ()) - {*waiting, *late}
    if stray:
        yield f"{where}: costs of runs that do not wait: {sorted(stray)}"


def _same(where: str, what: str, expected: object, found: object) -> Iterator[str]:
    if expected != found:
        yield f"{where}: {what} should be {expected}, is {found}"
