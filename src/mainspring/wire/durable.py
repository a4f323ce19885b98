"""Requests and responses of durable execution: journals, tokens, inputs, events, metadata.

They are part of the table in `wire.calls`, through which they are used.
"""

from __future__ import annotations

from msgspec import Struct

from mainspring.model.run import RunError
from mainspring.wire.worker import Op


class GetOutcomes(Struct, tag="outcomes"):
    """How these runs ended, at most 100 → Outcomes. Live and unknown ones are missing."""

    run_ids: list[str]


class Outcome(Struct):
    """The end of a run: `output` (JSON text) when completed, else `error`."""

    run_id: str
    task: str
    status: str
    output: str | None = None
    error: RunError | None = None


class Outcomes(Struct):
    outcomes: list[Outcome]


class ListJournal(Struct, tag="journal"):
    """The journal of a run by `seq`, of its present generation, and its open waits → Journal."""

    run_id: str


class JournalLine(Struct):
    """One entry, or a wait that is open (`status` is pending then, `due_at` its end if it has one,
    `points` what it waits for).
    """

    key: str
    seq: int
    kind: str
    status: str
    data: str | None = None
    started_at: int = 0
    ended_at: int | None = None
    due_at: int | None = None
    points: tuple[str, ...] = ()
    attempt: int = 0


class Journal(Struct):
    generation: int
    lines: list[JournalLine]


class RestartRun(Struct, tag="restart"):
    """A new run that begins with the journal of an ended or diverged one up to, not including, the
    entry `key` (None = from the start) → TriggerAnswer. `edits` replaces results of kept steps (key
    → JSON text), `payload` the payload. A repeat with the same `request_key` answers with the same
    run.
    """

    run_id: str
    key: str | None = None
    edits: dict[str, str] = {}
    payload: str | None = None
    request_key: str | None = None


class SettleRun(Struct, tag="settle"):
    """Go on with a run whose code diverged from its journal → Run. `action`: accept (take the
    stored result in spite of the difference), restart (forget the journal from that entry on), pin
    (only workers of `version` may run it), fail.
    """

    run_id: str
    action: str
    version: str | None = None


class CreateToken(Struct, tag="create_token"):
    """→ Token. With an idempotency key in force the old one (`cached`)."""

    timeout_ms: int | None = None
    timeout_at: int | None = None
    idempotency_key: str | None = None
    idempotency_ttl_ms: int | None = None
    tags: tuple[str, ...] = ()


class Waiter(Struct):
    """A run that waits for a token since then (epoch ms), under that key of its journal."""

    run_id: str
    task: str
    key: str
    since: int


class Token(Struct):
    """Something that a run can wait for and anybody can complete. `status`: waiting, completed,
    timed_out. `output` is JSON text. `callback` is the path that completes it without a key; a
    server fills it in. `waiters` only where they were asked for.
    """

    id: str
    status: str
    created_at: int
    timeout_at: int | None = None
    completed_at: int | None = None
    output: str | None = None
    output_ref: str | None = None
    idempotency_key: str | None = None
    idempotency_expires_at: int | None = None
    tags: tuple[str, ...] = ()
    cached: bool = False
    callback: str = ""
    waiters: tuple[Waiter, ...] = ()


class GetToken(Struct, tag="get_token"):
    """→ Token."""

    token_id: str


class CompleteToken(Struct, tag="complete_token"):
    """Give the token its output (JSON text) → Token. One that has ended stays as it is."""

    token_id: str
    output: str | None = None


class ListTokens(Struct, tag="tokens"):
    """Newest first → TokenPage. `after` and `before` are token ids from a page's cursors.
    `waiters`: with the runs that wait for each.
    """

    status: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    idempotency_key: str | None = None
    created_from: int | None = None
    created_to: int | None = None
    after: str | None = None
    before: str | None = None
    limit: int = 25
    waiters: bool = False


class TokenPage(Struct):
    tokens: list[Token]
    next: str | None = None
    previous: str | None = None


class SendInput(Struct, tag="send_input"):
    """Append a record (JSON text) to an input stream of a run that has not ended → Sent. A repeat
    with the same `request_key` appends nothing.
    """

    run_id: str
    stream: str
    data: str
    request_key: str | None = None


class Sent(Struct):
    """`number` of the record in its stream, from 1; or how many waits an event has ended."""

    number: int


class EmitEvent(Struct, tag="emit"):
    """Tell every run of the environment that waits for the event → Sent."""

    name: str
    payload: str = "null"


class UpdateMetadata(Struct, tag="metadata"):
    """Change the metadata of a run, ended or not, in this order → Run. A repeat with the same
    `request_key` changes nothing.
    """

    run_id: str
    ops: list[Op]
    request_key: str | None = None
