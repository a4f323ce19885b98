"""How values are spread: buckets each 19 % wider than the one before, as OTLP has them. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

SCALE: Final = 2
"""OTLP's: four buckets to each power of two. Bucket `i` holds what is over 2**(i/4) and at most
2**((i+1)/4).
"""
ZERO: Final = -10_000
"""The bucket of what is zero or less."""
_PER_POWER: Final = 1 << SCALE
_LEAST: Final = -400
_MOST: Final = 400

Buckets = dict[int, int]


def _index(value: float) -> int:
    if value <= 0:
        return ZERO
    return min(max(math.ceil(math.log2(value) * _PER_POWER) - 1, _LEAST), _MOST)


_SMALL: Final = tuple(_index(value) for value in range(10_000))


def bucket(value: float) -> int:
    """The bucket of a value. Whole numbers under 10,000, as most durations are, cost a look-up."""
    if type(value) is int and 0 <= value < 10_000:
        return _SMALL[value]
    return _index(value)


def upper(index: int) -> float:
    """The greatest value of a bucket."""
    return 0.0 if index == ZERO else float(2 ** ((index + 1) / _PER_POWER))


def quantile(buckets: Mapping[int, int], share: float, low: float, high: float) -> float:
    """The value below which that share lies, 9 % off at most; `low` and `high` are the extremes.

    `buckets` must not be empty.
    """
    wanted = share * sum(buckets.values())
    seen = 0
    for index in sorted(buckets):
        seen += buckets[index]
        if seen >= wanted:
            middle = upper(index) / 2 ** (1 / (2 * _PER_POWER))
            return min(max(middle, low), high)
    return high


def merge(into: Buckets, other: Mapping[int, int]) -> None:
    """Add the counts of another spread."""
    for index, count in other.items():
        into[index] = into.get(index, 0) + count
