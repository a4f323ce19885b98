"""What a pre-flight has found, as items and a table: one line for each task and verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from mainspring.cli.columns import text
from mainspring.cli.item import Columns
from mainspring.worker.rehearsal import Verdict

COLUMNS: Final[Columns] = {
    "TASK": text("task"),
    "VERSION": text("version"),
    "VERDICT": text("verdict"),
    "AT": text("at"),
    "RUNS": text("runs"),
    "WHY": text("reason"),
}
NOTHING: Final = "No run waits that this version could take over."


def items(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """The verdicts by task, the worst of each first; `example` is one of the runs."""
    groups: Counter[tuple[str, str, str, str, str]] = Counter()
    examples: dict[tuple[str, str, str, str, str], str] = {}
    for one in verdicts:
        key = (one.task, one.version, one.verdict, one.at, one.reason)
        groups[key] += 1
        examples.setdefault(key, one.run_id)
    order = ("diverges", "unknown", "fits")
    found = sorted(groups, key=lambda key: (key[0], key[1], order.index(key[2]), key[3]))
    names = ("task", "version", "verdict", "at", "reason")
    return [
        dict(zip(names, key, strict=True)) | {"runs": groups[key], "example": examples[key]}
        for key in found
    ]


def count(verdicts: Sequence[Verdict], verdict: str) -> int:
    """How many runs have that verdict."""
    return sum(one.verdict == verdict for one in verdicts)
