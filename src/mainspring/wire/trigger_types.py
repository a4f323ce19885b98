"""The types of public JSON that triggers runs and writes to them, for the API's description."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

from mainspring.wire.run_types import Result

Scope = Literal["run", "attempt", "global"]
Text = str | UnsetType
Whole = int | UnsetType


class QueueName(Struct):
    """A queue by its name."""

    name: str


class KeyOptions(Struct):
    """The idempotency key as its user wrote it, and how far it reaches."""

    key: str
    scope: Scope


class Debounce(Struct, rename="camel"):
    """Triggers with this key within `delay` of one another make one run."""

    key: str
    delay: str
    mode: Literal["leading", "trailing"] | UnsetType = UNSET
    max_delay: Text = UNSET


class Options(Struct, rename="camel"):
    """How a run is to be made. Durations are text such as `1h30m`; dates are ISO 8601."""

    queue: QueueName | UnsetType = UNSET
    concurrency_key: str | int | UnsetType = UNSET
    delay: Text = UNSET
    ttl: str | int | UnsetType = UNSET
    idempotency_key: Text = UNSET
    idempotency_key_ttl: Text = field(name="idempotencyKeyTTL", default=UNSET)
    idempotency_key_options: KeyOptions | UnsetType = UNSET
    payload_type: Text = UNSET
    tags: str | list[str] | UnsetType = UNSET
    metadata: Any = UNSET
    max_attempts: Whole = UNSET
    max_duration: Whole = UNSET
    machine: Text = UNSET
    priority: float | UnsetType = UNSET
    test: bool | UnsetType = UNSET
    lock_to_version: Text = UNSET
    external_deployment_id: Text = UNSET
    parent_run_id: Text = UNSET
    debounce: Debounce | UnsetType = UNSET


class TriggerBody(Struct):
    """What to trigger a task with. The payload is JSON unless `options.payloadType` says more."""

    payload: Any = UNSET
    options: Options | UnsetType = UNSET


class TriggeredRun(Struct, rename="camel"):
    """`isCached`: the run was there already, because of its idempotency key."""

    id: str
    is_cached: bool


class Item(Struct):
    """One run of a batch; the task may come from the path."""

    task: Text = UNSET
    payload: Any = UNSET
    options: Options | UnsetType = UNSET


class ItemsBody(Struct, rename="camel"):
    """Up to 1,000 runs at once."""

    items: list[Item]
    parent_run_id: Text = UNSET


class TriggeredBatch(Struct, rename="camel"):
    """Its runs in the order of the items."""

    id: str
    run_count: int
    runs: list[TriggeredRun] | UnsetType = UNSET


class BatchResults(Struct):
    """How the runs ended that have, in the order of the items."""

    id: str
    items: list[Result]


class MetadataText(Struct, rename="camel"):
    """The metadata as JSON text, left out when there is none."""

    metadata: Text = UNSET
    metadata_type: str = "application/json"


class Operation(Struct):
    """One change. `key` is a name or a path such as `$.a.b[0]`; `update` takes none."""

    type: Literal["set", "delete", "append", "remove", "increment", "update"]
    key: Text = UNSET
    value: Any = UNSET


class MetadataChange(Struct, rename="camel"):
    """`metadata` replaces everything; then the operations are done in order."""

    metadata: dict[str, Any] | UnsetType = UNSET
    operations: list[Operation] | UnsetType = UNSET
    parent_operations: list[Operation] | UnsetType = UNSET
    root_operations: list[Operation] | UnsetType = UNSET


class MetadataNow(Struct):
    """What the metadata is afterwards."""

    metadata: dict[str, Any]


class Sending(Struct):
    """A record of an input stream."""

    data: Any


class Ok(Struct):
    """It was taken."""

    ok: bool


class Numbered(Struct):
    """Which record of the stream it is, from 1."""

    number: int


class Emitting(Struct):
    """An event."""

    payload: Any = UNSET


class Emitted(Struct):
    """How many waits it ended."""

    waits: int


class JournalEntry(Struct, rename="camel"):
    """One entry; an open wait is PENDING."""

    key: str
    seq: int
    kind: str
    status: str
    data: Any = UNSET
    started_at: Text = UNSET
    ended_at: Text = UNSET
    due_at: Text = UNSET
    waits_for: list[str] | UnsetType = UNSET
    attempt: Whole = UNSET


class ShownJournal(Struct):
    """A run's journal, in the order in which its code came to the entries."""

    generation: int
    entries: list[JournalEntry]


class Restarting(Struct):
    """Go on from the entry with that key, with results put in the place of those that are there."""

    from_: Text = field(name="from", default=UNSET)
    edits: dict[str, Any] | UnsetType = UNSET
    payload: Any = UNSET


class Settling(Struct):
    """What to do with a run that has diverged: pin, restart, accept or fail."""

    action: str
    version: str | UnsetType | None = UNSET
