"""The whole exception tree, split by who must act. Nothing else lives here.

MainspringError
├── CallerError                 the caller must change the request
│   ├── InvalidPayload          the payload does not fit the task (paths of the bad fields)
│   ├── PayloadTooLarge         the payload is over 3 MB
│   ├── InvalidOptions          an option of the call is wrong (delay, ttl, tags, key, …)
│   ├── UnknownTask             no worker ever registered that task
│   ├── NotFound                no such run, queue, … in this environment
│   │   └── RunArchived         the run is so old that it is in the archive, if it ever was
│   ├── Conflict                the run's state does not allow the request
│   ├── RateLimited             too many requests; wait and repeat
│   ├── Unauthorized            missing, unknown or ill-formed key
│   │   └── Forbidden           the key, token or role does not reach that far
│   └── NotBuilt                this release has no such feature yet
├── TaskError                   the author of the task must act
│   ├── RunFailed               the awaited run ended without success
│   │   └── RunCanceled         the awaited run was canceled
│   ├── ResultTimeout           the awaited run did not end in time
│   ├── DuplicateTask           two tasks share an id
│   ├── InvalidTask             a task is declared wrongly
│   ├── TaskImportFailed        a task file cannot be imported
│   ├── InvalidOutput           the return value cannot be stored
│   ├── Misplaced               called where it cannot work (outside a run, on a loop's thread)
│   ├── StepConflict            one step name, used so that its result cannot be told apart
│   ├── Diverged                the code does not fit the run's journal any more
│   ├── JournalFull             more steps, or larger results, than a journal holds
│   ├── WaitTimeout             a token, event or input did not come in time
│   ├── Deadlock                the awaited run can never start while this one waits
│   ├── StepFailed              a step failed in the part of the run that is being replayed
│   ├── AbortRun                raised by a task: fail now, without a retry
│   └── RetryRun                raised by a task: try again, after a delay of its choice
├── OperatorError               whoever runs the servers must act
│   ├── ConfigurationError      a setting is wrong
│   ├── StoreUnavailable        the database does not answer
│   │   └── Elsewhere           another server owns the environment now
│   ├── SchemaMismatch          the database has a newer or an older schema
│   ├── StoreInUse              another process owns this SQLite file
│   ├── ArchiveFailed           the archive cannot be written or read
│   ├── PortTaken               the address is in use
│   └── ServerUnreachable       no server answers at that URL
└── EngineError                 inside the engine; users see them only through a bug
    ├── FencedOut               another owner or another attempt has taken over
    ├── UnknownOutcome          a commit may or may not have happened
    └── CommitRejected          the database refused the rows of a commit
"""

from __future__ import annotations

from typing import Any, ClassVar


class MainspringError(Exception):
    """Root of every error of this package.

    `code` is stable and meant for programs; the text is meant for people and ends in the next move.
    `details` holds what a program may want beside the text, such as the bad fields of a payload.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, details: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class CallerError(MainspringError):
    """The caller must change the request; repeating it unchanged cannot succeed."""

    code = "bad_request"
    status = 400


class InvalidPayload(CallerError):
    """The payload does not fit the task. `details` lists `{"path", "message"}` of bad fields."""

    code = "invalid_payload"
    status = 422


class PayloadTooLarge(CallerError):
    """The payload is over the limit of 3 MB; store it elsewhere and send a reference."""

    code = "payload_too_large"
    status = 413


class InvalidOptions(CallerError):
    """An option of the call is wrong; the message names it and what is allowed."""

    code = "invalid_options"
    status = 422


class UnknownTask(CallerError):
    """No worker of this environment ever registered a task with that id."""

    code = "unknown_task"
    status = 404


class NotFound(CallerError):
    """No such thing in this environment; a foreign id answers exactly so."""

    code = "not_found"
    status = 404


class RunArchived(NotFound):
    """Runs of that time were archived and then deleted; `details` has `archive`, the name of the
    files in which the run is, if it ever was.
    """

    code = "run_archived"


class Conflict(CallerError):
    """The state of the run or queue does not allow the request."""

    code = "conflict"
    status = 400


class RateLimited(CallerError):
    """Too many requests; repeat after `details["retry_after_s"]` seconds."""

    code = "rate_limited"
    status = 429


class Unauthorized(CallerError):
    """The key is missing, unknown or ill-formed."""

    code = "unauthorized"
    status = 401


class Forbidden(Unauthorized):
    """The key, public token or role is good, but does not allow this."""

    code = "forbidden"
    status = 403


class NotBuilt(CallerError):
    """This release has no such feature yet; repeating the request cannot succeed."""

    code = "not_built"
    status = 501


class TaskError(MainspringError):
    """The author of a task must act."""

    code = "task_error"


class RunFailed(TaskError):
    """The awaited run ended without success; `details` is its stored error."""

    code = "run_failed"


class RunCanceled(RunFailed):
    """The awaited run was canceled."""

    code = "run_canceled"


class ResultTimeout(TaskError):
    """The awaited run did not end in time; it goes on, ask again with the same handle."""

    code = "result_timeout"
    status = 504


class DuplicateTask(TaskError):
    """Two tasks share an id; both places are named."""

    code = "duplicate_task"


class InvalidTask(TaskError):
    """A task is declared wrongly (signature, options)."""

    code = "invalid_task"


class TaskImportFailed(TaskError):
    """A task file cannot be imported; `details` holds the user's own traceback."""

    code = "task_import_failed"


class InvalidOutput(TaskError):
    """The return value cannot be written as JSON, or is over 10 MB."""

    code = "invalid_output"


class Misplaced(TaskError):
    """Called where it cannot work: outside a run, or a blocking form on an event loop's thread."""

    code = "misplaced"


class StepConflict(TaskError):
    """Two tasks of a run use one step name without a scope or key of their own."""

    code = "step_conflict"


class Diverged(TaskError):
    """The code asks for something else than the journal holds; the run waits for a decision."""

    code = "diverged"


class JournalFull(TaskError):
    """A result or a journal is over its limit; return references, or `continue_with` a payload."""

    code = "journal_full"


class WaitTimeout(TaskError):
    """What the run waited for did not come in time."""

    code = "wait_timeout"


class Deadlock(TaskError):
    """The awaited run cannot end before this one; wait outside of steps, and not in a circle."""

    code = "deadlock"


class StepFailed(TaskError):
    """A step that failed earlier in this attempt, read back from the journal; `details` is its
    stored `RunError`.
    """

    code = "step_failed"


class AbortRun(TaskError):
    """Raise it in a task to fail the run at once, without further attempts."""

    code = "aborted"

    def __init__(self, message: str = "aborted by the task", *, details: Any = None) -> None:
        super().__init__(message, details=details)


class RetryRun(TaskError):
    """Raise it in a task to end this attempt and try again.

    `after` is the delay before the next attempt: seconds, a timedelta or text such as `"10m"`;
    None takes the task's own backoff. It counts as an attempt.
    """

    code = "retry_requested"

    def __init__(self, message: str = "retry requested by the task", *, after: Any = None) -> None:
        super().__init__(message)
        self.after = after


class OperatorError(MainspringError):
    """Whoever runs the servers must act."""

    code = "operator"
    status = 503


class ConfigurationError(OperatorError):
    """A setting is wrong; the message names it, where it came from and what is allowed."""

    code = "configuration"


class StoreUnavailable(OperatorError):
    """The database does not answer; nothing was lost, repeat the request."""

    code = "store_unavailable"


class Elsewhere(StoreUnavailable):
    """Another server owns this environment now; nothing was done, repeat the request."""

    code = "elsewhere"


class SchemaMismatch(OperatorError):
    """The database has another schema version than this release needs."""

    code = "schema_mismatch"


class StoreInUse(OperatorError):
    """Another process owns this SQLite file."""

    code = "store_in_use"


class ArchiveFailed(OperatorError):
    """The archive cannot be written or read; what was to go there is not deleted before."""

    code = "archive_failed"


class PortTaken(OperatorError):
    """The address to listen on is in use."""

    code = "port_taken"


class ServerUnreachable(OperatorError):
    """No server answers at the URL."""

    code = "server_unreachable"


class EngineError(MainspringError):
    """Inside the engine; users see one only through a bug or a takeover."""

    code = "engine"
    status = 503


class FencedOut(EngineError):
    """Another owner holds the shard, or another attempt holds the run."""

    code = "fenced_out"


class UnknownOutcome(EngineError):
    """A commit may or may not have happened; the owner finds out before it answers."""

    code = "unknown_outcome"


class CommitRejected(EngineError):
    """The database refused a row of the commit, and nothing of it was stored."""

    code = "commit_rejected"


def classes() -> dict[str, type[MainspringError]]:
    """Every class of the tree by its code, for turning a code back into an exception."""
    found: dict[str, type[MainspringError]] = {}
    open_ = [MainspringError]
    while open_:
        cls = open_.pop()
        found.setdefault(cls.code, cls)
        open_.extend(cls.__subclasses__())
    return found


def from_code(code: str, message: str, details: Any = None) -> MainspringError:
    """The exception that a server's `code` stands for; an unknown code gives the root class."""
    error = classes().get(code, MainspringError)(message)
    error.details = details
    return error
