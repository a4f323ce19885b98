"""What tests have measured by the way, on a machine that is busy with tests: printed at the end and
kept in a file. No test fails of a time; `./dev bench` measures in quiet.
"""

from tools.environment import ROOT

FIGURES = ROOT / "build" / "figures.jsonl"
