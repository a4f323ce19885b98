"""The metrics that Mainspring makes by itself, and what a metric may be called. No values."""

from __future__ import annotations

import re
from typing import Final, Literal

from msgspec import Struct

Kind = Literal["counter", "gauge", "histogram"]
Labels = tuple[tuple[str, str], ...]
"""Sorted by name."""


class Measure(Struct, frozen=True):
    """A metric by its name, such as `runs.ended`. `unit` is OTLP's: "", "ms", "By". `open`: nobody
    knows how many series there will be, so that it has room of its own.
    """

    name: str
    kind: Kind
    words: str
    unit: str = ""
    labels: tuple[str, ...] = ()
    open: bool = False


OWN: Final = (
    Measure("runs.triggered", "counter", "Runs that were made.", labels=("queue", "task")),
    Measure("runs.started", "counter", "Runs that began.", labels=("queue", "task")),
    Measure("runs.ended", "counter", "Runs that ended.", labels=("queue", "status", "task")),
    Measure("runs.failed", "counter", "Runs that failed, by what they failed of.",
            labels=("error", "task"), open=True),
    Measure("runs.wait", "histogram", "From ready to begun.", "ms", ("queue", "task")),
    Measure("runs.duration", "histogram", "From begun to ended.", "ms", ("queue", "task")),
    Measure("attempts.retried", "counter", "Attempts that failed and are tried again.",
            labels=("queue",)),
    Measure("queue.queued", "gauge", "Runs ready to begin.", labels=("queue",)),
    Measure("queue.running", "gauge", "Runs that hold a slot.", labels=("queue",)),
    Measure("workers.sessions", "gauge", "Sessions of workers."),
    Measure("workers.slots", "gauge", "Slots of all workers."),
    Measure("workers.running", "gauge", "Slots that are taken."),
    Measure("log.lines", "counter", "Lines that runs wrote.", labels=("level", "task")),
    Measure("telemetry.dropped", "counter", "What was too much, or could not be kept.",
            labels=("what",)),
)  # fmt: skip
BY_NAME: Final = {measure.name: measure for measure in OWN}
_RESERVED: Final = frozenset({measure.name.partition(".")[0] for measure in OWN})
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./-]{0,99}")
_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,63}")
LABELS: Final = 8
LABEL_LENGTH: Final = 128


def name_problem(name: str) -> str:
    """Why a program cannot call a metric so; "" when it can."""
    if not _NAME.fullmatch(name):
        return "up to 100 letters, digits and _ . / -, beginning with a letter, are allowed"
    first = name.partition(".")[0]
    if first in _RESERVED or first.lower().startswith(("mainspring", "process")):
        return f"names of Mainspring's own begin with {first!r}; put a word of yours in front"
    return ""


def label_problem(labels: Labels) -> str:
    """Why a metric cannot have these labels; "" when it can."""
    if len(labels) > LABELS:
        return f"{len(labels)} labels; at most {LABELS} are allowed"
    for name, value in labels:
        if not _LABEL.fullmatch(name):
            return f"{name[:70]!r} is no name of a label"
        if len(value) > LABEL_LENGTH or "\0" in value or not value.isprintable():
            return f"the value of {name} is too long or unprintable; {LABEL_LENGTH} are allowed"
    return ""
