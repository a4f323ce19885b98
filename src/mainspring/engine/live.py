"""Runs that hold a slot, as the owner keeps them in memory. No decisions and no storage."""

from __future__ import annotations

from mainspring.dispatch.nodes import Lane
from mainspring.engine.session import Session
from mainspring.model.task import TaskSpec
from mainspring.store.changes import RunOptions
from mainspring.wire.worker import Entry


class Live:
    """One active run; its row is in `active` or in the commit under way.

    Attributes:
        begun: the worker said that the body runs (or ended); until then a claim may be withdrawn.
        cancel_at: when a cancel was acknowledged; the run can only end in canceled then.
        cancel_seen: monotonic seconds of when this owner learned of it.
        spec: None when the task is not registered any more.
        waited: it may have open waits of this attempt or, beyond epoch 1, of earlier ones.
        before: the epoch in which its session parked it, when its order is to go on; else 0.
        version: the one that the run is pinned to from this claim on; "" = none.
        untold: outcomes to be told with the order, which is being put together; None = it is given.
    """

    __slots__ = (
        "active_ms",
        "attempt",
        "before",
        "begun",
        "cancel_at",
        "cancel_seen",
        "claimed_at",
        "created_at",
        "depth",
        "epoch",
        "lane",
        "options",
        "ord",
        "parent_id",
        "resume",
        "revoked_at",
        "root_id",
        "run_id",
        "session",
        "spec",
        "started_at",
        "task",
        "untold",
        "version",
        "waited",
    )  # fmt: skip

    def __init__(
        self,
        run_id: str,
        epoch: int,
        attempt: int,
        lane: Lane,
        ord: int,
        session: Session,
        spec: TaskSpec | None,
        task: str,
    ) -> None:
        self.run_id = run_id
        self.epoch = epoch
        self.attempt = attempt
        self.lane = lane
        self.ord = ord
        self.session = session
        self.spec = spec
        self.task = task
        self.version = lane.version
        self.options: RunOptions | None = None
        self.resume = False
        self.begun = False
        self.cancel_at: int | None = None
        self.cancel_seen = 0.0
        self.revoked_at: float | None = None
        self.claimed_at = 0
        self.started_at = 0
        self.created_at = 0
        self.active_ms = 0
        self.parent_id: str | None = None
        self.root_id: str | None = None
        self.depth = 0
        self.waited = False
        self.before = 0
        self.untold: list[Entry] | None = None

    @property
    def env_id(self) -> int:
        return self.lane.key.queue.env.id

    @property
    def queue(self) -> str:
        return self.lane.key.queue.name

    @property
    def ckey(self) -> str:
        return self.lane.key.name
