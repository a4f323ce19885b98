"""What one grouped commit costs: 500 triggers, then 500 claims with 500 ends, in a steady state.

    python -m bench.micro_commit [--postgres URL] [--batch N] [--history N] [--commits N]

Prints a JSON line per store and kind of commit: `wall_us` and `cpu_us` are per run, of the writer's
thread on SQLite and of the server's backend on PostgreSQL; `client_us` is the process's own CPU.
"""

import argparse
import asyncio
import json
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg

from mainspring.ids import IdSource, time_of
from mainspring.store.changes import Changes
from mainspring.store.postgres import PostgresStore
from mainspring.store.protocol import Store
from mainspring.store.sqlite import SqliteStore

PAYLOAD = '{"user": {"id": 4711}, "text": "' + "x" * 100 + '"}'
NOW = 1_700_000_000_000


class Meter:
    """Wall time and CPU of the one that writes."""

    def __init__(self, store: str, cpu: Callable[[], float]) -> None:
        self.store, self.cpu = store, cpu
        self.rows: dict[str, list[tuple[float, float, float]]] = {}

    async def measure(self, kind: str, commit: Callable[[], object]) -> object:
        before = (time.perf_counter(), self.cpu(), time.process_time())
        answer = await commit()  # type: ignore[misc]
        after = (time.perf_counter(), self.cpu(), time.process_time())
        spent = tuple(b - a for a, b in zip(before, after, strict=True))
        self.rows.setdefault(kind, []).append(spent)  # type: ignore[arg-type]
        return answer

    def report(self, batch: int, history: int) -> None:
        for kind, rows in self.rows.items():
            skipped = len(rows) // 5  # warm-up
            kept = rows[skipped:]
            wall, cpu, client = (
                sum(column) / len(kept) / batch * 1e6 for column in zip(*kept, strict=True)
            )
            line = {
                "bench": f"micro_commit_{kind}",
                "store": self.store,
                "batch": batch,
                "history": history,
                "wall_us": round(wall, 2),
                "cpu_us": round(cpu, 2),
                "client_us": round(client, 2),
                "p50_ms": round(sorted(row[0] for row in kept)[len(kept) // 2] * 1e3, 2),
                "max_ms": round(max(row[0] for row in kept) * 1e3, 2),
            }
            print(json.dumps(line), flush=True)


def triggers(ids: list[str], now: int) -> Changes:
    changes = Changes(now)
    for run_id in ids:
        lane = (1, "task/noop", "", "")
        changes.run.append(
            (run_id, 1, "noop", *lane[1:], PAYLOAD, None, "", None, None, 0, None, 0, now)
        )
        changes.ready.append((run_id, *lane, time_of(run_id), 0, 0, 1, 0, 0))
    return changes


def turn(ended: list[tuple[str, int]], claimed: list[str], now: int) -> Changes:
    changes = Changes(now)
    for run_id, epoch in ended:
        changes.drop_active.append((run_id, epoch))
        changes.done.append(
            (
                run_id,
                1,
                "noop",
                "task/noop",
                "completed",
                epoch,
                1,
                '"done"',
                None,
                None,
                now,
                now,
                1,
            )
        )
    changes.claim = [(run_id, "session") for run_id in claimed]
    return changes


async def drive(store: Store, meter: Meter, batch: int, history: int, commits: int) -> None:
    epoch = await store.shards.take(1, "bench")
    source = IdSource(random.Random(1))
    ids = [source.new("run", NOW + at // 100, 1) for at in range(history + batch * commits)]
    waiting, ended = ids[history:], []
    for at in range(0, history, 5000):
        part = ids[at : at + 5000]
        changes = triggers(part, NOW)
        changes.ready = []
        changes.done = turn([(run_id, 1) for run_id in part], [], NOW).done
        await store.shards.commit(1, epoch, changes)
    for at in range(0, len(waiting), batch):
        part = waiting[at : at + batch]
        await meter.measure(
            "trigger", lambda p=part: store.shards.commit(1, epoch, triggers(p, NOW))
        )
    for at in range(0, len(waiting), batch):
        part = waiting[at : at + batch]
        changes = turn(ended, part, NOW)
        claimed = await meter.measure("turn", lambda c=changes: store.shards.commit(1, epoch, c))
        ended = [(run.run_id, run.epoch) for run in claimed]  # type: ignore[attr-defined]


async def sqlite(arguments: argparse.Namespace) -> None:
    spent = [0.0]

    def clock(point: str, _shard: int) -> None:  # runs on the writer's thread
        spent[0] = time.thread_time()

    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        store = SqliteStore(Path(folder) / "bench.db", faults=clock)
        await store.open()
        meter = Meter("sqlite", lambda: spent[0])
        await drive(store, meter, arguments.batch, arguments.history, arguments.commits)
        meter.report(arguments.batch, arguments.history)
        await store.close()


async def postgres(arguments: argparse.Namespace) -> None:
    admin = await asyncpg.connect(arguments.postgres)
    name = f"ms_micro_commit_{os.getpid()}"
    await admin.execute(f"CREATE DATABASE {name}")
    try:
        url = arguments.postgres.rpartition("/")[0] + f"/{name}?application_name=micro"
        store = PostgresStore(url)
        await store.open(migrate=True)
        await store.shards.commit(1, await store.shards.take(1, "bench"), Changes(NOW))
        pid = await admin.fetchval(
            "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND query LIKE 'COMMIT%'"
            " ORDER BY backend_start DESC LIMIT 1",
            name,
        )
        tick = os.sysconf("SC_CLK_TCK")

        def clock() -> float:
            fields = Path(f"/proc/{pid}/schedstat").read_text().split()
            return int(fields[0]) / 1e9 if fields else tick

        meter = Meter("postgres", clock)
        await drive(store, meter, arguments.batch, arguments.history, arguments.commits)
        meter.report(arguments.batch, arguments.history)
        await store.close()
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--postgres", help="URL of a server in which to make a database")
    parser.add_argument("--folder", help="where the SQLite file goes")
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--history", type=int, default=0, help="ended runs that are there before")
    parser.add_argument("--commits", type=int, default=60)
    arguments = parser.parse_args()
    asyncio.run(sqlite(arguments))
    if arguments.postgres:
        asyncio.run(postgres(arguments))


if __name__ == "__main__":
    main()
