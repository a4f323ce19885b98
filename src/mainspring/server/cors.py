"""What a browser may call from another site's page. There are no cookies, so any site may ask."""

from __future__ import annotations

from typing import Final

from starlette.types import Scope

Headers = list[tuple[bytes, bytes]]

_METHODS: Final = b"GET, POST, PUT, PATCH, DELETE, OPTIONS"
_EXPOSED: Final = (
    b"x-trigger-jwt, x-trigger-jwt-claims, x-should-retry, x-ratelimit-limit, "
    b"x-ratelimit-remaining, x-ratelimit-reset, retry-after, x-request-id, electric-handle, "
    b"electric-offset, electric-schema, electric-cursor, electric-up-to-date, x-stream-version, "
    b"x-session-settled"
)
_ANSWERED: Final[Headers] = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", _EXPOSED),
]
_OURS: Final = (b"/api/mainspring/", b"/api/worker/")


def for_browsers(path: bytes) -> bool:
    """Whether pages may call that path: the public API, but not what our own programs speak."""
    return path.startswith((b"/api/", b"/realtime/")) and not path.startswith(_OURS)


def answered(origin: bytes | None, path: bytes) -> Headers:
    """Headers that let the page of another site read the answer."""
    return _ANSWERED if origin is not None and for_browsers(path) else []


def preflight(scope: Scope, origin: bytes | None, asked: bytes | None) -> Headers | None:
    """The answer to a browser that asks before it calls; None when this is no such question.

    `*` would not cover Authorization, so the asked headers are repeated.
    """
    if scope["method"] != "OPTIONS" or origin is None or not for_browsers(scope["raw_path"]):
        return None
    return [
        (b"access-control-allow-origin", b"*"),
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-allow-headers", asked or b"authorization, content-type"),
        (b"access-control-max-age", b"300"),
        (b"vary", b"access-control-request-headers"),
    ]
