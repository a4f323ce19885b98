"""What a browser shows instead of a key: a cookie, which counts on our own pages only.

The cookie of a sign-in holds the key or personal token that was typed in, so that revoking that one
ends every session with it. `mainspring dev` also hands out one of its own, which lives as long as
the process.
"""

from __future__ import annotations

import re
import secrets
from http.cookies import CookieError, SimpleCookie
from typing import Final

from starlette.types import Scope

from mainspring.errors import Forbidden
from mainspring.server.guard import LOOPBACK

PREFIX: Final = "outer_path"
"""The part of the path before ours, where a host application has put it into the scope."""
_SAFE: Final = ("GET", "HEAD")
_PREFIX: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
_CREDENTIAL: Final = re.compile(r"tr_[A-Za-z0-9_]{8,120}")
_LOCAL: Final = ("127.0.0.1", "::1")


class Sessions:
    """Turns cookies into what an Authorization header would have said, and makes them."""

    def __init__(self, dev_key: str = "") -> None:
        self._dev_key = dev_key
        self._dev = "dev_" + secrets.token_urlsafe(32)

    @property
    def has_dev(self) -> bool:
        """Whether this is the server of `mainspring dev`."""
        return bool(self._dev_key)

    def dev_header(self) -> str:
        """What a session of `mainspring dev` stands for."""
        return f"Bearer {self._dev_key}"

    def opens(self, scope: Scope) -> bool:
        """Whether this request may have a session without a sign-in: from this machine, under one
        of its own names, on a server that was told so.
        """
        client = scope.get("client")
        local = client is not None and client[0] in _LOCAL
        name = _text(scope, b"host").rpartition(":")[0] or _text(scope, b"host")
        return bool(self._dev_key) and local and name in LOOPBACK

    def authorization(self, scope: Scope, header: str | None) -> str | None:
        """The header, or else what the cookie stands for.

        Raises: Forbidden when the page of another site wants to change something with a cookie.
        """
        if header is not None:
            return header
        credential = self.credential(scope)
        if credential is None:
            return None
        if not _reads_only(scope):
            check_own(scope)
        elif not _asked_by_us(scope):
            return None
        return f"Bearer {credential}"

    def credential(self, scope: Scope) -> str | None:
        """The key or token of the cookie, whoever sent it."""
        text = _text(scope, b"cookie")
        if not text:
            return None
        try:
            found = SimpleCookie(text).get(name(scope))
        except CookieError:
            return None
        if found is None:
            return None
        if self._dev_key and secrets.compare_digest(found.value.encode(), self._dev.encode()):
            return self._dev_key
        return found.value if _CREDENTIAL.fullmatch(found.value) else None

    def cookie(self, scope: Scope, credential: str = "") -> str:
        """The header that begins a session; without a credential the one of `mainspring dev`."""
        return _cookie(scope, credential or self._dev)

    @staticmethod
    def end(scope: Scope) -> str:
        """The header that ends a session."""
        return _cookie(scope, "") + "; Max-Age=0"


def check_own(scope: Scope) -> None:
    """Raises: Forbidden unless the request comes from a page of this server."""
    if not is_own(scope):
        raise Forbidden(
            "Unauthorized: a page of another site asked for this. Programs send a key instead of a "
            "cookie; behind a proxy let it pass Host, and send X-Forwarded-Proto."
        )


def is_own(scope: Scope) -> bool:
    """Whether the Origin header names this server."""
    origin, host = _text(scope, b"origin"), _text(scope, b"host")
    return origin in (f"{scheme(scope)}://{host}", f"https://{host}")


def scheme(scope: Scope) -> str:
    """The scheme, http or https, as the browser sees it."""
    said = _text(scope, b"x-forwarded-proto")
    if said in ("http", "https"):
        return said
    return {"ws": "http", "wss": "https"}.get(scope["scheme"], str(scope["scheme"]))


def prefix(scope: Scope) -> str:
    """The path before ours, "" or such as "/jobs": of a host application, or a proxy's."""
    said = scope.get(PREFIX) or _text(scope, b"x-forwarded-prefix").rstrip("/")
    return str(said) if _PREFIX.fullmatch(said) else ""


def name(scope: Scope) -> str:
    """What the cookie is called. Cookies know no ports, so the name tells servers of one machine
    apart.
    """
    if scheme(scope) == "https" and not prefix(scope):
        return "__Host-mainspring"
    port = _text(scope, b"host").rpartition(":")[2]
    return f"mainspring-{port if port.isdigit() else 'session'}"


def _cookie(scope: Scope, value: str) -> str:
    parts = [f"{name(scope)}={value}", f"Path={prefix(scope) or '/'}", "HttpOnly", "SameSite=Lax"]
    return "; ".join([*parts, "Secure"] if scheme(scope) == "https" else parts)


def _reads_only(scope: Scope) -> bool:
    """Whether nothing but an answer comes of it, which the browser keeps from other sites. Sockets
    are not held back like that.
    """
    return scope["type"] == "http" and scope["method"] in _SAFE


def _asked_by_us(scope: Scope) -> bool:
    """Whether a reading request comes from our page, or from a person who follows a link."""
    site = _text(scope, b"sec-fetch-site") or "none"
    followed = _text(scope, b"sec-fetch-mode") == "navigate"
    return (site in ("same-origin", "none") or followed) and (
        not _text(scope, b"origin") or is_own(scope)
    )


def _text(scope: Scope, wanted: bytes) -> str:
    for header, value in scope["headers"]:
        if header == wanted:
            return str(value.decode("latin-1"))
    return ""
