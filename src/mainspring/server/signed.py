"""Addresses that carry their own proof: who was given one may read or write that one thing, without
a key, until it expires.

What is signed is the method, the environment, the path and the expiry, with what every server
computes for that environment from its secret.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

from mainspring.store.protocol import EnvironmentRow

LIFE_S: Final = 3600
_PLACE: Final = re.compile(r"(0|[1-9]\d{0,3})-([1-9]\d{0,15})", re.ASCII)
_EXPIRES: Final = re.compile(r"[1-9]\d{0,11}", re.ASCII)
_PURPOSE: Final = b"mainspring signed address 1"


def location(key_hash: str, env: EnvironmentRow, method: str, path: str, now: int) -> str:
    """Path and query of an address for that method and storage path, good for an hour."""
    place, expires = f"{env.shard_id}-{env.env_id}", str(now // 1000 + LIFE_S)
    proof = {"expires": expires, "signature": _sign(key_hash, method, place, path, expires)}
    return f"/api/v1/signed/{place}/{quote(path, safe='')}?{urlencode(proof)}"


def shard_of_place(place: str) -> int:
    """The shard that an address names; -1 when it names none."""
    found = _PLACE.fullmatch(place)
    return int(found[1]) if found else -1


def is_of(env: EnvironmentRow, place: str) -> bool:
    """Whether the address names that environment."""
    return place == f"{env.shard_id}-{env.env_id}"


def proves(key_hash: str, method: str, parameters: tuple[str, ...], query: bytes, now: int) -> bool:
    """Whether place, path and query were signed with that key for that method, and hold still.

    Nothing about the comparison depends on where a wrong signature differs.
    """
    place, path = parameters
    try:
        given = parse_qsl(query.decode("ascii"), strict_parsing=True, max_num_fields=2)
    except ValueError:
        return False
    if [name for name, _ in given] != ["expires", "signature"]:
        return False
    expires, signature = given[0][1], given[1][1]
    if not _EXPIRES.fullmatch(expires) or not signature.isascii():
        return False
    wanted = _sign(key_hash, "GET" if method == "HEAD" else method, place, path, expires)
    return hmac.compare_digest(wanted, signature) and now < int(expires) * 1000


def _sign(key_hash: str, method: str, place: str, path: str, expires: str) -> str:
    key = hmac.digest(key_hash.encode(), _PURPOSE, hashlib.sha256)
    text = "\n".join((method, place, expires, path))
    return hmac.new(key, text.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()
