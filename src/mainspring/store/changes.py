"""Everything that one grouped commit of a shard writes, as rows. No SQL and no decisions.

The engine appends plain tuples; the store runs one statement per non-empty list, in the order of
`PLAN`, inside one fenced transaction. Two changes of one run never share a list; changes of one run
in several lists must make sense in that order.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

Row = tuple[Any, ...]

PLAN: Final = (
    "drop_active",
    "drop_ready",
    "drop_parked",
    "drop_timer",
    "drop_edge",
    "done",
    "drop_key",
    "drop_debounce",
    "run",
    "payload",
    "options",
    "key",
    "request",
    "batch",
    "batch_item",
    "debounce",
    "tag",
    "mark",
    "caller",
    "fault",
    "metadata",
    "document",
    "journal",
    "copy_journal",
    "edge",
    "waitpoint",
    "end_waitpoint",
    "input",
    "copy_input",
    "stream",
    "chunk",
    "park",
    "timer",
    "ready",
    "start",
    "cancel",
    "claim",
    "pin",
    "rate",
    "drop_inbox",
    "bulk",
    "drop_schedule",
    "schedule",
    "tick",
    "deployment",
    "promotion",
)
"""The lists in the order in which their statements run; also the names of the statements."""

REFERRING: Final = {
    "done": (8,),
    "run": (7,),
    "payload": (2,),
    "journal": (10,),
    "end_waitpoint": (3,),
    "input": (4,),
    "deployment": (6, 9),
}
"""Which values of a row are references to stored objects; `debounce` has them in its payload."""

EXACT: Final = frozenset(
    {
        "drop_active",
        "drop_ready",
        "drop_parked",
        "cancel",
        "claim",
        "done",
        "start",
        "ready",
        "park",
        "chunk",
        "tick",
    }
)
"""Lists whose statement must touch as many rows as were given; otherwise the commit is rejected,
because the owner's memory and the rows disagree."""


class Changes:
    """One commit's rows. The comment behind each list gives the columns; `shard_id` is implied.

    `change` is the commit's number, greater than that of every commit of the shard before it: rows
    that a subscriber can see of a run keep it.
    """

    __slots__ = (*PLAN, "change", "now")

    now: int
    change: int
    drop_active: list[Row]  # run_id, epoch
    drop_ready: list[Row]  # run_id
    drop_parked: list[Row]  # run_id
    drop_timer: list[Row]  # fire_at, kind, run_id
    drop_edge: list[Row]  # run_id, key, waitpoint_id
    # run_id, env_id, task, queue, status, epoch, attempt, output, output_ref, error,
    # started_at, finished_at, active_ms
    done: list[Row]
    drop_key: list[Row]  # env_id, task, key, run_id
    drop_debounce: list[Row]  # env_id, task, key
    # run_id, env_id, task, queue, ckey, version, payload, payload_ref, options, parent_id,
    # root_id, depth, batch_id, is_test, created_at
    run: list[Row]
    payload: list[Row]  # run_id, payload, payload_ref
    options: list[Row]  # run_id, options
    key: list[Row]  # env_id, task, key, run_id, expires_at (replaces the old row)
    request: list[Row]  # slot, env_id, key, answer (the first of a slot and key stays)
    batch: list[Row]  # the columns of `store.batching.BatchRow` (replaces the old row)
    batch_item: list[Row]  # the columns of `store.batching.ItemRow`
    # env_id, task, key, run_id, first_at, due_at, payload (replaces the old row)
    debounce: list[Row]
    tag: list[Row]  # env_id, tag, run_id
    mark: list[Row]  # env_id, kind, value, run_id
    caller: list[Row]  # run_id, env_id, trace_id
    # env_id, fingerprint, task, name, place, message, how many, at, run_id, version, created_at of
    # that run (one row for each group)
    fault: list[Row]
    metadata: list[Row]  # run_id, metadata, updated_at (replaces the old row)
    # run_id, metadata, updated_at, epoch, frame (replaces the old row)
    document: list[Row]
    # run_id, key, generation, kind, epoch, status, data, started_at, ended_at, seq, data_ref,
    # fingerprint (the first of a key and generation stays)
    journal: list[Row]
    # run_id, key, waitpoint_id, kind, generation, seq, due_at, data, fingerprint, created_at
    # (the first of a key and waitpoint stays)
    edge: list[Row]
    # run_id, generation, source_id, source_generation, below (seq); after `journal`, whose
    # entries stay
    copy_journal: list[Row]
    # waitpoint_id, env_id, idempotency_key, idempotency_expires_at, tags, created_at,
    # timeout_at
    waitpoint: list[Row]
    # waitpoint_id, status, output, output_ref, completed_at; only while it waits
    end_waitpoint: list[Row]
    input: list[Row]  # run_id, stream, number, data, data_ref, created_at
    copy_input: list[Row]  # run_id, source_id
    stream: list[Row]  # run_id, stream, created_at (what is there stays)
    # run_id, stream, number, data, epoch, writer, place, created_at
    chunk: list[Row]
    # run_id, env_id, queue, ckey, version, ord, kind, due_at, epoch, attempt, started_at,
    # active_ms, session_id
    park: list[Row]
    timer: list[Row]  # fire_at, kind, run_id
    # run_id, env_id, queue, ckey, version, ord, resume, epoch, attempt, started_at, active_ms
    ready: list[Row]
    # run_id, env_id, queue, ckey, version, ord, session_id, epoch, attempt, started_at,
    # claimed_at, active_ms
    start: list[Row]
    cancel: list[Row]  # run_id, epoch, cancel_at
    claim: list[Row]  # run_id, session_id, version; moves ready -> active, epoch + 1
    pin: list[Row]  # run_id, version
    rate: list[Row]  # env_id, queue, key, tat
    drop_inbox: list[Row]  # inbox_id
    bulk: list[Row]  # the columns of `store.operating.BulkRow` (replaces the old row)
    drop_schedule: list[Row]  # schedule_id
    schedule: list[Row]  # the columns of `ScheduleRow` (replaces the old row)
    tick: list[Row]  # schedule_id, tick that is fired, next_at, fire_at, last_at, active
    # env_id, version, deployment_id, created_at, seen_at, external_id, bundle_ref, bundle_hash,
    # bundle_size, manifest_ref, runtime
    deployment: list[Row]
    promotion: list[Row]  # env_id, number, version, promoted_at

    def __init__(self, now: int, change: int = 0) -> None:
        self.now = now
        self.change = change
        for name in PLAN:
            setattr(self, name, [])


class Claimed(Struct, array_like=True, gc=False):
    """A run that this commit moved from ready to active, with what its worker needs.
    `options` is JSON of `store.changes.RunOptions` or "" for none.
    """

    run_id: str
    epoch: int
    attempt: int
    started_at: int
    active_ms: int
    task: str
    payload: str | None
    payload_ref: str | None
    options: str
    parent_id: str | None
    root_id: str | None
    depth: int
    is_test: int
    created_at: int


class RunOptions(Struct, omit_defaults=True):
    """What a run keeps of its trigger's options; stored as JSON in `run.options`.

    `pinned`: its version was chosen by who triggered it.
    """

    max_attempts: int | None = None
    max_duration_ms: int | None = None
    ttl_ms: int | None = None
    priority_ms: int = 0
    machine: str | None = None
    tags: tuple[str, ...] = ()
    has_metadata: bool = False
    idempotency_key: str | None = None
    idempotency_shown: str | None = None
    debounce_key: str | None = None
    replay_of: str | None = None
    region: str | None = None
    schedule_id: str | None = None
    bulk_id: str | None = None
    awaited: bool = False
    trace: str | None = None
    pinned: bool = False
