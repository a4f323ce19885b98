"""What a plain run takes on PostgreSQL: bytes that stay, bytes of log. For docs/scale.md.

    python -m bench.sizes

Starts a PostgreSQL of its own. Runs are triggered, claimed and ended in commits of 100.
"""

import asyncio
import random

import asyncpg

from mainspring.store.postgres import PostgresStore
from mainspring.testing.store_rows import Shard
from tools.nodes import nodes

RUNS = 10_000
BATCH = 100
KEPT = ("run", "run_done")
LOG = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint"
SIZE = "SELECT sum(pg_total_relation_size(name::regclass))::bigint FROM unnest($1::text[]) AS name"


async def measure(url: str, size: int) -> None:
    """Print one line for runs with payloads and outputs of so many characters."""
    store = PostgresStore(url)
    await store.open(migrate=True)
    connection = await asyncpg.connect(url)
    shard = await Shard.taken(store, f"preview-{size}")
    await connection.execute("CHECKPOINT")
    log, kept = await connection.fetchval(LOG), await connection.fetchval(SIZE, KEPT)
    for _ in range(RUNS // BATCH):
        await work(shard, size)
    log = await connection.fetchval(LOG) - log
    kept = await connection.fetchval(SIZE, KEPT) - kept
    print(f"{size:5} characters: {kept / RUNS:6.0f} B kept, {log / RUNS:6.0f} B of log a run")
    await connection.close()
    await store.close()


async def work(shard: Shard, size: int) -> None:
    """A batch of runs from the trigger to the end."""
    chance = random.Random(size)
    text = f'"{chance.randbytes(size // 2).hex()}"'
    ids, changes = shard.ids(BATCH), shard.changes()
    for run_id in ids:
        shard.run(changes, run_id, payload=text)
        shard.ready(changes, run_id, ord=shard.now)
    await shard.commit(changes)
    await shard.claimed(ids)
    changes = shard.changes()
    for run_id in ids:
        changes.drop_active.append((run_id, 1))
        shard.done(changes, run_id, output=text)
    await shard.commit(changes)


if __name__ == "__main__":
    with nodes("sizes") as (node,):
        node.make()
        node.start()
        for size in (50, 1000):
            asyncio.run(measure(node.url, size))
