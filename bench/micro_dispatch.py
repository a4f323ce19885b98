"""Speed and memory of the scheduler core alone; prints one JSON line per figure.

python bench/micro_dispatch.py [--quick] [--only NAME]
"""

import argparse
import gc
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mainspring.dispatch import Core, EnvironmentLimits, KeyLimits, Lane, QueueLimits, RateLimit

ENV, NOW = 1, 1_760_000_000_000
POOL = 200  # runs claimed in one go, and slots held meanwhile


def run_id(n: int) -> str:
    return f"run_{n:022d}"  # as long as a real one


def rss_mib() -> float:
    status = Path("/proc/self/status")
    if status.exists():
        line = next(row for row in status.read_text().splitlines() if row.startswith("VmRSS"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(bench: str, **figures: object) -> None:
    print(json.dumps({"bench": f"dispatch_{bench}", **figures}), flush=True)


def fill(core: Core, runs: int, lanes: int, queues: int = 1) -> float:
    """Queue runs round the lanes; returns seconds."""
    keys = [
        (ENV, f"q{n % queues}", f"user-{n}" if lanes > queues else "", "") for n in range(lanes)
    ]
    push = core.push
    begin = time.perf_counter()
    for n in range(runs):
        push(keys[n % lanes], NOW + n, run_id(n))
    return time.perf_counter() - begin


def refill(core: Core, runs: int, lanes: int) -> None:
    """Stand in for the database: what lies beyond a window follows from the run's number."""
    for lane in core.refills():
        first = lane.cursor[0] - NOW + lanes if lane.cursor else 0
        rows = [(NOW + n, run_id(n)) for n in range(first, runs, lanes)[:2048]]
        core.refill(lane, rows, len(rows) < 2048)


def drain(core: Core, total: int, runs: int, lanes: int, pool: int) -> float:
    """Claim and release `total` runs with `pool` slots; returns seconds spent in the core."""
    done, spent, now = 0, 0.0, NOW
    held: list[Lane] = []
    while done < total:
        now += 1
        begin = time.perf_counter()
        core.release_many(held, now)
        claims = core.claim(ENV, "v1", pool, now)
        held = [claim[0] for claim in claims]
        spent += time.perf_counter() - begin
        if not held:
            raise SystemExit(f"dispatch stalled after {done} of {total}")
        done += len(held)
        refill(core, runs, lanes)
    core.release_many(held, now)
    return spent


def measure(  # one figure has many conditions
    name: str, runs: int, lanes: int, total: int, limits: Callable[[Core], None], pool: int = POOL
) -> None:
    gc.collect()
    before = rss_mib()
    core = Core()
    limits(core)
    push_s = fill(core, runs, lanes, 10 if name == "queues_10" else 1)
    gc.collect()
    memory = rss_mib()
    drain_s = drain(core, total, runs, lanes, pool)
    report(
        name,
        per_s=round(total / drain_s),
        push_per_s=round(runs / push_s),
        lanes=lanes,
        runs=runs,
        rss_mib=round(memory, 1),
        grown_mib=round(memory - before, 1),
    )


def no_limits(core: Core) -> None:
    core.set_environment(ENV, EnvironmentLimits())


def key_limits(core: Core) -> None:
    core.set_environment(ENV, EnvironmentLimits(limit=100_000, burst=2.0))
    core.set_queue(ENV, "q0", QueueLimits(limit=2, total=50_000))


def weights(core: Core) -> None:
    for n in range(0, 100_000, 3):
        core.set_key(ENV, "q0", f"user-{n}", KeyLimits(weight=2.0 + n % 7))


def queue_rate(core: Core) -> None:
    core.set_queue(ENV, "q0", QueueLimits(rate=RateLimit(10_000_000, 1000, burst=1_000_000)))


def key_rate(core: Core) -> None:
    rate = RateLimit(1_000_000, 1000, burst=100, per_key=True)
    core.set_queue(ENV, "q0", QueueLimits(rate=rate))


def start_direct(total: int) -> None:
    core = Core()
    begin = time.perf_counter()
    for n in range(total):
        lane = core.start((ENV, "q0", "", ""), NOW + n // 100, 1, "v1")
        assert lane is not None
        core.release(lane, NOW + n // 100)
    report("start", per_s=round(total / (time.perf_counter() - begin)))


def new_keys(total: int) -> None:
    """Every run has a key of its own, that comes and goes."""
    core = Core()
    before = rss_mib()
    begin = time.perf_counter()
    for n in range(total):
        core.push((ENV, "q0", f"user-{n}", ""), NOW + n, run_id(n))
        for claim in core.claim(ENV, "v1", 1, NOW + n):
            core.release(claim[0], NOW + n)
    spent = time.perf_counter() - begin
    report("new_keys", per_s=round(total / spent), grown_mib=round(rss_mib() - before, 1))


def benches(quick: bool) -> Iterator[tuple[str, Callable[[], None]]]:
    k = 1 if quick else 10
    m, total = 100_000 * k, 40_000 * k
    shapes = [
        ("one_lane", m, 1, no_limits),
        ("lanes_1k", m, 1_000, no_limits),
        ("lanes_100k", m, 10_000 * k, no_limits),
        ("lanes_100k_limited", m, 10_000 * k, key_limits),
        ("lanes_100k_weighted", m, 10_000 * k, weights),
        ("queues_10", m, 10, no_limits),
        ("queue_rate", m, 1_000, queue_rate),
        ("key_rate", m, 1_000, key_rate),
    ]
    for name, runs, lanes, limits in shapes:
        yield name, lambda n=name, r=runs, x=lanes, f=limits: measure(n, r, x, total, f)
    yield "one_by_one", lambda: measure("one_by_one", m, 1_000, total, no_limits, 1)
    yield "start", lambda: start_direct(total)
    yield "new_keys", lambda: new_keys(total)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the runs and lanes")
    parser.add_argument("--only", help="one bench by name")
    options = parser.parse_args()
    chosen = [(n, f) for n, f in benches(options.quick) if options.only in (None, n)]
    if not chosen:
        raise SystemExit(f"no bench {options.only!r}; known: {[n for n, _ in benches(True)]}")
    for _, bench in chosen:
        if options.only:
            bench()
            return
        # A process each, so that memory figures do not mix.
        pid = os.fork()
        if not pid:
            bench()
            sys.stdout.flush()
            os._exit(0)
        if os.waitpid(pid, 0)[1]:
            raise SystemExit("a bench failed")


if __name__ == "__main__":
    main()
