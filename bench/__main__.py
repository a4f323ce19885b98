"""`python -m bench`: the benchmarks on both stores, as one table and as JSON lines.

    ./dev bench [--quick] [--only NAME] [--store sqlite|postgres] [--json FILE]
    ./dev bench --against PEER [--do drain|workflow] [--quick] [--store …]

`--against` runs the peer's own test in turn with ours (A B A B) and prints the ratio; the peers'
harness has to lie beside the repository, or in the folder that BENCH_PEERS names.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import against
from bench.cases import CASES
from bench.figure import Figure
from bench.place import STORES
from mainspring.server.serve import runner


def commit() -> str:
    """The commit that is measured, with + when the tree has changes."""
    git = ["git", "describe", "--always", "--dirty=+"]
    found = subprocess.run(git, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def measure(names: Iterable[str], stores: Iterable[str], quick: bool) -> Iterable[Figure]:
    for name in names:
        for store in stores:
            print(f"{name} on {store} …", file=sys.stderr, flush=True)
            with runner() as loop:  # as a server's process
                figure = loop.run(CASES[name](store, quick))
            yield figure


def table(rows: list[Figure]) -> Table:
    shown = Table("bench", "store", "per s", "p50 ms", "p99 ms", "ratio", "n")
    for row in rows:
        shown.add_row(
            str(row["bench"]),
            str(row["store"]),
            *(_number(row.get(key)) for key in ("per_s", "p50_ms", "p99_ms", "ratio", "n")),
        )
    return shown


def _number(value: object) -> str:
    if isinstance(value, int | float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the runs")
    parser.add_argument("--only", choices=sorted(CASES), action="append")
    parser.add_argument("--store", choices=STORES, action="append")
    parser.add_argument("--against", metavar="PEER", help="pgqueuer, dramatiq, celery, …")
    parser.add_argument("--do", choices=sorted(against.TESTS), default="drain")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    stores = options.store or STORES
    if options.against:
        found = against.compare(options.against, options.do, stores, options.quick)
    else:
        found = measure(options.only or CASES, stores, options.quick)
    stamp = {"date": datetime.date.today().isoformat(), "commit": commit()}
    rows = []
    for row in found:
        rows.append(row)
        line = json.dumps({**row, **stamp})
        print(line, flush=True)
        if options.json:
            with options.json.open("a") as file:
                file.write(line + "\n")
    Console(stderr=True).print(table(rows))


if __name__ == "__main__":
    main()
