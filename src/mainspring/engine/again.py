"""The request for a run like an old one. Nothing is read or planned here."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.errors import InvalidOptions
from mainspring.model.run import Run, TriggerOptions, TriggerRequest
from mainspring.wire.triggers import key_of_request

CHANGEABLE = frozenset(
    {
        "queue", "concurrency_key", "delay_ms", "delay_until", "ttl_ms", "idempotency_key",
        "idempotency_ttl_ms", "tags", "metadata", "priority_ms", "max_attempts", "max_duration_ms",
        "machine", "region", "version",
    }
)  # fmt: skip
"""Options that a replay may be given."""


def again(old: Run, payload: str | None, request_key: str | None = None) -> TriggerRequest:
    """The request for a run like an old one, without its idempotency key, delay and version."""
    options = TriggerOptions(
        queue=old.queue,
        concurrency_key=old.concurrency_key or None,
        tags=old.tags,
        metadata=old.metadata,
        priority_ms=old.priority_ms,
        max_attempts=old.max_attempts,
        max_duration_ms=old.max_duration_ms,
        ttl_ms=old.ttl_ms,
        machine=old.machine,
        region=old.region,
        is_test=old.is_test,
        replay_of=old.id,
        request_key=request_key and key_of_request(old.id, request_key, 0),
    )
    return TriggerRequest(old.task, payload or "null", options)


def change(options: TriggerOptions, given: TriggerOptions, names: Sequence[str]) -> None:
    """Take these options from `given`. Raises: InvalidOptions for one that no replay has."""
    for name in names:
        if name not in CHANGEABLE:
            raise InvalidOptions(f"A replay takes no other {name[:40]!r}.")
        setattr(options, name, getattr(given, name))
