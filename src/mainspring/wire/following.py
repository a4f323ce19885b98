"""Requests that follow runs and logs as they change. Part of the table in `wire.calls`."""

from __future__ import annotations

from msgspec import Struct

from mainspring.model.run import Run


class AwaitRuns(Struct, tag="follow"):
    """Runs that have changed since, each once and as it is now, in the order of their changes →
    ChangedRuns, once there are some or `timeout_ms` have passed.

    Exactly one of `run_id`, `tags` (runs that have all of them) and `batch_id`. `after` and
    `beside` are where the page before has ended; 0 = the runs as they are now, of a list the newest
    1,000 that were created since `created_from`.
    """

    run_id: str | None = None
    tags: tuple[str, ...] = ()
    batch_id: str | None = None
    after: int = 0
    beside: str = ""
    created_from: int | None = None
    timeout_ms: int = 0


class ChangedRuns(Struct):
    """`after` and `beside` are where to go on."""

    runs: list[Run]
    after: int
    beside: str = ""
