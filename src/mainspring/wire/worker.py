"""Messages between a server and a worker session; msgpack arrays, many in one frame.

A session is one process start of a worker child. Frames from the worker are numbered; the server
acknowledges a number once everything up to that frame is durable. After a lost connection the
worker sends its unacknowledged frames again, and each message is safe to repeat.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct

from mainspring.model.run import RunError
from mainspring.model.task import QueueSpec, TaskSpec
from mainspring.wire.telling import ToldMetric, ToldSpan

PROTOCOL: Final = 1
BEAT_S: Final = 5.0
LEASE_S: Final = 15.0
CLAIM_ACK_S: Final = 10.0


class Hello(Struct, array_like=True, tag="hello"):
    """The first message of a link. `acked` is the last acknowledged frame number the worker knows;
    `runs` are the (run id, epoch) pairs it holds, for reconciling after a reconnect; `parked` those
    whose live coroutines wait in it without a slot, with the epoch they had when they parked.
    `apart`: it can execute any run in a process of its own. `link`: which one of the session this
    is, from 1 on; 0 = it does not count them.
    """

    protocol: int
    session_id: str
    slots: int
    version: str
    tasks: list[TaskSpec]
    queues: list[QueueSpec]
    host: str = ""
    pid: int = 0
    runs: list[tuple[str, int]] = []
    parked: list[tuple[str, int]] = []
    apart: bool = False
    link: int = 0


class Started(Struct, array_like=True, tag="started", gc=False):
    """The bodies of these (run id, epoch) pairs have begun."""

    runs: list[tuple[str, int]]


class Finished(Struct, array_like=True, tag="fin", gc=False):
    """An attempt ended. `outcome`: completed, failed, aborted, retry, canceled, timed_out,
    crashed, invalid_payload, continued, diverged. `output` is JSON text when completed, the payload
    of the fresh journal when continued. `retry_after_ms` is the task's own wish. `active_ms` is the
    time the body ran. `machine` is the preset that the next attempt asks for.
    """

    run_id: str
    epoch: int
    outcome: str
    output: str | None = None
    error: RunError | None = None
    retry_after_ms: int | None = None
    active_ms: int = 0
    machine: str | None = None


class Entry(Struct, array_like=True, gc=False):
    """One line of a run's journal: what happened, and what the code was told.

    `key` is scope, name and ordinal (`0/charge#1`), unique in the run and generation. `seq` grows
    with the order in which the code came to it. `kind`: step, checkpoint, trigger, time, run,
    token, event, input. `status`: completed, failed, timed_out. `data` is JSON text, or None when
    `ref` names the stored object that holds it; for a trigger `[[run id, cached], …]`, for a failed
    step a `RunError`. A failed step's key ends in `!` and the attempt: it counts for that attempt
    only. `fingerprint` tells what was called with what. Times are epoch ms.
    """

    key: str
    seq: int
    kind: str
    status: str = "completed"
    data: str | None = None
    ref: str | None = None
    fingerprint: str = ""
    started_at: int = 0
    ended_at: int = 0


class Record(Struct, array_like=True, tag="rec", gc=False):
    """Entries that the code of a run has made; they are durable when their frame is."""

    run_id: str
    epoch: int
    generation: int
    entries: list[Entry]


class Wait(Struct, array_like=True, tag="wait", gc=False):
    """The code of a run begins to wait, durably, under that journal key; it keeps its slot.

    `kind`: time (`points` empty), run (ids of children; resolved once all have ended), token (one
    waitpoint id), event (its name; `data` = JSON object of fields that must be equal, or None),
    input (stream name; `number` = which of its records, from 1). At most one of `after_ms` (counted
    by the server) and `due_at` (epoch ms): the end of a wait for time, the time-out of another.
    A repeat, also of a later epoch, changes nothing. The answer is an Entry of this key.
    """

    run_id: str
    epoch: int
    generation: int
    key: str
    seq: int
    kind: str
    points: list[str] = []
    after_ms: int | None = None
    due_at: int | None = None
    data: str | None = None
    number: int = 0
    fingerprint: str = ""


class Park(Struct, array_like=True, tag="park", gc=False):
    """All code of the run is in the durable waits `keys`: its slot may go. `active_ms` is the time
    the body ran since it was claimed. Ignored when one of the waits is resolved already.
    """

    run_id: str
    epoch: int
    keys: list[str]
    active_ms: int = 0


class Dropped(Struct, array_like=True, tag="dropped", gc=False):
    """The session has let go of these parked runs: they are resumed anywhere, from the journal."""

    runs: list[tuple[str, int]]


class Op(Struct, array_like=True, gc=False):
    """One change of metadata. `op`: set, delete, append, remove, increment, replace (path empty).
    `path` is a key or a JSON path (`$.a.b[0]`); `value` JSON text. `target`: self, parent, root.
    """

    op: str
    path: str
    value: str | None = None
    target: str = "self"


class Update(Struct, array_like=True, tag="update", gc=False):
    """Changes of metadata in order, and tags to add."""

    run_id: str
    epoch: int
    ops: list[Op] = []
    tags: tuple[str, ...] = ()


class Append(Struct, array_like=True, tag="append", gc=False):
    """Chunks (JSON text) for a stream of the run, or of the run `target`. `since` is the epoch in
    which the code began that writes them; `first` is the place of the first one among all chunks
    that it has sent for that stream, from 0.
    """

    run_id: str
    epoch: int
    stream: str
    since: int
    first: int
    chunks: list[str]
    target: str = ""


class Refused(Struct, array_like=True, tag="refused", gc=False):
    """Answer to Revoke: `refused` = the body had not started and never will (that epoch)."""

    run_id: str
    epoch: int
    refused: bool


class Call(Struct, array_like=True, tag="call"):
    """A request of the running code (trigger, retrieve, …): one of `wire.calls`, msgpack."""

    call_id: int
    body: Raw
    run_id: str | None = None
    epoch: int = 0


class LogLine(Struct, array_like=True, gc=False):
    """One line that a run wrote. `data` is JSON text or None."""

    run_id: str
    at: int
    level: str
    message: str
    data: str | None = None


class Told(Struct, array_like=True, tag="told"):
    """Spans that runs have made, and what they have measured since the last time. `dropped` counts
    what was too much.
    """

    spans: list[ToldSpan]
    metrics: list[ToldMetric]
    dropped: int = 0


class Logs(Struct, array_like=True, tag="logs"):
    """Lines written by runs, in order."""

    lines: list[LogLine]


class Capacity(Struct, array_like=True, tag="capacity", gc=False):
    """How many runs the session takes from now on; 0 = it drains."""

    slots: int


FromWorker = (
    Started
    | Finished
    | Refused
    | Call
    | Logs
    | Told
    | Capacity
    | Record
    | Wait
    | Park
    | Dropped
    | Update
    | Append
)


class Frame(Struct, array_like=True, tag="frame"):
    """What a worker sends at once; `number` counts from 1 within the session."""

    number: int
    messages: list[FromWorker]


class Execute(Struct, array_like=True, tag="run", gc=False):
    """Run this attempt. `payload` is JSON text; `metadata` JSON text or None. `journal` is what the
    run has behind it, by `seq`; of an earlier attempt only what completed counts.
    `trace` is the `traceparent` of whoever triggered it. `apart`: it may have ended processes, and
    gets one of its own where the session can make one.
    """

    run_id: str
    epoch: int
    attempt: int
    task: str
    payload: str
    queue: str
    concurrency_key: str = ""
    max_attempts: int = 3
    max_duration_ms: int | None = None
    created_at: int = 0
    tags: tuple[str, ...] = ()
    metadata: str | None = None
    idempotency_key: str | None = None
    parent_id: str | None = None
    root_id: str | None = None
    depth: int = 0
    is_test: bool = False
    version: str = ""
    priority_ms: int = 0
    active_ms: int = 0
    generation: int = 0
    journal: list[Entry] = []
    machine: str | None = None
    trace: str | None = None
    apart: bool = False


class Resume(Struct, array_like=True, tag="resume", gc=False):
    """A run that is parked in this session has a slot again: its code goes on, from now on as
    `epoch`. `entries` are the outcomes of waits that it has not been told (it may know some).
    A session that does not hold it answers Refused.
    """

    run_id: str
    epoch: int
    before: int
    entries: list[Entry]


class Resolved(Struct, array_like=True, tag="resolved", gc=False):
    """Outcomes of waits of a run that executes."""

    run_id: str
    epoch: int
    entries: list[Entry]


class Cancel(Struct, array_like=True, tag="cancel", gc=False):
    """End the body of that attempt, also a parked one: cancel it, and within the grace time answer
    Finished.
    """

    run_id: str
    epoch: int
    grace_ms: int = 30_000


class Revoke(Struct, array_like=True, tag="revoke", gc=False):
    """Take the order back when its body has not started; answer Refused."""

    run_id: str
    epoch: int


class Fenced(Struct, array_like=True, tag="fenced", gc=False):
    """That attempt is no longer this session's: stop its body, send nothing more of it."""

    run_id: str
    epoch: int


class Ack(Struct, array_like=True, tag="ack", gc=False):
    """Every frame up to `number` is durable."""

    number: int


class Answer(Struct, array_like=True, tag="answer"):
    """Answer to a Call: `body` is msgpack of the response, or of `wire.calls.Fault` when not ok."""

    call_id: int
    ok: bool
    body: Raw


class Welcome(Struct, array_like=True, tag="welcome"):
    """The session is accepted. `acked` is the last durable frame; the worker re-sends from there.
    `environment` is the slug (dev, prod, …).
    """

    environment: str
    lease_s: float
    acked: int = 0


class Goodbye(Struct, array_like=True, tag="goodbye"):
    """The session is over (reaped, refused, server stops); `retry` = connect again."""

    reason: str
    retry: bool


ToWorker = Execute | Resume | Resolved | Cancel | Revoke | Fenced | Ack | Answer | Welcome | Goodbye

encoder: Final = msgspec.msgpack.Encoder()
decode_hello: Final = msgspec.msgpack.Decoder(Hello).decode
decode_frame: Final = msgspec.msgpack.Decoder(Frame).decode
decode_orders: Final = msgspec.msgpack.Decoder(list[ToWorker]).decode
