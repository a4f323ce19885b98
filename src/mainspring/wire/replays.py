"""The body of a replay, read into a request: another payload, other options. Nothing is asked."""

from __future__ import annotations

from typing import Any, Final

from mainspring.errors import CallerError, InvalidOptions, InvalidPayload
from mainspring.model.run import TriggerOptions
from mainspring.wire import packets
from mainspring.wire.calls import ReplayRun
from mainspring.wire.options import take

_FIELDS: Final = {
    "metadata": ("metadata",),
    "tags": ("tags",),
    "queue": ("queue",),
    "concurrencyKey": ("concurrency_key",),
    "machine": ("machine",),
    "version": ("version",),
    "region": ("region",),
    "delay": ("delay_ms", "delay_until"),
    "ttl": ("ttl_ms",),
    "idempotencyKey": ("idempotency_key",),
    "idempotencyKeyTTL": ("idempotency_ttl_ms",),
    "maxAttempts": ("max_attempts",),
    "maxDuration": ("max_duration_ms",),
    "priority": ("priority_ms",),
}
"""The fields of a trigger's options that each field of the body sets."""


def replay(run_id: str, body: Any, request_key: str | None) -> ReplayRun:
    """The request of a body; unknown fields are refused.

    Raises: CallerError (400, as the contract says) with every wrong option, InvalidPayload.
    """
    if not isinstance(body, dict):
        raise CallerError("Body Error: the body must be an object, or empty.")
    options = TriggerOptions()
    given: list[str] = []
    problems: list[dict[str, str]] = []
    for name, value in body.items():
        if name in ("payload", "payloadType"):
            continue
        if name not in _FIELDS:
            raise CallerError(f"Body Error: a replay has no {name[:60]!r}.")
        try:
            _take(options, name, value)
        except InvalidOptions as error:
            problems.append({"path": name, "message": error.message})
        given += _FIELDS[name]
    if problems:
        listed = "; ".join(f"{problem['path']}: {problem['message']}" for problem in problems)
        raise CallerError(f"Body Error: {listed}.", details=problems)
    payload = _payload(body) if "payload" in body else None
    return ReplayRun(run_id, payload, request_key, options, tuple(given))


def _take(options: TriggerOptions, name: str, value: Any) -> None:
    if name == "queue":
        value = {"name": value}
    take(options, "lockToVersion" if name == "version" else name, value)


def _payload(body: dict[str, Any]) -> str:
    """The payload, which is encoded text of one of the two JSON types."""
    type_ = body.get("payloadType", packets.JSON)
    text = body["payload"]
    if type_ == packets.JSON and isinstance(text, str):
        return packets.decode_text(text)
    if type_ not in (packets.JSON, packets.SUPER_JSON):
        raise InvalidPayload(f"payloadType must be {packets.JSON} or {packets.SUPER_JSON}.")
    return packets.decode(text, type_)
