"""Requests and responses of queues: how deep they are, by which keys, and what people set for them.

They are part of the table in `wire.calls`, through which they are used.
"""

from __future__ import annotations

from msgspec import Struct


class ListQueues(Struct, tag="queues"):
    """→ QueueList."""


class ListKeys(Struct, tag="queue_keys"):
    """The concurrency keys of a queue that have runs waiting or running → KeyList. Raises:
    NotFound.
    """

    name: str
    limit: int = 50


class QueueKey(Struct):
    """A concurrency key as it stands, "" for runs without one. `oldest_at` is when the run that
    goes first became ready, earlier by its priority.
    """

    key: str
    queued: int
    running: int
    limit: int | None = None
    paused: bool = False
    oldest_at: int | None = None


class KeyList(Struct):
    """The keys with the most runs waiting. `more`: the queue has more keys than are shown; of very
    many only some were looked at.
    """

    keys: list[QueueKey]
    more: bool = False


class PauseQueue(Struct, tag="pause_queue"):
    """Pause or resume → Queue."""

    name: str
    paused: bool


class SetQueue(Struct, tag="set_queue"):
    """Override the limit of a queue, by a number or as `percent` of the environment's, or with
    `reset` go back to the code's own → Queue.
    """

    name: str
    limit: int | None = None
    reset: bool = False
    percent: float | None = None


class Queue(Struct):
    """A queue as it stands. `limit` is in force, `base_limit` the code's own. `oldest_at` is when
    the run became ready that waits longest, as `QueueKey` has it; of very many keys only some are
    looked at.
    """

    name: str
    queued: int = 0
    running: int = 0
    paused: bool = False
    limit: int | None = None
    base_limit: int | None = None
    override_limit: int | None = None
    override_at: int | None = None
    total: int | None = None
    rate: str | None = None
    oldest_at: int | None = None


class QueueList(Struct):
    queues: list[Queue]


QueueRequest = ListQueues | ListKeys | PauseQueue | SetQueue
QueueResponse = QueueList | KeyList | Queue
QUEUEING: dict[type[Struct], type[Struct]] = {
    ListQueues: QueueList,
    ListKeys: KeyList,
    PauseQueue: Queue,
    SetQueue: Queue,
}
