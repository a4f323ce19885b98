"""Entries of the audit log and the chain that links them. Nothing is stored here."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from msgspec import Struct

START: Final = ""
"""What the first entry follows."""
_encode: Final = msgspec.json.Encoder().encode


class Entry(Struct, array_like=True):
    """Who did what, when and from where. `env_id` 0 is none, or all."""

    at: int
    env_id: int
    who: str
    what: str
    target: str = ""
    origin: str = ""
    request_id: str = ""


class Link(Struct, array_like=True):
    """An entry as it is stored, in order of numbers that begin with 1."""

    number: int
    at: int
    env_id: int
    who: str
    what: str
    target: str
    origin: str
    request_id: str
    hash: str

    def entry(self) -> Entry:
        """The entry alone."""
        return Entry(
            self.at, self.env_id, self.who, self.what, self.target, self.origin, self.request_id
        )


def link(key: bytes, number: int, former: str, entries: Iterable[Entry]) -> Iterator[Link]:
    """The entries as they follow the link with that number and hash."""
    for entry in entries:
        number += 1
        former = _hash(key, number, former, entry)
        yield Link(number=number, hash=former, **msgspec.structs.asdict(entry))


def broken(key: bytes, number: int, former: str, links: Iterable[Link]) -> int | None:
    """The number at which the chain after that link does not hold any more; None when it does."""
    for found in links:
        number += 1
        right = _hash(key, number, former, found.entry())
        if found.number != number or not hmac.compare_digest(right, found.hash):
            return number
        former = found.hash
    return None


def _hash(key: bytes, number: int, former: str, entry: Entry) -> str:
    return hmac.digest(key, _encode([former, number, entry]), hashlib.sha256).hex()
