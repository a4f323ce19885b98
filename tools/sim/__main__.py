"""The command `./dev sim`: many seeds, or one again, or planted bugs."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Final

from tools.sim.mutations import MUTATIONS, QUICK, Caught, hunt
from tools.sim.scenario import Outcome, simulate

PIECE: Final = 10
"""Seeds that a process takes at a time."""
LINES: Final = 40


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say; 1 when a promise was broken, or a planted bug was not seen."""
    parser = argparse.ArgumentParser("./dev sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, metavar="N", help="how many (500)")
    parser.add_argument("--seed", type=int, metavar="S", help="only this one, or --seeds from here")
    parser.add_argument(
        "--steps", type=int, metavar="K", help="only the first K troubles of a seed"
    )
    parser.add_argument("--processes", type=int, default=1, metavar="P", help="at once (1)")
    parser.add_argument("--trace", type=int, default=LINES, metavar="L", help="lines shown (40)")
    parser.add_argument("--mutations", action="store_true", help="plant bugs and see them caught")
    parser.add_argument("--quick", action="store_true", help="with --mutations: some of them")
    parser.add_argument("--digests", action="store_true", help="print what each seed came to")
    parser.add_argument("--only", default="", metavar="NAME", help="only planted bugs so named")
    given = parser.parse_args(arguments)
    if given.mutations:
        names = QUICK if given.quick else tuple(MUTATIONS)
        chosen = [name for name in names if given.only in name]
        return _hunted(chosen, given.seeds, given.processes)
    if given.seed is not None and "--seeds" not in arguments:
        outcome = simulate(given.seed, given.steps)
        _print_one(outcome)
        if outcome.failure is not None:
            _explain(outcome, given.trace)
        return outcome.failure is not None
    first = given.seed or 0
    seeds = range(first, first + given.seeds)
    if given.digests:
        for outcome in outcomes(seeds, given.processes):
            _print_one(outcome)
        return 0
    return _many(seeds, given.processes, given.trace)


def _many(seeds: range, processes: int, lines: int) -> int:
    began, failed = time.monotonic(), 0
    for done, outcome in enumerate(outcomes(seeds, processes), 1):
        if outcome.failure is not None:
            failed += 1
            _explain(_shrunk(outcome), lines if failed == 1 else 0)
        if done % 100 == 0 or done == len(seeds):
            rate = done / (time.monotonic() - began)
            print(f"sim: {done:,} of {len(seeds):,} seeds, {failed} failed, {rate:.1f} seeds/s")
            sys.stdout.flush()
    return failed > 0


def outcomes(seeds: range, processes: int) -> Iterator[Outcome]:
    """Simulate seeds, in their order if it is one process that does so."""
    if processes == 1:
        yield from map(simulate, seeds)
        return
    pieces = [seeds[at : at + PIECE] for at in range(0, len(seeds), PIECE)]
    with ProcessPoolExecutor(processes) as pool:
        for piece in pool.map(_piece, pieces):
            yield from piece


def _piece(seeds: range) -> list[Outcome]:
    return [simulate(seed) for seed in seeds]


def _shrunk(outcome: Outcome) -> Outcome:
    """The same seed with as few troubles as break a promise still; halves, then one less."""
    best, least = outcome, 0
    while best.troubles > least:
        middle = (least + best.troubles) // 2
        tried = simulate(outcome.seed, middle)
        if tried.failure is not None:
            best = tried
            best.troubles = middle
        else:
            least = middle + 1
    return best


def _explain(outcome: Outcome, lines: int) -> None:
    for line in outcome.trace[-lines:] if lines else ():
        print(line[:200])
    print(f"sim: seed {outcome.seed}: {outcome.failure}")
    print(f"     ./dev sim --seed {outcome.seed} --steps {outcome.troubles} --trace 4000")


def _print_one(outcome: Outcome) -> None:
    print(
        f"sim: seed {outcome.seed}: {outcome.runs} runs, {outcome.executed} bodies, "
        f"{outcome.commits} commits, {outcome.troubles} troubles, {outcome.steps:,} callbacks, "
        f"{outcome.simulated_s:.0f} simulated seconds, digest {outcome.digest:08x}"
    )


def _hunted(names: list[str], seeds: int, processes: int) -> int:
    began, missed = time.monotonic(), 0
    found: Iterator[Caught]
    if processes == 1:
        found = (hunt(name, seeds) for name in names)
    else:
        pool = ProcessPoolExecutor(processes)
        found = pool.map(hunt, names, [seeds] * len(names))
    for caught in found:
        if caught.failure is None:
            missed += 1
            print(f"sim: {caught.name}: NOT CAUGHT by {caught.seeds} seeds")
        else:
            print(f"sim: {caught.name}: seed {caught.seeds - 1}: {caught.failure[:110]}")
        sys.stdout.flush()
    took = time.monotonic() - began
    print(f"sim: {len(names) - missed} of {len(names)} planted bugs caught, {took:.0f} s")
    return missed > 0


if __name__ == "__main__":
    if "PYTHONHASHSEED" not in os.environ:
        # seeds are the same without it; a bug in the order of a set would not be
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tools.sim", *sys.argv[1:]])
    sys.exit(main(sys.argv[1:]))
