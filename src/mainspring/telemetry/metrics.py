"""Figures in the text form that Prometheus reads (version 0.0.4). Where they come from: others."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from msgspec import Struct, field

from mainspring.telemetry.cell import Cell
from mainspring.telemetry.spread import upper

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

BOUNDS: Final = tuple(4.0**power for power in range(-5, 13))
"""Of the buckets that Prometheus is told of a spread: each four times the one before."""

Kind = Literal["counter", "gauge", "histogram"]
Labels = tuple[tuple[str, str], ...]


class Sample(Struct, frozen=True):
    """One figure. A name that ends in `_total` only grows. With a `spread` it is a histogram."""

    name: str
    words: str
    value: float
    labels: Labels = ()
    spread: Cell | None = None


class Durations(Struct):
    """How often something happened, and how long it took."""

    count: int = 0
    total_s: float = 0.0
    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))

    def add(self, seconds: float) -> None:
        """It happened once more."""
        self.count += 1
        self.total_s += seconds
        self.counts[bisect_left(BUCKETS_S, seconds)] += 1


def expose(samples: Iterable[Sample]) -> str:
    """The figures as text; those of one name together, in the order of their first."""
    names: dict[str, list[Sample]] = {}
    for sample in samples:
        names.setdefault(sample.name, []).append(sample)
    lines: list[str] = []
    for name, found in names.items():
        kind: Kind = "counter" if name.endswith("_total") else "gauge"
        if found[0].spread is not None:
            kind = "histogram"
        lines += _head(name, found[0].words, kind)
        lines += [line for one in found if one.spread is not None for line in _spread(one)]
        if kind == "histogram":
            continue
        lines += [f"{name}{labeled(one.labels)} {number(one.value)}" for one in found]
    return "".join(f"{line}\n" for line in lines)


def expose_durations(name: str, words: str, found: Mapping[Labels, Durations]) -> str:
    """Durations as a histogram; nothing when there are none."""
    if not found:
        return ""
    lines = _head(name, words, "histogram")
    for labels, durations in found.items():
        below = 0
        for bound, count in zip((*BUCKETS_S, float("inf")), durations.counts, strict=True):
            below += count
            edge = "+Inf" if bound == float("inf") else number(bound)
            lines.append(f"{name}_bucket{labeled((*labels, ('le', edge)))} {below}")
        lines.append(f"{name}_sum{labeled(labels)} {number(durations.total_s)}")
        lines.append(f"{name}_count{labeled(labels)} {durations.count}")
    return "".join(f"{line}\n" for line in lines)


def _spread(one: Sample) -> list[str]:
    assert one.spread is not None
    name, labels, cell = one.name, one.labels, one.spread
    lines = []
    for bound in BOUNDS:
        below = sum(count for index, count in cell.buckets.items() if upper(index) <= bound)
        lines.append(f"{name}_bucket{labeled((*labels, ('le', number(bound))))} {below}")
    lines.append(f"{name}_bucket{labeled((*labels, ('le', '+Inf')))} {cell.count}")
    lines.append(f"{name}_sum{labeled(labels)} {number(cell.total)}")
    return [*lines, f"{name}_count{labeled(labels)} {cell.count}"]


def _head(name: str, words: str, kind: Kind) -> list[str]:
    return [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]


def labeled(labels: Labels) -> str:
    """Labels in braces; nothing for none."""
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def number(value: float) -> str:
    """A number as Prometheus reads it."""
    return str(int(value)) if value == int(value) else repr(value)
