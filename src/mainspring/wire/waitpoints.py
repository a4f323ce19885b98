"""Wait tokens as the public JSON shows them and as its requests say them. Nothing is asked here."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Final

from mainspring.errors import CallerError, InvalidOptions
from mainspring.model import limits
from mainspring.model.run import TriggerOptions
from mainspring.wire import pages, plain
from mainspring.wire.calls import CreateToken, Token, TokenPage
from mainspring.wire.moments import duration_ms, iso
from mainspring.wire.options import tag_list, take_delay

TIMED_OUT: Final = (
    '{"code":"TRIGGER_WAITPOINT_TIMEOUT","message":"The token was not completed in time."}'
)
_LABEL: Final = b"mainspring callback 1:"


def callback_path(key: str, token_id: str) -> str:
    """The path that completes a token without a key, for whoever is told it.

    It is proof of that token only. `key` is what the server computes for the environment from its
    own secret: the path outlives the secret keys of the environment.
    """
    return f"/api/v1/waitpoints/tokens/{token_id}/callback/{callback_hash(key, token_id)}"


def callback_hash(key: str, token_id: str) -> str:
    """The last part of that path: 64 hexadecimal digits."""
    message = _LABEL + token_id.encode(errors="replace")
    return hmac.digest(key.encode(), message, hashlib.sha256).hex()


def proves(key: str, token_id: str, given: str) -> bool:
    """Whether the path with that last part was made with this key."""
    found = callback_hash(key, token_id).encode()
    return hmac.compare_digest(found, given.encode(errors="replace"))


def create(body: Any) -> CreateToken:
    """The request of a body `{"timeout"?, "idempotencyKey"?, "idempotencyKeyTTL"?, "tags"?}`.

    Raises: CallerError, InvalidOptions, whose details list every bad field with its path.
    """
    if not isinstance(body, dict):
        raise CallerError("Body Error: the body must be an object, or empty.")
    request = CreateToken()
    problems = []
    for name, value in body.items():
        taker = _TAKERS.get(name)
        if taker is None:
            continue
        try:
            if value is None:
                raise InvalidOptions("is null; leave it out instead")
            taker(request, value)
        except InvalidOptions as error:
            problems.append({"path": name, "message": error.message})
    if problems:
        listed = "; ".join(f"{problem['path']}: {problem['message']}" for problem in problems)
        raise InvalidOptions(listed, details=problems)
    return request


def completion(body: Any) -> str | None:
    """The output of a body `{"data"?}` as JSON text. Raises: CallerError, InvalidPayload."""
    if not isinstance(body, dict):
        raise CallerError('Body Error: the body must be an object; give the output as "data".')
    return plain.write(body["data"], "data") if "data" in body else None


def token(found: Token, url: str) -> dict[str, Any]:
    """A token as lists show it; `url` completes it without a key."""
    shown: dict[str, Any] = {
        "id": found.id,
        "url": url,
        "status": found.status.upper(),
        "tags": list(found.tags),
        "createdAt": iso(found.created_at),
    }
    if found.idempotency_key is not None:
        shown["idempotencyKey"] = found.idempotency_key
    for name, at in (
        ("timeoutAt", found.timeout_at),
        ("completedAt", found.completed_at),
        ("idempotencyKeyExpiresAt", found.idempotency_expires_at),
    ):
        if at is not None:
            shown[name] = iso(at)
    return shown


def retrieved(found: Token, url: str) -> dict[str, Any]:
    """A token with its output, which is JSON text; that of one whose time is over is an error."""
    shown = token(found, url)
    if found.status == "timed_out":
        shown |= {"output": TIMED_OUT, "outputType": "application/json", "outputIsError": True}
    elif found.output is not None:
        shown |= {"output": found.output, "outputType": "application/json", "outputIsError": False}
    return shown


def listed(page: TokenPage, urls: list[str]) -> dict[str, Any]:
    """One page of a list."""
    rows = [token(found, url) for found, url in zip(page.tokens, urls, strict=True)]
    return pages.by_cursor(rows, page.next, page.previous)


def _timeout(request: CreateToken, value: Any) -> None:
    options = TriggerOptions()
    take_delay(options, value)
    request.timeout_ms, request.timeout_at = options.delay_ms, options.delay_until


def _key(request: CreateToken, value: Any) -> None:
    if not isinstance(value, str):
        raise InvalidOptions("must be text")
    limits.check_text(value, "idempotencyKey", limits.KEY_LENGTH)
    request.idempotency_key = value


def _key_ttl(request: CreateToken, value: Any) -> None:
    request.idempotency_ttl_ms = max(1, duration_ms(value))


def _tags(request: CreateToken, value: Any) -> None:
    request.tags = tag_list(value)


_TAKERS: Final = {
    "timeout": _timeout,
    "idempotencyKey": _key,
    "idempotencyKeyTTL": _key_ttl,
    "tags": _tags,
}
