"""Requests for public tokens, keys and the audit log, and how they are shown. Nothing is signed."""

from __future__ import annotations

import re
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mainspring.errors import CallerError
from mainspring.wire.tokens import HOUR_S, LONGEST_S

QUARTER_S: Final = HOUR_S // 4
_SPAN: Final = re.compile(
    r"\+? ?(\d{1,9}(?:\.\d{1,9})?) ?(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|"
    r"w|weeks?|y|yrs?|years?)(?: from now)?",
    re.ASCII | re.IGNORECASE,
)
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_557_600}
Body = TypeVar("Body", bound=Struct)


class RealtimeOptions(Struct, rename="camel"):
    """What subscriptions with the token leave out."""

    skip_columns: list[str] | UnsetType = UNSET


class MakeToken(Struct, rename="camel"):
    """The body of `POST /api/v1/auth/public-tokens`. `expiration_time`: epoch seconds, or text such
    as `1h`.
    """

    scopes: list[str]
    expiration_time: int | float | str | UnsetType = UNSET
    one_time_use: bool = False
    realtime: RealtimeOptions | UnsetType = UNSET


class Scopes(Struct):
    """The claims that a caller of `POST /api/v1/auth/jwt` chooses."""

    scopes: list[str] = []


class MakeJwt(Struct, rename="camel"):
    """The body of `POST /api/v1/auth/jwt`."""

    claims: Scopes | UnsetType = UNSET
    expiration_time: int | float | str | UnsetType = UNSET


class MadeToken(Struct):
    """A public token."""

    token: str


class TokenClaims(Struct):
    """What a holder of a key that signs by itself puts into its tokens."""

    sub: str
    pub: bool = True


class MakeKey(Struct, rename="camel"):
    """A new key. `expires_in`: such as `90d`."""

    label: str = ""
    scopes: list[str] = []
    expires_in: str | UnsetType = UNSET


class RotateKey(Struct):
    """How long the old key goes on; `24h` unless it is given."""

    grace: str = "24h"


class ShownKey(Struct, rename="camel", omit_defaults=True):
    """A secret key; `key` is there in the answer that makes it, and never again."""

    id: str
    label: str
    last_four: str
    environment: str
    created_at: str
    scopes: list[str] = []
    last_used_at: str | UnsetType = UNSET
    expires_at: str | UnsetType = UNSET
    revoked_at: str | UnsetType = UNSET
    key: str | UnsetType = UNSET


class KeyList(Struct):
    """The keys of an environment, the oldest first."""

    data: list[ShownKey]


class ShownEntry(Struct, rename="camel", omit_defaults=True):
    """An entry of the audit log."""

    number: int
    at: str
    who: str
    what: str
    environment: str
    target: str = ""
    origin: str = ""
    request_id: str = ""


class AuditPage(Struct, omit_defaults=True):
    """Entries in order; `next` is the number after (or `before`) which there are more."""

    data: list[ShownEntry]
    next: int | UnsetType = UNSET


def read(body: Any, into: type[Body]) -> Body:
    """A body as that type. Raises: CallerError with what is wrong."""
    try:
        return msgspec.convert(body, into)
    except msgspec.ValidationError as error:
        raise CallerError(f"Body Error: {error}.") from error


def life_s(given: int | float | str | UnsetType, now_s: int, usual: int = QUARTER_S) -> int:
    """For how long a token is wanted.

    Raises: CallerError for text of another form, the past, and more than 30 days.
    """
    if isinstance(given, UnsetType):
        return usual
    if isinstance(given, str):
        found = _SPAN.fullmatch(given)
        if found is None:
            raise CallerError(
                f"expirationTime: {given[:40]!r} is no duration; expected such as 15m, 1h, 7d, or "
                "seconds since 1970."
            )
        life = round(float(found[1]) * _UNITS[found[2][0].lower()])
    else:
        life = int(min(given, 1e15)) - now_s
    if life <= 0:
        raise CallerError("expirationTime: a token must end in the future.")
    if life > LONGEST_S:
        raise CallerError("expirationTime: a token lives for 30 days at most.")
    return life
