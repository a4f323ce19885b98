"""What the owner of a shard keeps in memory; all of it can be rebuilt from the tables. No verbs."""

from __future__ import annotations

from asyncio import Future, Lock

from msgspec import Struct

from mainspring.clock import Clock
from mainspring.dispatch.core import Core
from mainspring.dispatch.limits import EnvironmentLimits, QueueLimits
from mainspring.dispatch.rate import RateLimit
from mainspring.dispatch.timers import Timers
from mainspring.engine.live import Live
from mainspring.engine.session import Pool, Session
from mainspring.ids import Bits, IdSource
from mainspring.model.deployment import awaited_version
from mainspring.model.run import Run
from mainspring.model.task import QueueSpec, TaskSpec, default_queue
from mainspring.store.protocol import EnvironmentRow, QueueRow
from mainspring.wire.worker import Entry, Hello

PoolKey = tuple[int, str]
"""(env_id, version)."""


class Await(Struct, eq=False):
    """The code of an active run awaits the end of another, in its slot; `brief`: for a moment.
    `stuck_at`: since when it looks as if that could never come, monotonic seconds.
    """

    run_id: str
    awaited: str
    future: Future[Run]
    brief: bool = False
    stuck_at: float | None = None


class Head(Struct):
    """Where a stream ends, the commit in flight included.

    `next` is the number of the next chunk, `places` what the run's own code has sent last, by its
    own count, under the name of each of its executions.
    """

    next: int
    places: dict[str, int] = {}


class State:
    """The memory of one shard: scheduler, active runs, sessions, catalog, and who awaits which run.

    Attributes:
        tasks: registered tasks by (env_id, task id), with their version.
        waiters: futures of callers that await the end of a run.
        awaits: those of them that are runs, `awaits_seen_at` when all were looked at last
            (monotonic seconds), `awaits_seen` held by who looks at any.
        current: the version that new runs of an environment get; none or "" = any.
        versions: the version by (env_id, external id of its deployment); `awaited_versions`, by
            (env_id, version), what stood for it in runs that were made before it.
        announced: what a worker of a version has said last.
        scheduling: held by who reads and writes a schedule; `setting` by who does so with a queue,
            `deploying` with a version. `bundles_at`: when the code of old versions is looked at.
        holders: sessions by the run whose coroutine is parked in them.
        outcomes: of ready runs that are resumed, what their waits have brought since they were
            parked; a run that is not in it has to be told from its journal.
        heads: where streams end, by (run id, stream), of those written lately.
        suspects: runs that may have ended processes. Their journals know it, too; here it is where
            they are placed.
        awaited: runs that another than the run that triggered them waits for; may name too many.
    """

    def __init__(self, shard_id: int, clock: Clock, bits: Bits) -> None:
        self.shard_id = shard_id
        self.clock = clock
        self.bits = bits
        self.ids = IdSource(bits)
        self.core = Core()
        self.timers = Timers()
        self.lives: dict[str, Live] = {}
        self.sessions: dict[str, Session] = {}
        self.pools: dict[PoolKey, Pool] = {}
        self.environments: dict[int, EnvironmentRow] = {}
        self.tasks: dict[tuple[int, str], tuple[TaskSpec, str]] = {}
        self.queues: dict[tuple[int, str], QueueRow] = {}
        self.waiters: dict[str, list[Future[Run]]] = {}
        self.awaits: list[Await] = []
        self.awaits_seen_at = 0.0
        self.awaits_seen = Lock()
        self.current: dict[int, str] = {}
        self.versions: dict[tuple[int, str], str] = {}
        self.awaited_versions: dict[PoolKey, str] = {}
        self.announced: dict[PoolKey, Hello] = {}
        self.deploying = Lock()
        self.bundles_at = 0
        self.scheduling = Lock()
        self.setting = Lock()
        self.holders: dict[str, Session] = {}
        self.outcomes: dict[str, list[Entry]] = {}
        self.awaited: set[str] = set()
        self.suspects: set[str] = set()
        self.heads: dict[tuple[str, str], Head] = {}

    def reset(self) -> None:
        """Forget what is rebuilt from the tables; links, holders, catalog and waiters stay."""
        self.core = Core()
        self.timers = Timers()
        self.lives = {}
        self.outcomes = {}
        self.awaited = set()
        self.heads = {}
        for session in self.sessions.values():
            session.holds = set()
        for environment in self.environments.values():
            self.set_environment(environment)
        for queue in self.queues.values():
            self.set_queue(queue)

    def set_environment(self, row: EnvironmentRow) -> None:
        """Know an environment and apply its limits."""
        self.environments[row.env_id] = row
        self.core.set_environment(
            row.env_id, EnvironmentLimits(limit=row.limit, burst=row.burst, paused=row.paused)
        )

    def set_queue(self, row: QueueRow) -> None:
        """Know a queue and apply its limits, live."""
        self.queues[row.env_id, row.spec.name] = row
        spec = row.spec
        rate = None
        if spec.rate is not None:
            rate = RateLimit(
                limit=spec.rate.limit,
                period_ms=spec.rate.period_ms,
                burst=spec.rate.burst or spec.rate.limit,
                per_key=spec.rate.per_key,
            )
        limit = spec.limit if row.override_at is None else row.override_limit
        limits = QueueLimits(
            limit=limit, total=spec.total, weight=spec.weight, rate=rate, paused=row.paused
        )
        self.core.set_queue(row.env_id, spec.name, limits)

    def set_task(self, env_id: int, spec: TaskSpec, version: str) -> None:
        """Know a task; its own queue comes into being with it."""
        self.tasks[env_id, spec.id] = (spec, version)
        name = spec.queue or default_queue(spec.id)
        if (env_id, name) not in self.queues:
            self.set_queue(QueueRow(env_id, QueueSpec(name)))

    def name_version(self, env_id: int, external_id: str, version: str) -> None:
        """Know which version a deployment is that runs may have been made for by its own id."""
        self.versions[env_id, external_id] = version
        self.awaited_versions[env_id, version] = awaited_version(external_id)

    def pool(self, session: Session) -> Pool:
        """The pool that a session belongs to."""
        return self.pools.setdefault((session.env_id, session.version), Pool())

    def session_for(self, env_id: int, version: str, task: str) -> Session | None:
        """A session with a free slot that may run this task and version ("" = the current one)."""
        version = version or self.current.get(env_id, "")
        for (pool_env, pool_version), pool in self.pools.items():
            if pool_env == env_id and (not version or version == pool_version):
                session = pool.pick(task)
                if session is not None:
                    return session
        return None

    def hold(self, session: Session, run_id: str, epoch: int) -> None:
        """Know that the coroutine of a run waits in a session, parked in that epoch."""
        if self.sessions.get(session.id) is session:
            self.let_go(run_id)
            session.parked[run_id] = epoch
            self.holders[run_id] = session

    def let_go(self, run_id: str) -> tuple[Session, int] | None:
        """Nobody has the coroutine of that run any more; returns who had it, of which epoch."""
        session = self.holders.pop(run_id, None)
        if session is None:
            return None
        return session, session.parked.pop(run_id)

    def chance(self) -> float:
        """A number in [0, 1) from the engine's own randomness."""
        return self.bits.getrandbits(53) / (1 << 53)
