"""The types of public JSON about wait tokens, for the API's description."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

from mainspring.wire.pages import CursorQuery, Pagination

Word = Literal["WAITING", "COMPLETED", "TIMED_OUT"]
Text = str | UnsetType


class NewToken(Struct, rename="camel"):
    """A token to wait for. `timeout` is a duration such as `1d`, or a date."""

    timeout: Text = UNSET
    idempotency_key: Text = UNSET
    idempotency_key_ttl: Text = field(name="idempotencyKeyTTL", default=UNSET)
    tags: str | list[str] | UnsetType = UNSET


class MadeWaitToken(Struct, rename="camel"):
    """`url` completes the token without a key."""

    id: str
    is_cached: bool
    url: str


class ListedToken(Struct, rename="camel"):
    """A token as lists show it."""

    id: str
    url: str
    status: Word
    tags: list[str]
    created_at: str
    idempotency_key: Text = UNSET
    idempotency_key_expires_at: Text = UNSET
    timeout_at: Text = UNSET
    completed_at: Text = UNSET


class WholeToken(ListedToken, rename="camel"):
    """A token with its output, as JSON text."""

    output: Text = UNSET
    output_type: Text = UNSET
    output_is_error: bool | UnsetType = UNSET


class TokenList(Struct):
    """A page of tokens, newest first."""

    data: list[ListedToken]
    pagination: Pagination


class TokenQuery(CursorQuery, rename=lambda name: f"page[{name}]"):
    """Which tokens to list: lists with commas, any of which fits."""

    status: Text = field(name="filter[status]", default=UNSET)
    idempotency_key: Text = field(name="filter[idempotencyKey]", default=UNSET)
    tags: Text = field(name="filter[tags]", default=UNSET)
    created_from: Text = field(name="filter[createdAt][from]", default=UNSET)
    created_to: Text = field(name="filter[createdAt][to]", default=UNSET)
    period: Text = field(name="filter[createdAt][period]", default=UNSET)


class Completion(Struct):
    """What the token brings to whoever waits for it: any JSON value."""

    data: Any = UNSET
