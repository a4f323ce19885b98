"""Figures in the text form that Prometheus reads (version 0.0.4). Where they come from: others."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from msgspec import Struct, field

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

Kind = Literal["counter", "gauge", "histogram"]
Labels = tuple[tuple[str, str], ...]


class Sample(Struct, frozen=True):
    """One figure. A name that ends in `_total` only grows."""

    name: str
    words: str
    value: float
    labels: Labels = ()


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
        lines += _head(name, found[0].words, kind)
        lines += [f"{name}{_labels(one.labels)} {_number(one.value)}" for one in found]
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
            edge = "+Inf" if bound == float("inf") else _number(bound)
            lines.append(f"{name}_bucket{_labels((*labels, ('le', edge)))} {below}")
        lines.append(f"{name}_sum{_labels(labels)} {_number(durations.total_s)}")
        lines.append(f"{name}_count{_labels(labels)} {durations.count}")
    return "".join(f"{line}\n" for line in lines)


def _head(name: str, words: str, kind: Kind) -> list[str]:
    return [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
