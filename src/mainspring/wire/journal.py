"""The journal of a run, and what is done from an entry of it, in JSON. Nothing is asked here."""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from mainspring.errors import CallerError
from mainspring.wire import plain
from mainspring.wire.calls import Journal, JournalLine, RestartRun, SettleRun
from mainspring.wire.moments import iso


def journal(found: Journal) -> dict[str, Any]:
    """Entries and open waits in the order in which the code came to them."""
    return {"generation": found.generation, "entries": [entry(line) for line in found.lines]}


def entry(line: JournalLine) -> dict[str, Any]:
    """One entry; an open wait is pending. `data` is a JSON value."""
    shown: dict[str, Any] = {
        "key": line.key,
        "seq": line.seq,
        "kind": line.kind,
        "status": line.status.upper(),
    }
    if line.data is not None:
        shown["data"] = Raw(line.data.encode())
    for name, at in (("startedAt", line.started_at), ("endedAt", line.ended_at or 0)):
        if at:
            shown[name] = iso(at)
    if line.due_at:
        shown["dueAt"] = iso(line.due_at)
    if line.points:
        shown["waitsFor"] = list(line.points)
    if line.attempt:
        shown["attempt"] = line.attempt
    return shown


def restart(run_id: str, body: Any) -> RestartRun:
    """The request of a body `{"from"?: key, "edits"?: {key: value}, "payload"?: value}`.

    Raises: CallerError, InvalidPayload.
    """
    given = _fields(body, ("from", "edits", "payload"))
    key, edits = given.get("from"), given.get("edits", {})
    if key is not None and not isinstance(key, str):
        raise CallerError('Body Error: "from" must be the key of an entry.')
    if not isinstance(edits, dict):
        raise CallerError('Body Error: "edits" must be an object of keys and results.')
    payload = plain.write(given["payload"]) if "payload" in given else None
    texts = {name: plain.write(value, f"edit {name[:60]!r}") for name, value in edits.items()}
    return RestartRun(run_id, key, texts, payload)


def settle(run_id: str, body: Any) -> SettleRun:
    """The request of a body `{"action", "version"?}`. Raises: CallerError."""
    given = _fields(body, ("action", "version"))
    action, version = given.get("action"), given.get("version")
    if not isinstance(action, str) or not (version is None or isinstance(version, str)):
        raise CallerError('Body Error: "action" must be text, and so must "version" if given.')
    return SettleRun(run_id, action, version)


def _fields(body: Any, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise CallerError("Body Error: the body must be an object.")
    for name in body:
        if name not in known:
            raise CallerError(f"Body Error: there is no {name[:60]!r}; {', '.join(known)}.")
    return body
