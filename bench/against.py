"""A peer's drain and ours in turn on this machine (A B A B), through the peers' harness.

The harness is the folder `shared/bench/peers` beside the repository, or what BENCH_PEERS names. It
is copied into a temporary folder together with our adapter, and each side gets an environment of
its own there.
"""

from __future__ import annotations

import contextlib
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
}
"""What each peer's environment holds, from the package index."""


def compare(peer: str, stores: Iterable[str], quick: bool) -> Iterable[Figure]:
    """Drain with the peer and with ours in turn; the ratio is that of the medians."""
    name, _, variant = peer.partition(":")
    if name not in PACKAGES:
        sys.exit(f"No recipe for {name!r}; known: {', '.join(sorted(PACKAGES))}.")
    if not (HARNESS / "driver.py").exists():
        sys.exit(f"The peers' harness is not in {HARNESS}; set BENCH_PEERS to its folder.")
    prepare(name)
    for store in stores:
        theirs, ours = [], []
        for _ in range(1 if quick else ROUNDS):
            theirs.append(drain(f"{name}:{variant}"))
            ours.append(drain(f"mainspring:{store}"))
        rate = statistics.median(ours)
        yield {"bench": f"drain_{peer}", "store": "theirs", "per_s": statistics.median(theirs)}
        yield {
            "bench": "drain_processes",
            "store": store,
            "per_s": rate,
            "ratio_to_peer": round(rate / statistics.median(theirs), 2),
            "ratio": round(rate / statistics.median(theirs), 2),
            "peer": peer,
        }


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
    with contextlib.suppress(FileExistsError):
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


def drain(peer: str) -> float:
    """One drain by the harness; returns runs per second."""
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
    command = [
        python,
        str(HOME / "harness" / "driver.py"),
        peer,
        "--do",
        "drain",
        "--out",
        str(out),
    ]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    rows = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    rates = [row["per_s"] for row in rows if row.get("test") == "drain" and "per_s" in row]
    if not rates:
        sys.exit(f"{peer} did not drain:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}{rows}")
    print(f"{peer}: {rates[-1]:,.0f}/s", file=sys.stderr, flush=True)
    return float(rates[-1])
