"""What people may do in an environment: four roles, each with all of the one before."""

from __future__ import annotations

from typing import Final

ROLES: Final = ("viewer", "operator", "developer", "admin")

_SEEN: Final = (
    "runs", "tasks", "tags", "batch", "queues", "schedules", "deployments", "waitpoints", "streams",
    "inputStreams", "sessions", "packets", "query", "prompts", "webhooks", "bulk", "workers",
    "events", "errors", "metrics",
)  # fmt: skip
_ADDED: Final[dict[str, frozenset[tuple[str, str]]]] = {
    "viewer": frozenset(("read", resource) for resource in _SEEN),
    "operator": frozenset(
        {("cancel", "runs"), ("replay", "runs")}
        | {("write", resource) for resource in ("bulk", "queues", "errors")}
    ),
    "developer": frozenset(
        {("trigger", "tasks"), ("batchTrigger", "tasks"), ("read", "envvars")}
        | {("write", resource) for resource in _SEEN}
    ),
}


def may(role: str, action: str, resource: str) -> bool:
    """Whether the role allows it. What is not listed (keys, people, the audit log, changes of
    environment variables, and whatever comes later) is for admins.
    """
    if role == "admin":
        return True
    if role not in ROLES:
        return False
    return any(
        (action, resource) in _ADDED.get(known, ()) for known in ROLES[: ROLES.index(role) + 1]
    )
