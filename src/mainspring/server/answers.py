"""Responses in the forms that the API has: JSON, msgpack, refusals. No decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.responses import Response

from mainspring.errors import MainspringError
from mainspring.server.guard import Refusal
from mainspring.wire.errors import RETRY, reply

JSON: Final = "application/json"
MSGPACK: Final = "application/msgpack"

_json: Final = msgspec.json.Encoder().encode
_msgpack: Final = msgspec.msgpack.Encoder().encode


def json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A value as JSON."""
    return Response(_json(value), status, headers, JSON)


def msgpack(value: Any) -> Response:
    """A value as msgpack."""
    return Response(_msgpack(value), 200, None, MSGPACK)


def failed(error: MainspringError, now: int, request_id: str) -> Response:
    """An error of ours."""
    found = reply(error, now, request_id)
    return json(found.body, found.status, found.headers)


def refused(refusal: Refusal, headers: Mapping[str, str] | None = None) -> Response:
    """What is answered before or instead of a handler; never worth a repeat."""
    body = {"error": refusal.message, "code": _CODES.get(refusal.status, "bad_request")}
    return json(body, refusal.status, {RETRY: "false"} | dict(headers or {}))


_CODES: Final = {
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    500: "internal",
    501: "not_built",
    503: "store_unavailable",
}
