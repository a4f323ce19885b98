"""Errors as HTTP answers, and HTTP answers as errors. Nothing is sent or logged here."""

from __future__ import annotations

from math import ceil
from typing import Any, Final

import msgspec

from mainspring.errors import (
    CallerError,
    CommitRejected,
    EngineError,
    Forbidden,
    MainspringError,
    NotFound,
    OperatorError,
    RateLimited,
    StoreUnavailable,
    TaskError,
    Unauthorized,
    from_code,
)

RETRY: Final = "x-should-retry"

# What a caller is told of trouble on our side. The message itself may name hosts and paths and is
# for the log.
_OURS: Final[tuple[tuple[type[MainspringError], str], ...]] = (
    (StoreUnavailable, "The server cannot reach its database now. Repeat the request."),
    (CommitRejected, "The database refused to store this request; the server's log says why."),
    (EngineError, "Another server is taking over. Repeat the request; that is safe."),
    (OperatorError, "The server is not set up for this request; its log says why."),
)
# As clients of the wire contract know it.
_FORBIDDEN: Final = {"code": "unauthorized", "param": "access_token", "type": "authorization"}
_BY_STATUS: Final[dict[int, type[MainspringError]]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    429: RateLimited,
    503: StoreUnavailable,
}


class Reply(msgspec.Struct, frozen=True):
    """An error as an HTTP answer."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]


def reply(error: MainspringError, now: int, request_id: str = "") -> Reply:
    """How an error is answered. `now` (epoch ms) dates the end of a rate limit."""
    body: dict[str, Any] = {"error": _told(error, request_id), "code": error.code}
    if error.details is not None and isinstance(error, CallerError | TaskError):
        body["details"] = error.details
    if isinstance(error, Forbidden):
        body |= _FORBIDDEN
    headers = {RETRY: "true" if should_retry(error) else "false"}
    if isinstance(error, RateLimited) and isinstance(error.details, dict):
        wait_s = float(error.details.get("retry_after_s", 1))
        headers["retry-after"] = str(max(1, ceil(wait_s)))
        headers["x-ratelimit-remaining"] = "0"
        if "limit" in error.details:
            headers["x-ratelimit-limit"] = str(error.details["limit"])
        headers["x-ratelimit-reset"] = str(now + ceil(wait_s * 1000))
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    return Reply(error.status, body, headers)


def should_retry(error: MainspringError) -> bool:
    """Whether the same request may succeed a little later."""
    if isinstance(error, CommitRejected):
        return False
    return isinstance(error, RateLimited | StoreUnavailable | EngineError)


def error_from(status: int, body: bytes) -> MainspringError:
    """The error that an HTTP answer stands for, also when a proxy wrote it."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    said = found if isinstance(found, dict) else {}
    text = said.get("error")
    if isinstance(text, dict):
        text = text.get("message")
    message = str(text) if text else f"The server answered {status} without saying why."
    code = said.get("code")
    if isinstance(code, str) and (status, code) != (403, _FORBIDDEN["code"]):
        return from_code(code, message, said.get("details"))
    if status in _BY_STATUS:
        return _BY_STATUS[status](message)
    return CallerError(message) if 400 <= status < 500 else MainspringError(message)


def _told(error: MainspringError, request_id: str) -> str:
    if isinstance(error, CallerError | TaskError):
        return error.message
    text = next((told for kind, told in _OURS if isinstance(error, kind)), "")
    text = text or "The server failed; its log says why."
    return f"{text} Request {request_id}." if request_id else text
