"""Public tokens as text: signed claims that say what their holder may read. Keys come from outside.

The form is a JSON Web Token with HS256; issuer and audience are those that clients of the wire
contract know.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

import msgspec

HEADER: Final = "x-trigger-jwt"
HOUR_S: Final = 3600

_ISSUER: Final = "https://id.trigger.dev"
_AUDIENCE: Final = "https://api.trigger.dev"


def _part(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


_HEAD: Final = _part(b'{"alg":"HS256"}')


def token(
    key: bytes, environment: str, scopes: Sequence[str], now_s: int, life_s: int = HOUR_S
) -> str:
    """A token of that environment for `life_s` seconds from `now_s`, signed with `key`."""
    claims = {
        "sub": environment,
        "pub": True,
        "scopes": scopes,
        "iss": _ISSUER,
        "aud": _AUDIENCE,
        "iat": now_s,
        "exp": now_s + life_s,
    }
    signed = _HEAD + b"." + _part(msgspec.json.encode(claims))
    return (signed + b"." + _part(hmac.digest(key, signed, hashlib.sha256))).decode()


def of_run(run_id: str) -> tuple[str, ...]:
    """What the token in the answer of a trigger allows."""
    return (f"read:runs:{run_id}", f"write:inputStreams:{run_id}")


def of_batch(batch_id: str) -> tuple[str, ...]:
    """What the token in the answer of a batch allows."""
    return (f"read:batch:{batch_id}",)
