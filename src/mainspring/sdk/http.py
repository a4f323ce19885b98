"""The transport over HTTP: one route, msgpack both ways, retries that never do a thing twice."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache
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
from mainspring.model.branch import is_branch
from mainspring.model.key import PERSONAL
from mainspring.wire.calls import RESPONSES, Patient, Request, Response, Trigger

ROUTE: Final = "/api/mainspring/v1/call"
REQUEST_KEY: Final = "x-trigger-request-idempotency-key"
ATTEMPTS: Final = 5
FIRST_DELAY_S: Final = 0.25
LONGEST_DELAY_S: Final = 30.0
CONNECT_S: Final = 5.0
POOL: Final = httpx2.Limits(max_connections=None, max_keepalive_connections=100)
"""Without a bound: each subscriber, and whoever awaits a result, holds a connection for long."""
ANSWER_S: Final = 30.0
"""How long one answer is awaited; a connection is given 5 s at most."""
_BY_STATUS: Final[dict[int, type[MainspringError]]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    429: RateLimited,
}

_encode: Final = msgspec.msgpack.Encoder().encode
_Connection = AsyncIterator[httpx2.AsyncClient]


@cache
def _decoder(request: type) -> msgspec.msgpack.Decoder[Any]:
    """Of the response to such a request; made at the first, because all of them take long."""
    return msgspec.msgpack.Decoder(RESPONSES[request])


class HttpTransport:
    """Sends requests to a server's call route. Usable from any number of event loops.

    A call without an answer within `timeout` seconds, or told to come back, is made again,
    `attempts` times at most; the request key in its header lets the server recognise the
    repetition.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        environment: str = "dev",
        attempts: int = ATTEMPTS,
        timeout: float = ANSWER_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.url = url.rstrip("/")
        self.environment = environment
        self.loop: asyncio.AbstractEventLoop | None = None
        self._attempts = attempts
        self._timeout = timeout
        self._sleep = sleep
        self._headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/msgpack",
            "User-Agent": "mainspring-python",
        }
        if key.startswith(PERSONAL) or is_branch(environment):
            self._headers["x-mainspring-environment"] = environment
        self._clients: WeakKeyDictionary[
            asyncio.AbstractEventLoop, tuple[httpx2.AsyncClient, _Connection]
        ] = WeakKeyDictionary()

    async def call(self, request: Request) -> Response:
        key = uuid.uuid4().hex
        if isinstance(request, Trigger) and not request.as_batch:
            for index, item in enumerate(request.requests):
                item.options.request_key = item.options.request_key or f"{key}-{index}"
        patience = request.timeout_ms / 1000 if isinstance(request, Patient) else 0.0
        body = await self._post(ROUTE, _encode(request), {REQUEST_KEY: key}, patience)
        try:
            answer: Response = _decoder(type(request)).decode(body)
        except msgspec.DecodeError as error:
            raise ConfigurationError(
                f"What answers at {self.url} is not a Mainspring server of this version ({error}); "
                "check MAINSPRING_URL."
            ) from error
        return answer

    async def post(self, path: str, value: Any) -> Any:
        """The answer of a JSON route, for what only a server does. Raises: MainspringError."""
        headers = {REQUEST_KEY: uuid.uuid4().hex, "Content-Type": "application/json"}
        body = await self._post(path, msgspec.json.encode(value), headers)
        return msgspec.json.decode(body)

    async def close(self) -> None:
        clients, self._clients = self._clients, WeakKeyDictionary()
        here = asyncio.get_running_loop()
        for loop, (client, _) in clients.items():
            if loop is here:
                await client.aclose()

    async def _post(
        self, path: str, body: bytes, headers: dict[str, str], patience: float = 0.0
    ) -> bytes:
        client = await self._client()
        timeout = httpx2.Timeout(self._timeout + patience, connect=min(self._timeout, CONNECT_S))
        attempt = 1
        while True:
            problem: MainspringError
            wait: float | None = None
            try:
                response = await client.post(path, content=body, headers=headers, timeout=timeout)
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
        # loading certificates takes 50 ms, and without TLS there are none to check
        secure = self.url.startswith("https:")
        client = httpx2.AsyncClient(
            base_url=self.url, headers=self._headers, verify=secure, limits=POOL
        )
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
