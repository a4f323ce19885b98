"""What tests have measured by the way, on a machine that is busy with tests: printed at the end and
kept in a file. No test fails of a time; `./dev bench` measures in quiet.
"""

import json

from tools.environment import ROOT

FIGURES = ROOT / "build" / "figures.jsonl"


def note(what: str, **figures: float) -> None:
    """Keep what was measured."""
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    with FIGURES.open("a") as file:
        file.write(json.dumps({"what": what, **figures}, separators=(",", ":")) + "\n")
