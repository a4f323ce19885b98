"""A run as our own feeds show it: the public JSON of a run with what it was given and brought."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw

from mainspring.model.run import Run, Status
from mainspring.server.watch.rows import Snapshot
from mainspring.wire.runs import common, error
from mainspring.wire.words import CURRENT

_json: Final = msgspec.json.Encoder().encode


def data(row: Snapshot) -> bytes:
    """The run as JSON, which is made once for all who watch it."""
    return row.form("data", encoded)


def encoded(run: Run) -> bytes:
    """The run as JSON."""
    shown: dict[str, Any] = common(run, CURRENT)
    shown["attemptCount"] = run.attempt
    shown["depth"] = run.depth
    if run.batch_id:
        shown["batchId"] = run.batch_id
    if run.payload is not None:
        shown["payload"] = Raw(run.payload.encode())
    if run.output is not None and run.status is Status.COMPLETED:
        shown["output"] = Raw(run.output.encode())
    if run.error is not None:
        shown["error"] = error(run.error)
    return _json(shown)


def brief(row: Snapshot) -> bytes:
    """The run as a list shows it, as JSON."""
    return row.form("brief", lambda run: _json(common(run, CURRENT)))
