"""The outermost layer: refuses what is ill-formed, names and logs each request, answers failures.

Nothing gets past it as an exception, and nothing of our insides gets out of it.
"""

from __future__ import annotations

import logging
import time
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from mainspring.clock import Clock
from mainspring.errors import CallerError, MainspringError
from mainspring.server import access, answers, cors
from mainspring.server.guard import Hosts, Refusal, refuse
from mainspring.server.measured import UNKNOWN, Measured

log = logging.getLogger("mainspring.server")

_ALWAYS: Final = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]


class Edge:
    """Wraps the application. Without `logged`, requests are no lines of the log."""

    def __init__(
        self, app: ASGIApp, hosts: Hosts, clock: Clock, measured: Measured, *, logged: bool = True
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._clock = clock
        self._measured = measured
        self._logged = logged
        self._ids = access.RequestIds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        headers = dict(scope["headers"])
        request_id = self._ids.name(headers.get(b"x-request-id"))
        scope["request_id"] = request_id
        origin = headers.get(b"origin")
        added = [
            (b"x-request-id", request_id.encode()),
            *_ALWAYS,
            *cors.answered(origin, scope["raw_path"]),
        ]
        status = 0

        async def send_more(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                names = {name for name, _ in message["headers"]}
                extra = [pair for pair in added if pair[0] not in names]
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        try:
            response = self._before(scope, headers, origin)
            if response is not None:
                await response(scope, receive, send_more)
            else:
                await self._app(scope, receive, send_more)
        except Exception as error:
            # the HTTP boundary: whatever failed, the caller gets an answer that tells nothing
            self._log(error, request_id)
            if status:
                raise  # half an answer is out: the connection must end
            await self._failed(error, request_id)(scope, receive, send_more)
        finally:
            self._record(scope, status, began, request_id)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = self._ids.name(dict(scope["headers"]).get(b"x-request-id"))
        scope["request_id"] = request_id
        socket = WebSocket(scope, receive, send)
        began = time.perf_counter()
        status = 101
        try:
            refusal = refuse(scope, self._hosts)
            if refusal is not None:
                status = refusal.status
                await socket.send_denial_response(answers.refused(refusal))
            else:
                await self._app(scope, receive, send)
        except MainspringError as error:
            status = error.status
            self._log(error, request_id)
            await socket.send_denial_response(self._failed(error, request_id))
        finally:
            self._record(scope, status, began, request_id)

    def _before(
        self, scope: Scope, headers: dict[bytes, bytes], origin: bytes | None
    ) -> Response | None:
        """What is answered without the application."""
        refusal = refuse(scope, self._hosts)
        if refusal is not None:
            return answers.refused(refusal)
        asked = headers.get(b"access-control-request-headers")
        preflight = cors.preflight(scope, origin, asked)
        if preflight is None:
            return None
        return Response(
            status_code=204,
            headers={k.decode("latin-1"): v.decode("latin-1") for k, v in preflight},
        )

    def _record(self, scope: Scope, status: int, began: float, request_id: str) -> None:
        seconds = time.perf_counter() - began
        route = scope.get("route")
        if not isinstance(route, str):  # what leads nowhere is one figure; hosts put theirs here
            self._measured.add(UNKNOWN, UNKNOWN, status, seconds)
        else:
            self._measured.add(scope["method"], route, status, seconds)
        if self._logged:
            access.record(scope, status, seconds * 1000, request_id)

    def _failed(self, error: Exception, request_id: str) -> Response:
        if isinstance(error, MainspringError):
            return answers.failed(error, self._clock.now(), request_id)
        told = f"The server failed; its log says why. Request {request_id}."
        return answers.refused(Refusal(500, told))

    @staticmethod
    def _log(error: Exception, request_id: str) -> None:
        if isinstance(error, CallerError):
            log.debug("request %s: %s", request_id, error.message)
        elif isinstance(error, MainspringError):
            log.warning("request %s: %s", request_id, error.message)
        else:
            log.error("request %s failed", request_id, exc_info=error)
