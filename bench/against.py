"""A peer's test and ours in turn on this machine (A B A B), through the peers' harness.

`drain` is a backlog of no-ops, `workflow` one of runs with 10 durable no-op steps each.

The harness is the folder `shared/bench/peers` beside the repository, or what BENCH_PEERS names. It
is copied into a temporary folder together with our adapter, and each side gets an environment of
its own there.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from bench.figure import Figure

ROOT = Path(__file__).resolve().parent.parent
ADAPTER = Path(__file__).with_name("peer_mainspring.py")
HARNESS = Path(os.environ.get("BENCH_PEERS", ROOT.parent / "shared" / "bench" / "peers"))
HOME = Path(os.environ.get("BENCH_HOME", Path(tempfile.gettempdir()) / "mainspring-bench"))
POSTGRES = os.environ.get("MAINSPRING_TEST_POSTGRES", "postgresql://127.0.0.1:5432/postgres")
ROUNDS = 3

PACKAGES = {
    "pgqueuer": ["pgqueuer[asyncpg,cli]", "asyncpg", "uvloop"],
    "dramatiq": ["dramatiq[redis]", "hiredis"],
    "taskiq": ["taskiq", "taskiq-redis", "uvloop", "orjson", "hiredis"],
    "huey": ["huey", "redis", "hiredis"],
    "arq": ["arq", "hiredis", "uvloop"],
    "rq": ["rq", "hiredis"],
    "celery": ["celery[redis]", "hiredis"],
    "procrastinate": ["procrastinate", "psycopg[binary,pool]"],
    "dbos": ["dbos", "uvloop", "orjson", "asyncpg"],
    "restate": ["restate-sdk", "hypercorn"],
}
"""What each peer's environment holds, from the package index. Restate's server is an npm package;
RESTATE_BIN names its binary."""

TESTS = {"drain": "per_s", "workflow": "steps_per_s"}
"""The rate that each test of the harness gives."""
COSTS = ("worker_cpu_us", "server_cpu_us")
"""Of a run, whatever it consists of. Our server is among the workers; PostgreSQL is `server`."""


def compare(peer: str, test: str, stores: Iterable[str], quick: bool) -> Iterable[Figure]:
    """The peer's test and ours in turn; the ratio is that of the medians."""
    name, _, variant = peer.partition(":")
    if name not in PACKAGES:
        sys.exit(f"No recipe for {name!r}; known: {', '.join(sorted(PACKAGES))}.")
    if not (HARNESS / "driver.py").exists():
        sys.exit(f"The peers' harness is not in {HARNESS}; set BENCH_PEERS to its folder.")
    prepare(name)
    for store in stores:
        theirs, ours = [], []
        for _ in range(1 if quick else ROUNDS):
            theirs.append(measured(f"{name}:{variant}", test))
            ours.append(measured(f"mainspring:{store}", test))
        they, we = median(theirs, TESTS[test]), median(ours, TESTS[test])
        yield {
            "bench": f"{test}_{peer}",
            "store": "theirs",
            "per_s": they,
            **{cost: median(theirs, cost) for cost in COSTS},
        }
        yield {
            "bench": f"{test}_against",
            "store": store,
            "per_s": we,
            "ratio": round(we / they, 2),
            "peer": peer,
            **{cost: median(ours, cost) for cost in COSTS},
        }


def median(rows: list[dict[str, float]], name: str) -> float:
    return statistics.median(row.get(name, 0.0) for row in rows)


def prepare(name: str) -> None:
    """A copy of the harness with our adapter, and an environment for each side."""
    harness = HOME / "harness"
    shutil.copytree(HARNESS, harness, dirs_exist_ok=True)
    for path in [harness, *harness.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    shutil.copy(ADAPTER, harness / "adapters" / ADAPTER.name)
    environment("driver", ["psutil"])
    environment(name, ["psutil", "py-spy", *PACKAGES[name]])
    ours = HOME / "venv-mainspring"
    ours.unlink(missing_ok=True)  # another checkout may have made it
    ours.symlink_to(ROOT / ".venv", target_is_directory=True)
    data = HOME / "pg" / "data"
    data.mkdir(parents=True, exist_ok=True)
    (data / "postmaster.pid").write_text(f"{postmaster()}\n")


def environment(name: str, packages: list[str]) -> None:
    """A virtual environment with these packages, made once."""
    place = HOME / f"venv-{name}"
    if (place / "bin" / "python").exists():
        return
    print(f"installing {', '.join(packages)} …", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    pip = [str(place / "bin" / "python"), "-m", "pip", "install", "-q", *packages]
    subprocess.run(pip, check=True, stdout=sys.stderr)


def postmaster() -> int:
    """The server's first process, for its share of CPU; this process when it is not local."""
    found = subprocess.run(["pgrep", "-o", "postgres"], capture_output=True, text=True, check=False)
    return int(found.stdout or os.getpid())


def measured(peer: str, test: str) -> dict[str, float]:
    """One test by the harness; returns its row."""
    server = urlsplit(POSTGRES)
    env = dict(
        os.environ,
        BENCH_HOME=str(HOME),
        BENCH_PGHOST=server.hostname or "127.0.0.1",
        BENCH_PGPORT=str(server.port or 5432),
        BENCH_REDIS_PORT=os.environ.get("BENCH_REDIS_PORT", "6379"),
        BENCH_PSQL=shutil.which("psql") or "psql",
    )
    python = str(HOME / "venv-driver" / "bin" / "python")
    out = HOME / "result.jsonl"
    out.unlink(missing_ok=True)
    driver = str(HOME / "harness" / "driver.py")
    command = [python, driver, peer, "--do", test, "--out", str(out)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    rows = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    found = [row for row in rows if row.get("test") == test and TESTS[test] in row]
    if not found:
        said = f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}{rows}"
        sys.exit(f"{peer} gave no rate for {test}:\n{said}")
    row: dict[str, float] = found[-1]
    print(f"{peer}: {row[TESTS[test]]:,.0f}/s", file=sys.stderr, flush=True)
    return row
