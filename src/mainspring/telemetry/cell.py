"""What one series has seen in one stretch of time. No names, no clock."""

from __future__ import annotations

from mainspring.telemetry import spread
from mainspring.telemetry.spread import Buckets


class Cell:
    """Count, sum, extremes and the last of the values; `buckets` is filled for histograms only.

    Of a counter `total` is by how much it grew.
    """

    __slots__ = ("buckets", "count", "high", "last", "low", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.low = 0.0
        self.high = 0.0
        self.last = 0.0
        self.buckets: Buckets = {}

    def see(self, value: float, times: int = 1) -> None:
        """One value of a gauge, so often."""
        if not self.count or value < self.low:
            self.low = value
        if not self.count or value > self.high:
            self.high = value
        self.count += times
        self.total += value * times
        self.last = value

    def spread(self, value: float, times: int = 1) -> None:
        """One value of a histogram, so often."""
        self.see(value, times)
        index = spread.bucket(value)
        self.buckets[index] = self.buckets.get(index, 0) + times

    def grow(self, by: float = 1) -> None:
        """A counter grew."""
        self.count += 1
        self.total += by

    def join(self, later: Cell) -> None:
        """Add what the same series, or one like it, saw later or elsewhere."""
        if not later.count:
            return
        if not self.count or later.low < self.low:
            self.low = later.low
        if not self.count or later.high > self.high:
            self.high = later.high
        self.count += later.count
        self.total += later.total
        self.last = later.last
        spread.merge(self.buckets, later.buckets)
