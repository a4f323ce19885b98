"""The store as the rooms above see it: small protocols and the rows they speak. No SQL.

Every coroutine may raise `StoreUnavailable`; nothing is half written then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from mainspring.model.run import Run, RunFilter
from mainspring.model.task import QueueSpec, TaskSpec
from mainspring.store.access import Access
from mainspring.store.batching import Batches
from mainspring.store.environment import EnvironmentRow as EnvironmentRow, QueueRow as QueueRow
from mainspring.store.leasing import Leases
from mainspring.store.measuring import Measuring
from mainspring.store.objects import Objects
from mainspring.store.observing import Observing
from mainspring.store.operating import Operating
from mainspring.store.past import Past
from mainspring.store.sharding import Shards as Shards
from mainspring.store.streaming import Streams
from mainspring.store.variables import Variables
from mainspring.store.versions import Versions
from mainspring.store.waiting import Waitpoints, Waits
from mainspring.wire.calls import LogEntry
from mainspring.wire.worker import LogLine

Lane = tuple[int, str, str, str]
"""(env_id, queue, concurrency key or "", version or "")."""


class LiveRow(Struct, array_like=True):
    """A row of `active`, `ready` or `parked`, joined with its run. `place` names the table.
    `kind`, `due_at` when parked (delay, retry, version, wait); `session_id`, `cancel_at` when
    active. A ready row that goes ahead of its lane has the kind "resume", other ready rows "".
    """

    place: str
    run_id: str
    env_id: int
    task: str
    queue: str
    ckey: str
    version: str
    ord: int
    epoch: int
    attempt: int
    started_at: int
    active_ms: int
    session_id: str
    cancel_at: int | None
    kind: str
    due_at: int
    options: str
    parent_id: str | None
    root_id: str | None
    depth: int
    created_at: int


class LaneCount(Struct, array_like=True):
    """How many new (not resumed) ready rows a lane has."""

    env_id: int
    queue: str
    ckey: str
    version: str
    queued: int


class KeyRow(Struct, array_like=True):
    """An idempotency key in force or lapsed; compare `expires_at`."""

    env_id: int
    task: str
    key: str
    run_id: str
    expires_at: int


class DebounceRow(Struct, array_like=True):
    """A debounced run that has not become ready. `payload` None = the run's own."""

    env_id: int
    task: str
    key: str
    run_id: str
    first_at: int
    due_at: int
    payload: str | None


class TimerRow(Struct, array_like=True):
    """Kinds: delay, retry, version, ttl, cascade; `wait:` and a wait's key; token (of that id)."""

    fire_at: int
    kind: str
    run_id: str


class InboxRow(Struct, array_like=True):
    """A trigger of a caller's own transaction; `options`: JSON of `model.run.TriggerOptions`."""

    inbox_id: str
    env_id: int
    run_id: str
    task: str
    payload: str
    options: str
    created_at: int


class RateRow(Struct, array_like=True):
    """Theoretical arrival time of a rate-limited queue or key, in the unit of `dispatch.rate`."""

    env_id: int
    queue: str
    key: str
    tat: int


class DocumentRow(Struct, array_like=True):
    """The metadata and tags of a run, live or ended. (`epoch`, `frame`) is the last frame of its
    own worker whose changes of metadata are in the rows; `tags` is a JSON list or None.
    """

    run_id: str
    env_id: int
    parent_id: str | None
    root_id: str | None
    metadata: str | None
    epoch: int
    frame: int
    tags: str | None


class Live(Protocol):
    """What the owner reads of its shard; consistent while no commit of the shard is in flight."""

    async def active(self, shard_id: int) -> list[LiveRow]:
        """Every active run."""
        ...

    async def holding(
        self, shard_id: int, after: str, limit: int
    ) -> list[tuple[str, int, int, str]]:
        """(run id, epoch, attempt, session id) of active runs after that id, in its order. It
        passes every row that was deleted and is not vacuumed yet.
        """
        ...

    async def held(self, shard_id: int, run_ids: Sequence[str]) -> list[tuple[str, int, int, str]]:
        """The same of those of these runs that are active, looked up by key."""
        ...

    async def locate(self, shard_id: int, run_ids: Sequence[str]) -> list[LiveRow]:
        """The live rows of these runs; ended and unknown ones are missing."""
        ...

    async def known(self, shard_id: int, run_ids: Sequence[str]) -> dict[str, str]:
        """Which of these runs exist: run id → final status, or "" while live."""
        ...

    async def done_epochs(self, shard_id: int, run_ids: Sequence[str]) -> dict[str, int]:
        """The epoch that ended each of these runs; live ones are missing."""
        ...

    async def lanes(self, shard_id: int) -> list[LaneCount]:
        """Lanes with ready rows (not resumed)."""
        ...

    async def resumes(self, shard_id: int) -> list[LiveRow]:
        """Ready rows with the resume flag."""
        ...

    async def refill(
        self, shard_id: int, wanted: Sequence[tuple[Lane, int, str, int]]
    ) -> list[list[tuple[int, str]]]:
        """For each (lane, ord, run id, n): up to n new ready rows strictly after (ord, run id), as
        (ord, run id) in order.
        """
        ...

    async def timers(
        self, shard_id: int, after: tuple[int, str, str], until: int, limit: int
    ) -> list[TimerRow]:
        """Timers after the cursor (fire_at, kind, run_id) and not later than `until`, in order."""
        ...

    async def keys(self, shard_id: int, wanted: Sequence[tuple[int, str, str]]) -> list[KeyRow]:
        """Idempotency rows of these (env_id, task, key)."""
        ...

    async def debounces(
        self, shard_id: int, wanted: Sequence[tuple[int, str, str]]
    ) -> list[DebounceRow]:
        """Debounce rows of these (env_id, task, key)."""
        ...

    async def rates(self, shard_id: int) -> list[RateRow]:
        """Every rate state of the shard."""
        ...

    async def inbox(self, shard_id: int, limit: int) -> list[InboxRow]:
        """The oldest inbox rows."""
        ...


class Runs(Protocol):
    """The read side for people and programs."""

    @property
    def observing(self) -> Observing:
        """What people look at across runs."""
        ...

    @property
    def measuring(self) -> Measuring: ...

    async def get(self, shard_id: int, env_id: int, run_id: str) -> Run | None:
        """One run with payload, output, error, tags and metadata; None when unknown or foreign."""
        ...

    async def many(self, shard_id: int, run_ids: Sequence[str]) -> list[Run]:
        """These runs as `get` gives them, unknown ones missing; for waking waiters."""
        ...

    async def page(self, shard_id: int, env_id: int, filter: RunFilter) -> list[Run]:
        """Newest first, at most `filter.limit` + 1 rows (the extra one tells of a next page);
        without payload, output and stack. `before` gives the rows just newer, also newest first.
        """
        ...

    async def briefs(self, shard_id: int, run_ids: Sequence[str]) -> list[Run]:
        """These runs as `page` gives them, in any order; unknown ones are missing."""
        ...

    async def latest(
        self, shard_id: int, env_id: int, tags: Sequence[str], batch_id: str | None, limit: int
    ) -> list[str]:
        """Ids of the newest runs of a batch, or with all of these tags (among the newest 20,000 of
        the first one), or of all; newest first.
        """
        ...

    async def children(self, shard_id: int, parent_id: str, after: str, limit: int) -> list[str]:
        """Ids of live or ended children after `after`, in id order."""
        ...

    async def documents(self, shard_id: int, run_ids: Sequence[str]) -> list[DocumentRow]:
        """Metadata and tags of these runs; unknown ones are missing."""
        ...

    async def append_logs(self, shard_id: int, lines: Sequence[LogLine]) -> None:
        """Store log lines; not fenced, append only."""
        ...

    async def logs(self, shard_id: int, run_id: str, after: int, limit: int) -> list[LogEntry]:
        """Lines of a run with seq > `after`, in order."""
        ...

    async def trigger_later(self, shard_id: int, row: InboxRow) -> None:
        """Write an inbox row (a process that is not the owner of a SQLite file)."""
        ...


class Catalog(Versions, Protocol):
    """Environments, tasks, queues and versions: small tables that every server reads."""

    async def environments(self) -> list[EnvironmentRow]: ...

    async def ensure_environment(self, slug: str) -> EnvironmentRow:
        """The environment with that slug, made with a shard of its own when missing."""
        ...

    async def tasks(self, env_id: int) -> list[tuple[TaskSpec, str]]:
        """(spec, version) of every registered task."""
        ...

    async def register(
        self, env_id: int, version: str, tasks: Sequence[TaskSpec], queues: Sequence[QueueSpec]
    ) -> None:
        """Insert or replace what a worker announced; queues keep what people changed."""
        ...

    async def queues(self, env_id: int) -> list[QueueRow]: ...

    async def set_queue(self, row: QueueRow) -> None:
        """Write pause and override of a queue; makes the row when missing."""
        ...


class Store(Protocol):
    """One database, opened and migrated. The record that the engine and the server are given."""

    @property
    def shards(self) -> Shards: ...
    @property
    def leases(self) -> Leases: ...
    @property
    def live(self) -> Live: ...
    @property
    def waits(self) -> Waits: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def catalog(self) -> Catalog: ...
    @property
    def waitpoints(self) -> Waitpoints: ...
    @property
    def operations(self) -> Operating: ...
    @property
    def access(self) -> Access: ...
    @property
    def batches(self) -> Batches: ...
    @property
    def objects(self) -> Objects: ...
    @property
    def variables(self) -> Variables: ...
    @property
    def streams(self) -> Streams: ...
    @property
    def past(self) -> Past: ...

    async def open(self) -> None:
        """Connect. Raises: StoreUnavailable, StoreInUse, SchemaMismatch."""
        ...

    async def close(self) -> None:
        """Finish what is in flight and disconnect; safe to call twice."""
        ...
