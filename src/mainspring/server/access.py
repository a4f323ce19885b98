"""One line for each request that was answered, for the log `mainspring.access`."""

from __future__ import annotations

import logging
import re
import secrets
from itertools import count
from typing import Final

from starlette.types import Scope

log = logging.getLogger("mainspring.access")

_PROOF: Final = re.compile(r"(?<=/callback/)[^/]+")
"""What completes a wait token does not belong into a log."""
_TAKEN: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class RequestIds:
    """A name for each request, by which its error and its log line are found together."""

    def __init__(self) -> None:
        self._start = secrets.token_hex(4)
        self._count = count(1)

    def name(self, given: bytes | None) -> str:
        """The caller's own name for it when that is a plain word, otherwise a new one."""
        if given is not None and _TAKEN.fullmatch(given):
            return given.decode()
        return f"{self._start}-{next(self._count):x}"


def record(scope: Scope, status: int, ms: float, request_id: str) -> None:
    """Write the line; the same facts are attributes of the record, for JSON formatters. The query
    and the headers stay out of it.
    """
    if not log.isEnabledFor(logging.INFO):
        return
    method = scope.get("method", "WS")
    path = _PROOF.sub("…", ascii(scope["raw_path"].decode("latin-1"))[1:-1])
    client = scope["client"][0] if scope.get("client") else ""
    log.info(
        "%s %s %d %.1f ms %s",
        method,
        path,
        status,
        ms,
        request_id,
        extra={
            "method": method,
            "path": path,
            "status": status,
            "ms": ms,
            "request_id": request_id,
            "client": client,
        },
    )
