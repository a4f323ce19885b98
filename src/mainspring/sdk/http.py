"""The transport over HTTP: one route, msgpack both ways, retries that never do a thing twice."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

import httpx2
import msgspec

from mainspring.errors import (
    CallerError,
    ConfigurationError,
    MainspringError,
    NotFound,
    OperatorError,
    RateLimited,
    ServerUnreachable,
    Unauthorized,
    classes,
    from_code,
)
from mainspring.wire.calls import RESPONSES, AwaitRun, Request, Response, Trigger

ROUTE: Final = "/api/mainspring/v1/call"
ATTEMPTS: Final = 5
FIRST_DELAY_S: Final = 0.25
LONGEST_DELAY_S: Final = 30.0
TIMEOUT: Final = httpx2.Timeout(30.0, connect=5.0)
_BY_STATUS: Final[dict[int, type[MainspringError]]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    429: RateLimited,
}

_encode: Final = msgspec.msgpack.Encoder().encode
_decoders: Final[dict[type, msgspec.msgpack.Decoder[Any]]] = {
    request: msgspec.msgpack.Decoder(response) for request, response in RESPONSES.items()
}
_Connection = AsyncIterator[httpx2.AsyncClient]


class HttpTransport:
    """Sends requests to a server's call route. Usable from any number of event loops.

    A call without an answer, or told to come back, is made again, `attempts` times at most; the
    request key in its header lets the server recognise the repetition.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        environment: str = "dev",
        attempts: int = ATTEMPTS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.url = url.rstrip("/")
        self.environment = environment
        self.loop: asyncio.AbstractEventLoop | None = None
        self._attempts = attempts
        self._sleep = sleep
        self._headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/msgpack",
            "User-Agent": "mainspring-python",
        }
        self._clients: WeakKeyDictionary[
            asyncio.AbstractEventLoop, tuple[httpx2.AsyncClient, _Connection]
        ] = WeakKeyDictionary()

    async def call(self, request: Request) -> Response:
        key = uuid.uuid4().hex
        if isinstance(request, Trigger):
            for index, item in enumerate(request.requests):
                item.options.request_key = item.options.request_key or f"{key}-{index}"
        timeout = TIMEOUT
        if isinstance(request, AwaitRun):
            timeout = httpx2.Timeout(30.0 + request.timeout_ms / 1000, connect=5.0)
        headers = {"x-trigger-request-idempotency-key": key}
        body = await self._post(_encode(request), headers, timeout)
        try:
            answer: Response = _decoders[type(request)].decode(body)
        except msgspec.DecodeError as error:
            raise ConfigurationError(
                f"What answers at {self.url} is not a Mainspring server of this version ({error}); "
                "check MAINSPRING_URL."
            ) from error
        return answer

    async def close(self) -> None:
        clients, self._clients = self._clients, WeakKeyDictionary()
        here = asyncio.get_running_loop()
        for loop, (client, _) in clients.items():
            if loop is here:
                await client.aclose()

    async def _post(self, body: bytes, headers: dict[str, str], timeout: httpx2.Timeout) -> bytes:
        client = await self._client()
        attempt = 1
        while True:
            problem: MainspringError
            wait: float | None = None
            try:
                response = await client.post(ROUTE, content=body, headers=headers, timeout=timeout)
            except httpx2.TransportError as error:
                problem = ServerUnreachable(
                    f"No server answers at {self.url} ({_reason(error)}). Start one with "
                    "`mainspring dev`, or set MAINSPRING_URL to where it runs."
                )
                problem.__cause__ = error
            else:
                if response.status_code == 200:
                    return response.content
                problem = _problem(response, self.url)
                if not _worth_repeating(response):
                    raise problem
                wait = _asked_to_wait(response)
            if attempt == self._attempts:
                raise problem
            backoff = FIRST_DELAY_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)
            await self._sleep(min(backoff if wait is None else wait, LONGEST_DELAY_S))
            attempt += 1

    async def _client(self) -> httpx2.AsyncClient:
        loop = asyncio.get_running_loop()
        known = self._clients.get(loop)
        if known is not None:
            return known[0]
        connection = self._connection()
        client = await anext(connection)
        self._clients[loop] = client, connection
        return client

    async def _connection(self) -> _Connection:
        # a generator, because `asyncio.run` closes those of its loop before it ends the loop: the
        # connections of a short program are closed though nobody closes the transport
        client = httpx2.AsyncClient(base_url=self.url, headers=self._headers, timeout=TIMEOUT)
        try:
            yield client
        finally:
            await client.aclose()


def _worth_repeating(response: httpx2.Response) -> bool:
    told = response.headers.get("x-should-retry")
    if told in ("true", "false"):
        return bool(told == "true")
    return response.status_code in (408, 429) or response.status_code >= 500


def _asked_to_wait(response: httpx2.Response) -> float | None:
    try:
        return max(0.0, float(response.headers["retry-after"]))
    except (KeyError, ValueError):  # absent, or a date, which no server of ours sends
        return None


def _problem(response: httpx2.Response, url: str) -> MainspringError:
    """The error that an answer other than 200 stands for."""
    status = response.status_code
    try:
        body: Any = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = None
    if not isinstance(body, dict):
        text = response.text.strip()[:200]
        return _by_status(status, f"{url} answered {status}: {text or 'no text'}")
    said = body.get("error")
    text = str(said.get("message") if isinstance(said, dict) else said or f"status {status}")
    code = body.get("code")
    if code in classes():
        return from_code(str(code), text, body.get("details"))
    problem = _by_status(status, text)
    problem.details = body.get("details")
    return problem


def _by_status(status: int, text: str) -> MainspringError:
    family = CallerError if 400 <= status < 500 else OperatorError
    return _BY_STATUS.get(status, family)(text)


def _reason(error: httpx2.TransportError) -> str:
    return str(error) or type(error).__name__
