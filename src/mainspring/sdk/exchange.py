"""Calls over HTTP: one route, msgpack both ways, retries that never do a thing twice. Who inherits
says how one request travels. No event loop is loaded here: not every way needs one.
"""

from __future__ import annotations

import os
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

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

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

ROUTE: Final = "/api/mainspring/v1/call"
REQUEST_KEY: Final = "x-trigger-request-idempotency-key"
ATTEMPTS: Final = 5
FIRST_DELAY_S: Final = 0.25
LONGEST_DELAY_S: Final = 30.0
CONNECT_S: Final = 5.0
ANSWER_S: Final = 30.0
"""How long one answer is awaited; a connection is given 5 s at most."""
_BY_STATUS: Final[dict[int, type[MainspringError]]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    429: RateLimited,
}

_encode: Final = msgspec.msgpack.Encoder().encode


class Answer(NamedTuple):
    """What came back; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Unreached(Exception):
    """Nothing came back; the text says why."""


@cache
def _decoder(request: type) -> msgspec.msgpack.Decoder[Any]:
    """Of the response to such a request; made at the first, because all of them take long."""
    return msgspec.msgpack.Decoder(RESPONSES[request])


class Exchange(ABC):
    """Sends requests to a server's call route.

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
        sleep: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        if not _is_address(url):
            raise ConfigurationError(
                f"{url[:200]!r} is no address of a server; write one such as https://jobs.example."
            )
        self.url = url.rstrip("/")
        self.environment = environment
        self.loop: AbstractEventLoop | None = None
        self.headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/msgpack",
            "User-Agent": "mainspring-python",
        }
        if key.startswith(PERSONAL) or is_branch(environment):
            self.headers["x-mainspring-environment"] = environment
        self._attempts = attempts
        self._timeout = timeout
        self._sleep = sleep or self.pause

    @abstractmethod
    async def send(
        self, path: str, body: bytes, headers: dict[str, str], timeout: float, connect: float
    ) -> Answer:
        """Post it, with `self.headers` beside these. Times are seconds. Raises: Unreached."""

    @abstractmethod
    async def pause(self, seconds: float) -> None:
        """Wait before a request is made again."""

    @abstractmethod
    async def close(self) -> None:
        """Give up connections; safe to call twice."""

    async def call(self, request: Request) -> Response:
        key = os.urandom(16).hex()
        if isinstance(request, Trigger) and not request.as_batch:
            for index, item in enumerate(request.requests):
                item.options.request_key = item.options.request_key or f"{key}-{index}"
        patience = request.timeout_ms / 1000 if isinstance(request, Patient) else 0.0
        body = await self._post(ROUTE, _encoded(request), {REQUEST_KEY: key}, patience)
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
        headers = {REQUEST_KEY: os.urandom(16).hex(), "Content-Type": "application/json"}
        body = await self._post(path, msgspec.json.encode(value), headers)
        return msgspec.json.decode(body)

    async def _post(
        self, path: str, body: bytes, headers: dict[str, str], patience: float = 0.0
    ) -> bytes:
        connect = min(self._timeout, CONNECT_S)
        attempt = 1
        while True:
            problem: MainspringError
            wait: float | None = None
            try:
                answer = await self.send(path, body, headers, self._timeout + patience, connect)
            except Unreached as error:
                problem = ServerUnreachable(
                    f"No server answers at {self.url} ({error}). Start one with "
                    "`mainspring dev`, or set MAINSPRING_URL to where it runs."
                )
                problem.__cause__ = error
            else:
                if answer.status == 200:
                    return answer.content
                problem = _problem(answer, self.url)
                if not _worth_repeating(answer):
                    raise problem
                wait = _asked_to_wait(answer)
            if attempt == self._attempts:
                raise problem
            backoff = FIRST_DELAY_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)
            await self._sleep(min(backoff if wait is None else wait, LONGEST_DELAY_S))
            attempt += 1


def _encoded(request: Request) -> bytes:
    try:
        return _encode(request)
    except (UnicodeEncodeError, OverflowError, TypeError) as error:
        raise CallerError(
            f"The request cannot be sent: {error}. Give each argument a value of the type that its "
            "signature says, in text without lone surrogates, in numbers of 64 bits."
        ) from error


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, or a bracket that is not closed
        return False


def _worth_repeating(answer: Answer) -> bool:
    told = answer.headers.get("x-should-retry")
    if told in ("true", "false"):
        return bool(told == "true")
    return answer.status in (408, 429) or answer.status >= 500


def _asked_to_wait(answer: Answer) -> float | None:
    try:
        return max(0.0, float(answer.headers["retry-after"]))
    except (KeyError, ValueError):  # absent, or a date, which no server of ours sends
        return None


def _problem(answer: Answer, url: str) -> MainspringError:
    """The error that an answer other than 200 stands for."""
    status = answer.status
    try:
        body: Any = msgspec.json.decode(answer.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = None
    if not isinstance(body, dict):
        text = answer.content.decode(errors="replace").strip()[:200]
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
