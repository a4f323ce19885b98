"""A commit as one statement: fenced, counted and doubtful exactly as in several."""

from __future__ import annotations

import asyncio
import json
from itertools import chain

import asyncpg
import pytest

from mainspring.errors import CommitRejected, FencedOut, UnknownOutcome
from mainspring.store.changes import PLAN, Changes
from mainspring.store.dialect import POSTGRES
from mainspring.store.links import OWNER
from mainspring.store.postgres import PostgresStore
from mainspring.store.statements import texts
from mainspring.store.together import PARTS, SHAPES, names_of, together
from mainspring.testing.store_rows import Shard
from tests.store.test_plans import nodes
from tests.store.test_takeover import one_run, terminate_by, until_it_waits

USUAL = [
    ("drop_active", "done", "claim"),
    ("drop_active", "done", "claim", "pin"),
    ("run", "ready"),
    ("run", "start"),
    ("drop_active", "done", "run", "key", "tag", "journal", "park", "timer", "start", "claim"),
    ("drop_active", "done", "run", "tag", "journal", "park", "timer", "ready", "start", "rate"),
    ("journal",),
    ("drop_active", "edge", "park", "timer"),
    ("drop_parked", "drop_timer", "drop_edge", "journal", "ready"),
    ("waitpoint", "timer"),
    ("run", "request", "batch", "batch_item", "ready"),
    ("drop_timer", "drop_edge", "journal", "end_waitpoint", "input"),
    ("journal", "stream", "chunk"),
]


async def active_run(shard: Shard) -> str:
    [run_id], changes = shard.ids(1), shard.changes()
    shard.run(changes, run_id)
    shard.start(changes, run_id)
    await shard.commit(changes)
    return run_id


def end_of(shard: Shard, run_id: str, epoch: int = 1) -> Changes:
    changes = shard.changes()
    changes.drop_active.append((run_id, epoch))
    shard.done(changes, run_id)
    return changes


async def test_a_commit_that_comes_upon_a_takeover_waits_and_is_fenced(
    postgres: PostgresStore, empty_url: str
) -> None:
    shard = await Shard.taken(postgres)
    run_id, changes = one_run(shard)
    taker = await asyncpg.connect(empty_url)
    await taker.execute(
        f"BEGIN; SELECT 1 FROM shard WHERE shard_id = {shard.shard_id} FOR UPDATE; "
        f"UPDATE shard SET epoch = epoch + 1 WHERE shard_id = {shard.shard_id}"
    )
    commit = asyncio.ensure_future(shard.commit(changes))
    await until_it_waits(empty_url)
    await taker.execute("COMMIT")
    await taker.close()
    with pytest.raises(FencedOut, match="another owner"):
        await commit
    assert await postgres.live.known(shard.shard_id, [run_id]) == {}


async def test_a_commit_overtaken_in_the_middle_writes_nothing(
    postgres: PostgresStore, empty_url: str
) -> None:
    shard = await Shard.taken(postgres)
    run_id = await active_run(shard)
    holder = await asyncpg.connect(empty_url)
    await holder.execute(f"BEGIN; SELECT 1 FROM active WHERE run_id = '{run_id}' FOR UPDATE")
    commit = asyncio.ensure_future(shard.commit(end_of(shard, run_id)))
    await until_it_waits(empty_url)
    taker = PostgresStore(empty_url)
    await taker.open()
    take = asyncio.ensure_future(taker.shards.take(shard.shard_id, "two"))
    done, _ = await asyncio.wait([take], timeout=0.2)
    await holder.execute("COMMIT")
    await holder.close()
    epoch = await take
    if done:  # the takeover came first, so the commit must have failed
        with pytest.raises(FencedOut):
            await commit
        assert [row.run_id for row in await taker.live.active(shard.shard_id)] == [run_id]
    else:  # it waited for the commit, and sees what that has written
        await commit
        assert await taker.live.active(shard.shard_id) == []
    assert epoch == 2
    await taker.close()


async def test_a_row_that_is_not_there_rejects_the_whole_commit(postgres: PostgresStore) -> None:
    shard = await Shard.taken(postgres)
    run_id = await active_run(shard)
    with pytest.raises(CommitRejected, match="drop_active touched 0 rows where 1 were given"):
        await shard.commit(end_of(shard, run_id, epoch=7))
    assert [row.run_id for row in await postgres.live.active(shard.shard_id)] == [run_id]
    await shard.commit(end_of(shard, run_id))


async def test_a_row_that_is_there_already_rejects_the_whole_commit(
    postgres: PostgresStore,
) -> None:
    shard = await Shard.taken(postgres)
    run_id = await active_run(shard)
    changes = shard.changes()
    shard.start(changes, run_id)
    with pytest.raises(CommitRejected, match="duplicate key"):
        await shard.commit(changes)


async def test_a_connection_lost_on_the_way_leaves_the_outcome_open(
    postgres: PostgresStore, empty_url: str
) -> None:
    shard = await Shard.taken(postgres)
    run_id = await active_run(shard)
    holder = await asyncpg.connect(empty_url)
    await holder.execute(f"BEGIN; SELECT 1 FROM active WHERE run_id = '{run_id}' FOR UPDATE")
    commit = asyncio.ensure_future(shard.commit(end_of(shard, run_id)))
    await until_it_waits(empty_url)
    await terminate_by(empty_url, "wait_event_type = 'Lock'")
    with pytest.raises(UnknownOutcome):
        await commit
    await holder.close()
    shard.epoch = await postgres.shards.take(shard.shard_id, "one")
    await shard.commit(end_of(shard, run_id))


async def test_statements_do_not_pile_up_in_the_server(postgres: PostgresStore) -> None:
    shard = await Shard.taken(postgres)
    made = postgres.database._together
    made.update({(f"shape-{n}",): together(texts(POSTGRES), ("journal",)) for n in range(SHAPES)})
    run_id = await active_run(shard)
    await shard.commit(end_of(shard, run_id))
    assert len(made) == SHAPES
    assert await postgres.live.known(shard.shard_id, [run_id]) == {run_id: "completed"}


def test_lists_that_depend_on_each_other_stay_apart() -> None:
    changes = Changes(0)
    changes.ready.append(("run",))
    assert names_of(changes) == ("ready",)
    changes.claim.append(("run", "session", ""))
    assert names_of(changes) is None
    changes = Changes(0)
    changes.drop_debounce.append((1, "task", "key"))
    assert names_of(changes) is None


@pytest.mark.parametrize(
    "dropped, put, row",
    [
        ("drop_timer", "timer", (7, "wait:a", "run")),
        ("drop_edge", "edge", ("run", "a", "")),
        ("drop_parked", "park", ("run",)),
    ],
)
def test_a_row_that_is_dropped_and_put_back_stays_apart(
    dropped: str, put: str, row: tuple[object, ...]
) -> None:
    changes = Changes(0)
    getattr(changes, dropped).append(row)
    getattr(changes, put).append(row)
    assert names_of(changes) is None
    getattr(changes, put)[0] = ("other", "b", "")
    assert names_of(changes) == (dropped, put)


def test_every_part_is_a_list_of_a_commit() -> None:
    assert set(PLAN) >= PARTS
    assert set(chain.from_iterable(USUAL)) == PARTS


@pytest.mark.parametrize("names", USUAL, ids="+".join)
async def test_rows_are_found_by_index(postgres: PostgresStore, names: tuple[str, ...]) -> None:
    statement = together(texts(POSTGRES), names)
    count = sum(len(part.columns) for part in statement.parts)
    count += len(statement.scalars) + len(statement.counted)
    connection = await postgres.database._place.connect(OWNER)
    await connection.execute(f"PREPARE guarded AS {statement.sql}")
    nulls = ", ".join(["NULL"] * count)
    text = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE guarded({nulls})")
    await connection.close()
    kinds = {
        node["Node Type"]
        for node in nodes(json.loads(text)[0]["Plan"])
        if "Relation Name" in node and node["Node Type"] not in {"ModifyTable", "LockRows"}
    }
    assert kinds <= {"Index Scan", "Index Only Scan", "Tid Scan"}, text
