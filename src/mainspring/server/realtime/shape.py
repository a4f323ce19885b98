"""Runs in the form that `@electric-sql/client` reads: rows of columns as text. No requests."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any, Final

import msgspec
from msgspec import Struct

from mainspring.errors import CallerError
from mainspring.model.duration import spell
from mainspring.model.run import Run, Status
from mainspring.wire.moments import iso
from mainspring.wire.packets import JSON, STORE, path_of
from mainspring.wire.runs import result

TYPES: Final[dict[str, dict[str, Any]]] = {
    "id": {"type": "text"},
    "friendlyId": {"type": "text"},
    "taskIdentifier": {"type": "text"},
    "status": {"type": "text"},
    "createdAt": {"type": "timestamp"},
    "updatedAt": {"type": "timestamp"},
    "startedAt": {"type": "timestamp"},
    "delayUntil": {"type": "timestamp"},
    "queuedAt": {"type": "timestamp"},
    "expiredAt": {"type": "timestamp"},
    "completedAt": {"type": "timestamp"},
    "number": {"type": "int4"},
    "usageDurationMs": {"type": "int4"},
    "costInCents": {"type": "float8"},
    "baseCostInCents": {"type": "float8"},
    "isTest": {"type": "bool"},
    "idempotencyKey": {"type": "text"},
    "ttl": {"type": "text"},
    "payload": {"type": "text"},
    "payloadType": {"type": "text"},
    "metadata": {"type": "text"},
    "metadataType": {"type": "text"},
    "output": {"type": "text"},
    "outputType": {"type": "text"},
    "runTags": {"type": "text", "dims": 1},
    "realtimeStreams": {"type": "text", "dims": 1},
    "error": {"type": "jsonb"},
}
ALWAYS: Final = frozenset({"id", "taskIdentifier", "friendlyId", "status", "createdAt"})
"""Columns that cannot be left out."""
START: Final = -1
EPOCH_BITS: Final = 36
"""Bits of a change number below the epoch of the owner that made it."""
UP_TO_DATE: Final = b'{"headers":{"control":"up-to-date"}}'
MUST_REFETCH: Final = b'[{"headers":{"control":"must-refetch"}}]'

_WORDS: Final = {
    Status.DELAYED: "DELAYED",
    Status.PENDING_VERSION: "PENDING_VERSION",
    Status.QUEUED: "PENDING",
    Status.DEQUEUED: "DEQUEUED",
    Status.EXECUTING: "EXECUTING",
    Status.WAITING: "WAITING_TO_RESUME",
    Status.COMPLETED: "COMPLETED_SUCCESSFULLY",
    Status.CANCELED: "CANCELED",
    Status.FAILED: "COMPLETED_WITH_ERRORS",
    Status.CRASHED: "CRASHED",
    Status.SYSTEM_FAILURE: "SYSTEM_FAILURE",
    Status.EXPIRED: "EXPIRED",
    Status.TIMED_OUT: "TIMED_OUT",
}
_OFFSET: Final = re.compile(r"(\d{1,19})_\d{1,19}")
_HANDLE: Final = re.compile(r"(\d{1,15})-\d{1,15}")
_INT8: Final = 1 << 63
_json: Final = msgspec.json.Encoder().encode


class Handle(Struct, frozen=True):
    """What the client sends back with each question: the bound that its first one pinned, and when
    that was, so that a new one never looks like one before.
    """

    created_from: int
    made_at: int

    def __str__(self) -> str:
        return f"{self.created_from}-{self.made_at}"


def read_handle(text: str) -> Handle | None:
    """A handle of ours; None for another text."""
    found = _HANDLE.fullmatch(text)
    if found is None:
        return None
    created_from, made_at = text.split("-")
    return Handle(int(created_from), int(made_at))


def read_offset(text: str) -> int:
    """The change number of an offset; -1 for the beginning. Raises: CallerError."""
    if text == str(START):
        return START
    found = _OFFSET.fullmatch(text)
    if found is None or int(found[1]) >= _INT8:
        raise CallerError(f"Query Error: offset is {text[:60]!r}; send -1, or an electric-offset.")
    return int(found[1])


def offset(change: int) -> str:
    """The offset of somebody who has seen everything up to that number."""
    return f"{max(change, 0)}_0"


def skipped(text: str) -> frozenset[str]:
    """The columns to leave out, of a comma list; names that are none are passed over."""
    return frozenset(name for name in text.split(",") if name in TYPES) - ALWAYS


def schema(skip: Collection[str]) -> str:
    """The header that says how columns are read."""
    return _json({name: type_ for name, type_ in TYPES.items() if name not in skip}).decode()


def message(value: bytes, run_id: str, operation: str) -> bytes:
    """One row that was inserted or updated; `value` is of `row`."""
    key = _json(f'"public"."TaskRun"/"{run_id}"')
    headers = b'{"operation":"' + operation.encode() + b'"}'
    return b'{"key":' + key + b',"value":' + value + b',"headers":' + headers + b"}"


def body(messages: Iterable[bytes]) -> bytes:
    """An answer that brings the client up to date."""
    return b"[" + b",".join([*messages, UP_TO_DATE]) + b"]"


def row(run: Run, skip: Collection[str]) -> bytes:
    """All columns of a run but those, as JSON."""
    columns = _columns(run)
    return _json({name: text for name, text in columns.items() if name not in skip})


def _columns(run: Run) -> dict[str, str | None]:
    ended = result(run) or {}
    error = ended.get("error")
    output = (run.output, run.output_ref) if run.status is Status.COMPLETED else (None, None)
    return {
        "id": run.id,
        "friendlyId": run.id,
        "taskIdentifier": run.task,
        "status": _WORDS[run.status],
        "createdAt": _moment(run.created_at),
        "updatedAt": _moment(max(run.updated_at, run.created_at)),
        "startedAt": _moment(run.started_at),
        "delayUntil": _moment(run.delayed_until),
        "queuedAt": None if run.status is Status.DELAYED else _moment(run.created_at),
        "expiredAt": _moment(run.finished_at) if run.status is Status.EXPIRED else None,
        "completedAt": _moment(run.finished_at),
        "number": "0",
        "usageDurationMs": str(run.active_ms),
        "costInCents": "0",
        "baseCostInCents": "0",
        "isTest": "t" if run.is_test else "f",
        "idempotencyKey": run.idempotency_key,
        "ttl": spell(run.ttl_ms) if run.ttl_ms else None,
        **_packet(run, "payload", run.payload, run.payload_ref),
        "metadata": run.metadata,
        "metadataType": JSON,
        **_packet(run, "output", *output),
        "runTags": _array(run.tags) if run.tags else None,
        "realtimeStreams": _array(run.streams),
        "error": _json(error).decode() if error is not None else None,
    }


def _packet(run: Run, name: str, text: str | None, ref: str | None) -> dict[str, str | None]:
    """A payload or output as text; one that does not lie in the row as its path, which the client
    has turned into an address.
    """
    stored = text is None and ref is not None
    shown = path_of(run.id, name) if stored else text
    return {name: shown, f"{name}Type": STORE if stored else JSON}


def _moment(at: int | None) -> str | None:
    """The client puts the Z behind it."""
    return None if at is None else iso(at).removesuffix("Z")


def _array(texts: Iterable[str]) -> str:
    """A PostgreSQL array literal."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"
