"""Public tokens as text: signed claims that say what their holder may do. Keys come from outside.

The form is a JSON Web Token with HS256; issuer and audience are those that clients of the wire
contract know. There is one way to write a token and no other is read: no other algorithm, no
padding, no repeated or unknown form of a claim.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mainspring.model import scope

HEADER: Final = "x-trigger-jwt"
CLAIMS_HEADER: Final = "x-trigger-jwt-claims"
HOUR_S: Final = 3600
DAY_S: Final = 24 * HOUR_S
LONGEST_S: Final = 30 * DAY_S
LENGTH: Final = 16 * 1024
"""Characters of a token; headers of a request may have twice as many together."""

_ISSUER: Final = "https://id.trigger.dev"
_AUDIENCE: Final = "https://api.trigger.dev"
_SLACK_S: Final = 60
_COLUMNS: Final = 100


def _part(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


_HEAD: Final = _part(b'{"alg":"HS256"}')


class Realtime(Struct, rename="camel", omit_defaults=True):
    """How subscriptions with this token differ."""

    skip_columns: list[str] | UnsetType = UNSET


class Actor(Struct):
    """On whose behalf the token was made; shown, never relied on."""

    sub: str


class Claims(Struct, omit_defaults=True):
    """What a token says. `key` is ours: the id of the secret key in whose name it was made, so that
    it ends with that key.
    """

    sub: str
    pub: bool
    scopes: list[str]
    iss: str
    aud: str
    iat: int
    exp: int
    nbf: int | UnsetType = UNSET
    otu: bool = False
    realtime: Realtime | UnsetType = UNSET
    act: Actor | UnsetType = UNSET
    key: str = ""


_claims: Final = msgspec.json.Decoder(Claims).decode
_subject: Final = msgspec.json.Decoder(dict[str, Any]).decode


def token(
    key: bytes,
    environment: str,
    scopes: Sequence[str],
    now_s: int,
    life_s: int = HOUR_S,
    *,
    made_by: str = "",
    once: bool = False,
    skip_columns: Sequence[str] | None = None,
) -> str:
    """A token of that environment for `life_s` seconds from `now_s`, signed with `key`."""
    claims = Claims(
        sub=environment,
        pub=True,
        scopes=list(scopes),
        iss=_ISSUER,
        aud=_AUDIENCE,
        iat=now_s,
        exp=now_s + life_s,
        otu=once,
        realtime=UNSET if skip_columns is None else Realtime(list(skip_columns)),
        key=made_by,
    )
    signed = _HEAD + b"." + _part(msgspec.json.encode(claims))
    return (signed + b"." + _part(hmac.digest(key, signed, hashlib.sha256))).decode()


def subject(text: str) -> str | None:
    """Whose token the text claims to be, to find the keys that can prove it; nothing is proved."""
    parts = _parts(text)
    if parts is None:
        return None
    try:
        found = _subject(parts[1]).get("sub")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, str) else None


def proved(text: str, keys: Iterable[bytes]) -> tuple[Claims, bytes] | None:
    """The claims of a token that one of the keys has signed, and that key; None for everything
    else. Whether they hold, `holds` tells.
    """
    parts = _parts(text)
    if parts is None:
        return None
    signed, payload, signature = parts
    by: bytes | None = None
    for key in keys:
        # every key is tried, so that the time does not tell which one was right
        if hmac.compare_digest(hmac.digest(key, signed, hashlib.sha256), signature):
            by = key
    if by is None:
        return None
    try:
        json.loads(payload, object_pairs_hook=_once)
        return _claims(payload), by
    except (ValueError, msgspec.DecodeError, RecursionError):
        return None


def verified(text: str, keys: Iterable[bytes], environment: str, now_s: int) -> Claims | None:
    """The claims of a token of that environment that one of the keys has signed and that holds
    now; None for everything else, whatever is wrong with it.
    """
    found = proved(text, keys)
    return found[0] if found is not None and holds(found[0], environment, now_s) else None


def claims_header(environment: str) -> str:
    """What an SDK signs itself when it is given no token."""
    return msgspec.json.encode({"sub": environment, "pub": True}).decode()


def digest(text: str) -> str:
    """What is stored of a one-time token once it is used."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def of_run(run_id: str) -> tuple[str, ...]:
    """What the token in the answer of a trigger allows."""
    return (f"read:runs:{run_id}", f"write:inputStreams:{run_id}")


def of_batch(batch_id: str, *, filling: bool = False) -> tuple[str, ...]:
    """What the token in the answer of a batch allows; a page that has made it may fill it."""
    read = f"read:batch:{batch_id}"
    return (read, f"write:batch:{batch_id}") if filling else (read,)


def _parts(text: str) -> tuple[bytes, bytes, bytes] | None:
    """(what is signed, payload, signature); None for text of another form."""
    if len(text) > LENGTH or not text.isascii():
        return None
    head, dot, rest = text.encode().partition(b".")
    body, dot2, tail = rest.partition(b".")
    if head != _HEAD or not dot or not dot2:
        return None
    payload, signature = _read(body), _read(tail)
    if payload is None or signature is None or len(signature) != 32:
        return None
    return head + b"." + body, payload, signature


def _read(part: bytes) -> bytes | None:
    """Base64url in its only form: no padding, no other alphabet, no bits left over."""
    try:
        data = base64.b64decode(part + b"=" * (-len(part) % 4), b"-_", validate=True)
    except ValueError:
        return None
    return data if _part(data) == part else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def holds(claims: Claims, environment: str, now_s: int) -> bool:
    """Whether claims that are proved say something about that environment, and at that time."""
    scopes = claims.scopes
    columns = [] if claims.realtime is UNSET else claims.realtime.skip_columns or []
    return (
        claims.pub
        and claims.sub == environment
        and claims.iss == _ISSUER
        and claims.aud == _AUDIENCE
        and now_s < claims.exp
        and claims.iat <= now_s + _SLACK_S
        and 0 < claims.exp - claims.iat <= LONGEST_S
        and (claims.nbf is UNSET or claims.nbf <= now_s)
        and 0 < len(scopes) <= scope.MOST
        and all(scopes)
        and len(columns) <= _COLUMNS
    )
