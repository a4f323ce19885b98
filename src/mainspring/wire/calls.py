"""What the SDK asks an engine for, whatever transport carries it: requests and their responses.

The same structs serve all three transports: in process (passed as they are), the worker's link
(msgpack), and HTTP (where the SDK maps each to its public route).
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from mainspring.errors import MainspringError, from_code
from mainspring.model.run import (
    Run,
    RunFilter,
    RunPage,
    TriggerAnswer,
    TriggerOptions,
    TriggerRequest,
)
from mainspring.wire.batches import (
    BATCHES,
    AddItems as AddItems,
    BatchItem as BatchItem,
    BatchMade as BatchMade,
    BatchRequest,
    BatchResponse,
    BatchRuns as BatchRuns,
    BatchState as BatchState,
    CreateBatch as CreateBatch,
    ItemError as ItemError,
    ItemsAdded as ItemsAdded,
    ListBatchRuns as ListBatchRuns,
    RetrieveBatch as RetrieveBatch,
)
from mainspring.wire.durable import (
    CompleteToken as CompleteToken,
    CreateToken as CreateToken,
    EmitEvent as EmitEvent,
    GetOutcomes as GetOutcomes,
    GetToken as GetToken,
    Journal as Journal,
    JournalLine as JournalLine,
    ListJournal as ListJournal,
    ListTokens as ListTokens,
    Outcome as Outcome,
    Outcomes as Outcomes,
    RestartRun as RestartRun,
    SendInput as SendInput,
    Sent as Sent,
    SettleRun as SettleRun,
    Token as Token,
    TokenPage as TokenPage,
    UpdateMetadata as UpdateMetadata,
    Waiter as Waiter,
)
from mainspring.wire.following import AwaitRuns as AwaitRuns, ChangedRuns as ChangedRuns
from mainspring.wire.operating import OPERATING, OperatingRequest, OperatingResponse
from mainspring.wire.queueing import (
    QUEUEING,
    KeyList as KeyList,
    ListKeys as ListKeys,
    ListQueues as ListQueues,
    PauseQueue as PauseQueue,
    Queue as Queue,
    QueueKey as QueueKey,
    QueueList as QueueList,
    QueueRequest as QueueRequest,
    QueueResponse,
    SetQueue as SetQueue,
)
from mainspring.wire.streams import (
    STREAMS,
    AppendChunks as AppendChunks,
    Chunk as Chunk,
    FindRun as FindRun,
    FindStream as FindStream,
    ReadStream as ReadStream,
    RunPlace as RunPlace,
    StreamHead as StreamHead,
    StreamPage as StreamPage,
    StreamRequest,
    StreamResponse,
)
from mainspring.wire.variables import (
    DropVariable as DropVariable,
    ListVariables as ListVariables,
    SetVariables as SetVariables,
    Variable as Variable,
    VariableList as VariableList,
    Written as Written,
)


class Fault(Struct, array_like=True):
    """An error on its way to the caller."""

    code: str
    message: str
    details: Any = None

    @classmethod
    def of(cls, error: MainspringError) -> Fault:
        return cls(error.code, error.message, error.details)

    def error(self) -> MainspringError:
        return from_code(self.code, self.message, self.details)


class Trigger(Struct, tag="trigger"):
    """Make runs, at most 1,000. All or none is stored; a bad item fails the whole call before
    anything is written.

    With `key`, a journal key of the run whose code asks, the runs are kept in its journal in the
    same commit, and the same key gives the same runs for ever. `seq` and `fingerprint` as in
    `wire.worker.Entry`.

    `as_batch` makes them a batch too, full from the start. A repeat with the same `request_key`
    gives that batch and its runs.
    """

    requests: list[TriggerRequest]
    key: str | None = None
    seq: int = 0
    generation: int = 0
    fingerprint: str = ""
    as_batch: bool = False
    request_key: str | None = None


class Triggered(Struct):
    """Answers in the order of the requests; `batch_id` when they were to be a batch."""

    answers: list[TriggerAnswer]
    batch_id: str | None = None


class Retrieve(Struct, tag="retrieve"):
    """One run → Run."""

    run_id: str


class AwaitRun(Struct, tag="await"):
    """Wait for its end, at most `timeout_ms` → Run; without payload and tags unless `whole`.
    `brief`: a run asks, and gives its slot back if it has to wait on.
    """

    run_id: str
    timeout_ms: int
    whole: bool = True
    brief: bool = False


class ListRuns(Struct, tag="list"):
    """→ RunPage."""

    filter: RunFilter


class CancelRun(Struct, tag="cancel"):
    """Cancel → Run. Harmless on a finished run."""

    run_id: str


class ReplayRun(Struct, tag="replay"):
    """A new run with the same task, payload and options → TriggerAnswer.
    `payload` (JSON text) replaces the old one when given, and `options` those of its fields that
    `given` names. A repeat with the same `request_key`
    answers with the same run.
    """

    run_id: str
    payload: str | None = None
    request_key: str | None = None
    options: TriggerOptions = field(default_factory=TriggerOptions)
    given: tuple[str, ...] = ()


class RescheduleRun(Struct, tag="reschedule"):
    """A new time for a delayed run → Run. Exactly one of the two is set (ms, epoch ms)."""

    run_id: str
    delay_ms: int | None = None
    delay_until: int | None = None


class AddTags(Struct, tag="tags"):
    """Add tags to a run → Run."""

    run_id: str
    tags: tuple[str, ...]


class ResetKey(Struct, tag="reset_key"):
    """Forget an idempotency key → TriggerAnswer with the run that held it. Raises NotFound."""

    task: str
    key: str


class ExplainRun(Struct, tag="explain"):
    """Why the run is not running → Explanation."""

    run_id: str


class Explanation(Struct):
    """`gate` is a word (nothing, delayed, paused_queue, paused_environment, environment_limit,
    queue_limit, queue_total, key_limit, rate_limit, no_worker, behind, executing, finished …),
    `text` a sentence for people. `holders` are run ids that hold the gate's slots, at most 10.
    """

    run_id: str
    gate: str
    text: str
    position: int | None = None
    running: int | None = None
    limit: int | None = None
    starts_at: int | None = None
    holders: tuple[str, ...] = ()


class ListTasks(Struct, tag="tasks"):
    """→ TaskList: what workers registered in this environment."""


class Task(Struct):
    """A registered task; `spec` is `model.task.TaskSpec` as JSON-ready dict."""

    id: str
    queue: str
    version: str
    description: str
    payload_schema: dict[str, Any] | None
    spec: dict[str, Any]
    workers: int = 0


class TaskList(Struct):
    tasks: list[Task]


class ListLogs(Struct, tag="logs"):
    """Lines of a run after `after` (0 = from the start), at most `limit` → LogPage, once there are
    some, the run has ended, or `timeout_ms` have passed.
    """

    run_id: str
    after: int = 0
    limit: int = 1000
    timeout_ms: int = 0


class LogEntry(Struct):
    """`seq` grows within the run."""

    seq: int
    at: int
    level: str
    message: str
    data: str | None = None


class LogPage(Struct):
    """`ended`: the run has ended, and nothing comes after these lines."""

    lines: list[LogEntry]
    ended: bool = False


Request = (
    OperatingRequest
    | Trigger
    | Retrieve
    | AwaitRun
    | ListRuns
    | CancelRun
    | ReplayRun
    | BatchRequest
    | RescheduleRun
    | AddTags
    | ResetKey
    | ExplainRun
    | QueueRequest
    | ListTasks
    | ListLogs
    | GetOutcomes
    | ListJournal
    | RestartRun
    | SettleRun
    | CreateToken
    | GetToken
    | CompleteToken
    | ListTokens
    | SendInput
    | EmitEvent
    | UpdateMetadata
    | AwaitRuns
    | StreamRequest
    | ListVariables
    | SetVariables
    | DropVariable
)
Response = (
    OperatingResponse
    | Triggered
    | Run
    | RunPage
    | TriggerAnswer
    | BatchResponse
    | Explanation
    | QueueResponse
    | TaskList
    | LogPage
    | Outcomes
    | Journal
    | Token
    | TokenPage
    | Sent
    | ChangedRuns
    | StreamResponse
    | VariableList
    | Written
)

Patient = AwaitRun | AwaitRuns | ListLogs | ReadStream
"""Requests whose answer may take as long as their `timeout_ms`."""

RESPONSES: dict[type[Struct], type[Struct]] = {
    **OPERATING,
    Trigger: Triggered,
    Retrieve: Run,
    AwaitRun: Run,
    ListRuns: RunPage,
    CancelRun: Run,
    ReplayRun: TriggerAnswer,
    **BATCHES,
    RescheduleRun: Run,
    AddTags: Run,
    ResetKey: TriggerAnswer,
    ExplainRun: Explanation,
    **QUEUEING,
    ListTasks: TaskList,
    ListLogs: LogPage,
    GetOutcomes: Outcomes,
    ListJournal: Journal,
    RestartRun: TriggerAnswer,
    SettleRun: Run,
    CreateToken: Token,
    GetToken: Token,
    CompleteToken: Token,
    ListTokens: TokenPage,
    SendInput: Sent,
    EmitEvent: Sent,
    UpdateMetadata: Run,
    AwaitRuns: ChangedRuns,
    **STREAMS,
    ListVariables: VariableList,
    SetVariables: Written,
    DropVariable: Written,
}
"""Which struct answers which request."""
