"""Ids of everything that lives in a shard, and their parsing.

An id is `<prefix>_` + 10 characters of time + 2 of shard + 10 of randomness, all in lower-case
base32hex: it sorts by creation time, and every id names its shard.
"""

from __future__ import annotations

import hashlib
from typing import Final, NewType, Protocol

RunId = NewType("RunId", str)

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuv"
_PAIRS: Final = tuple(a + b for a in _DIGITS for b in _DIGITS)
_VALUE: Final = {digit: value for value, digit in enumerate(_DIGITS)}
_BODY: Final = 22
_TAIL: Final = 10
SHARDS: Final = 1024


class Bits(Protocol):
    """Where randomness comes from: `random.SystemRandom()`, or a seeded `random.Random`."""

    def getrandbits(self, k: int, /) -> int: ...


class IdSource:
    """Makes ids that strictly increase within one process, also inside one millisecond."""

    def __init__(self, bits: Bits) -> None:
        self._bits = bits
        self._at = 0
        self._tail = 0

    def new(self, prefix: str, now: int, shard: int) -> str:
        """A new id, for example `new("run", now, 3)`.

        `now` is epoch ms; when the clock went back the last time is used again, so order holds.
        """
        if now > self._at:
            self._at = now
            self._tail = self._bits.getrandbits(49)
        else:
            self._tail += 1 + self._bits.getrandbits(20)
        at, tail, pairs = self._at, self._tail, _PAIRS
        return (
            f"{prefix}_{pairs[at >> 40 & 1023]}{pairs[at >> 30 & 1023]}{pairs[at >> 20 & 1023]}"
            f"{pairs[at >> 10 & 1023]}{pairs[at & 1023]}{pairs[shard]}"
            f"{pairs[tail >> 40 & 1023]}{pairs[tail >> 30 & 1023]}{pairs[tail >> 20 & 1023]}"
            f"{pairs[tail >> 10 & 1023]}{pairs[tail & 1023]}"
        )


def keyed(prefix: str, at: int, shard: int, key: str) -> str:
    """The id of that time whose tail follows from the key, so that who has the key knows it."""
    digest = hashlib.sha256(key.encode()).digest()
    tail = "".join(_DIGITS[byte & 31] for byte in digest[:_TAIL])
    return f"{lower_bound(prefix, at)}{_PAIRS[shard]}{tail}"


def shard_of(id_: str) -> int:
    """The shard that the id names. Raises: ValueError for text that is not an id."""
    body = _body(id_)
    return _VALUE[body[10]] << 5 | _VALUE[body[11]]


def time_of(id_: str) -> int:
    """When the id was made, epoch ms. Raises: ValueError for text that is not an id."""
    at = 0
    for digit in _body(id_)[:10]:
        at = at << 5 | _VALUE[digit]
    return at


def number_of(id_: str) -> int:
    """What is behind the prefix, as a number of 110 bits. Raises: ValueError for other text."""
    number = 0
    for digit in _body(id_):
        number = number << 5 | _VALUE[digit]
    return number


def of_number(prefix: str, number: int) -> str:
    """The id of that number; see `number_of`."""
    pairs = (_PAIRS[number >> shift & 1023] for shift in range(100, -1, -10))
    return f"{prefix}_{''.join(pairs)}"


def _body(id_: str) -> str:
    body = id_.rpartition("_")[2]
    if len(body) != _BODY or not all(digit in _VALUE for digit in body):
        raise ValueError(
            f"{id_[:80]!r} is not an id of this product; check it for missing letters."
        )
    return body


def lower_bound(prefix: str, at: int) -> str:
    """The text that sorts before every id of that prefix made at `at` (epoch ms) or later."""
    return (
        f"{prefix}_{_PAIRS[at >> 40 & 1023]}{_PAIRS[at >> 30 & 1023]}{_PAIRS[at >> 20 & 1023]}"
        f"{_PAIRS[at >> 10 & 1023]}{_PAIRS[at & 1023]}"
    )
