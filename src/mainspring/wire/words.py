"""The words for a run's status in public JSON, by the version of the API that the client speaks."""

from __future__ import annotations

from typing import Final

from mainspring.model.run import Status

VERSION_HEADER: Final = "x-trigger-api-version"
CURRENT: Final = "2025-07-16"

_OLDER: Final = {Status.DEQUEUED: "EXECUTING", Status.WAITING: "FROZEN"}
_READ: Final = {status.name: status for status in Status} | {
    "FROZEN": Status.WAITING,
    "REATTEMPTING": Status.EXECUTING,
    "WAITING_FOR_DEPLOY": Status.PENDING_VERSION,
    "INTERRUPTED": Status.FAILED,
}
_QUEUED: Final = frozenset({Status.QUEUED, Status.DELAYED, Status.PENDING_VERSION})


def status_word(status: Status, version: str | None) -> str:
    """The word for a client of that API version; clients that send none know fewer words."""
    if version != CURRENT and status in _OLDER:
        return _OLDER[status]
    return status.name


def status_from(word: str) -> Status | None:
    """The status of a word of any version; None for another word."""
    return _READ.get(word)


def flags(status: Status, version: str | None) -> dict[str, bool]:
    """The booleans beside the status. Unlike in the vendor's server, every final state is completed
    and every one but COMPLETED is failed, so that polling for the end always ends.
    """
    waiting = status is Status.WAITING
    return {
        "isQueued": status in _QUEUED,
        "isExecuting": status in (Status.EXECUTING, Status.DEQUEUED)
        or (waiting and version != CURRENT),
        "isWaiting": waiting and version == CURRENT,
        "isCompleted": status.is_final,
        "isSuccess": status is Status.COMPLETED,
        "isFailed": status.is_final and status is not Status.COMPLETED,
        "isCancelled": status is Status.CANCELED,
    }
