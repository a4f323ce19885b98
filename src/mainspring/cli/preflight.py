"""What a pre-flight has found, as items and a table: one line for each task and verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from mainspring.cli.columns import text
from mainspring.cli.item import Columns, Item
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
    """The verdicts by task, the worst of each first; `example` is one of the runs.

    Runs that diverge are told apart by the entry at which they do. Of others, and of reasons, what
    differs within a line is left out: each run may wait for something of its own.
    """
    groups: dict[tuple[str, str, str, str], list[Verdict]] = {}
    for one in verdicts:
        at = one.at if one.verdict == "diverges" else ""
        groups.setdefault((one.task, one.version, one.verdict, at), []).append(one)
    order = ("diverges", "unknown", "fits")
    return [
        {
            "task": task,
            "version": version,
            "verdict": verdict,
            "at": _shared({one.at for one in found}),
            "reason": _shared({one.reason for one in found}, "such as: "),
            "runs": len(found),
            "example": found[0].run_id,
        }
        for (task, version, verdict, _), found in sorted(
            groups.items(), key=lambda each: (*each[0][:2], order.index(each[0][2]), each[0][3])
        )
    ]


def line(item: Item) -> str:
    """One of them as a sentence."""
    at = f" at {item['at']!r}" if item["at"] and item["verdict"] == "diverges" else ""
    why = f": {item['reason']}" if item["reason"] else ""
    runs = "1 run" if item["runs"] == 1 else f"{item['runs']} runs"
    return f"{item['task']}, {runs}: {item['verdict']}{at}{why}"


def _shared(texts: set[str], among: str = "") -> str:
    """What all have in common; else one of them, behind the words for that, or nothing."""
    first = min(texts)
    return first if len(texts) == 1 else f"{among}{first}" if among else ""


def count(verdicts: Sequence[Verdict], verdict: str) -> int:
    """How many runs have that verdict."""
    return sum(one.verdict == verdict for one in verdicts)
