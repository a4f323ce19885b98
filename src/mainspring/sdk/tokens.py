"""Tokens, which a run can wait for and anybody can complete. Waiting for one is in `wait`."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final, Literal, Protocol, TypeVar, overload

import msgspec

from mainspring.errors import Conflict, InvalidOptions, InvalidPayload, WaitTimeout
from mainspring.model.duration import Duration, milliseconds
from mainspring.sdk.codec import UNREADABLE
from mainspring.sdk.encode import BEYOND_JSON, to_json, why
from mainspring.sdk.kept import kept
from mainspring.sdk.options import delay
from mainspring.sdk.shape import reader
from mainspring.sdk.transport import ask
from mainspring.wire import calls

T = TypeVar("T")
Status = Literal["waiting", "completed", "timed_out"]
_STATUSES: Final = ("waiting", "completed", "timed_out")
_plain: Final = msgspec.json.Decoder().decode


class HasId(Protocol):
    """A token, or anything else with its id."""

    @property
    def id(self) -> str: ...


class Token:
    """A token as it was when it was read; `wait.token(token)` waits for it.

    Attributes:
        status: waiting, completed or timed_out; the last two are final.
        created_at: epoch ms, as are `timeout_at` and `completed_at` where there are such.
        cached: an idempotency key gave an older token.
    """

    __slots__ = (
        "_output", "cached", "completed_at", "created_at", "id", "idempotency_key", "status",
        "tags", "timeout_at",
    )  # fmt: skip

    def __init__(self, read: calls.Token) -> None:
        self.id = read.id
        self.status = read.status
        self.created_at = read.created_at
        self.timeout_at = read.timeout_at
        self.completed_at = read.completed_at
        self.idempotency_key = read.idempotency_key
        self.tags = read.tags
        self.cached = read.cached
        self._output = read.output

    def __repr__(self) -> str:
        return f"<Token {self.id} {self.status}>"

    @overload
    def result(self, type: builtins.type[T]) -> T: ...
    @overload
    def result(self, type: Any = None) -> Any: ...
    def result(self, type: Any = None) -> Any:
        """What it was completed with, as `type`.

        Raises: WaitTimeout when its time was over first, Conflict when it is not completed yet,
        InvalidPayload when the output does not fit the type.
        """
        if self.status == "timed_out":
            raise WaitTimeout(
                f"Token {self.id} was not completed in time.",
                details={"kind": "token", "name": self.id},
            )
        if self.status != "completed":
            raise Conflict(
                f"Token {self.id} is still {self.status}; wait for it with `wait.token`, or "
                "retrieve it later."
            )
        text = self._output or "null"
        if type is None:
            return _plain(text)
        known = reader(type, "result: type")
        try:
            return known.decode(text)
        except UNREADABLE as error:
            raise InvalidPayload(
                f"The output of token {self.id} does not fit: {error}. Correct the type, or "
                "whoever completes it.",
                details=known.faults(text),
            ) from error


async def create_token(
    *,
    timeout: Duration | datetime | None = None,
    tags: str | Sequence[str] = (),
    idempotency_key: str | None = None,
    idempotency_key_ttl: Duration | None = None,
) -> Token:
    """Make a token. In a run this is a step, so that a replay gives the same one.

    Args:
        timeout: it ends after so long (seconds, timedelta or text) or at an aware datetime, and
            whoever waits for it gets WaitTimeout; None means never.
        idempotency_key: a second call with the same key gives the first token, however it stands.
        idempotency_key_ttl: how long the key is remembered, 30 days by default.

    Raises: InvalidOptions.
    """
    after_ms, at = (None, None) if timeout is None else delay(timeout)
    ttl = idempotency_key_ttl
    request = calls.CreateToken(
        after_ms,
        at,
        idempotency_key,
        None if ttl is None else milliseconds(ttl, "idempotency_key_ttl"),
        (tags,) if isinstance(tags, str) else tuple(tags),
    )
    return Token(await kept("create_token", _made, request))


async def retrieve_token(token: str | HasId) -> Token:
    """The token as it is now. Raises: NotFound."""
    return Token(await ask(calls.GetToken(_id(token)), calls.Token))


async def complete_token(token: str | HasId, output: Any = None) -> Token:
    """Give the token its output, and let go on whoever waits for it.

    One that has ended stays as it is; the answer shows how. Raises: NotFound, InvalidOptions when
    the output has no JSON form.
    """
    try:
        text = to_json(output).decode()
    except BEYOND_JSON as error:
        raise InvalidOptions(f"The output cannot be written as JSON: {why(error)}.") from error
    return Token(await ask(calls.CompleteToken(_id(token), text), calls.Token))


async def list_tokens(
    *,
    status: Status | Sequence[Status] = (),
    tag: str | Sequence[str] = (),
    idempotency_key: str | None = None,
    created_from: datetime | None = None,
    created_to: datetime | None = None,
    limit: int | None = None,
) -> AsyncIterator[Token]:
    """Walk through the tokens that pass all filters, newest first, asking for a page at a time.

    Several values of one filter mean any of them. Raises: InvalidOptions.
    """
    states = (status,) if isinstance(status, str) else tuple(status)
    for word in states:
        if word not in _STATUSES:
            raise InvalidOptions(f"status is {word!r}; there are {', '.join(_STATUSES)}.")
    request = calls.ListTokens(
        states,
        (tag,) if isinstance(tag, str) else tuple(tag),
        idempotency_key,
        None if created_from is None else delay(created_from)[1],
        None if created_to is None else delay(created_to)[1],
        limit=100,
    )
    left = limit
    while left is None or left > 0:
        if left is not None:
            request.limit = min(100, left)
        page = await ask(request, calls.TokenPage)
        for token in page.tokens:
            yield Token(token)
        if page.next is None:
            return
        request.after = page.next
        if left is not None:
            left -= len(page.tokens)


async def _made(request: calls.CreateToken) -> calls.Token:
    return await ask(request, calls.Token)


def _id(token: str | HasId) -> str:
    return token if isinstance(token, str) else token.id
