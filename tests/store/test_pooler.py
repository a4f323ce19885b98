"""The public contract of a store through a real PgBouncer in transaction mode: few sessions."""

import asyncio
from collections.abc import Iterator

import pytest

from mainspring.errors import StoreUnavailable
from mainspring.store.postgres import PostgresStore
from mainspring.testing import (
    store_changes,
    store_contract,
    store_journals,
    store_ownership,
    store_reads,
    store_streams,
    store_waits,
)
from mainspring.testing.store_rows import Shard
from tests.store.conftest import execute
from tools.pgbouncer import SESSIONS, pooler


@pytest.fixture(scope="module")
def pooled_url(store_url: str) -> Iterator[str]:
    with pooler(store_url) as url:
        yield url


@pytest.fixture
def closed_store(pooled_url: str, empty_url: str) -> PostgresStore:
    return PostgresStore(pooled_url, readers=2 * SESSIONS)


class TestOwnership(store_ownership.OwnershipContract):
    pass


class TestCommits(store_contract.CommitContract):
    pass


class TestLive(store_contract.LiveContract):
    pass


class TestRuns(store_reads.RunsContract):
    pass


class TestCatalog(store_reads.CatalogContract):
    pass


class TestWaitpoints(store_waits.WaitpointsContract):
    pass


class TestJournals(store_journals.JournalsContract):
    pass


class TestWaits(store_journals.WaitsContract):
    pass


class TestStreams(store_streams.StreamsContract):
    pass


class TestChanges(store_changes.ChangeContract):
    pass


async def test_what_many_ask_at_once_through_few_sessions_is_answered(
    store: PostgresStore, pooled_url: str
) -> None:
    others = [PostgresStore(pooled_url) for _ in range(4)]
    await asyncio.gather(*(other.open() for other in others))
    shards = [await Shard.taken(one, f"preview-{at}") for at, one in enumerate([store, *others])]

    async def work(shard: Shard) -> None:
        for _ in range(10):
            ids = await shard.queued(3)
            assert len(await shard.claimed(ids[:2])) == 2
            assert (await shard.store.live.known(shard.shard_id, ids)).keys() == set(ids)

    await asyncio.gather(*(work(shard) for shard in shards))
    for shard in shards:
        assert len(await shard.store.live.active(shard.shard_id)) == 20
    await asyncio.gather(*(other.close() for other in others))


async def test_sessions_that_the_server_ends_behind_the_pooler_are_replaced(
    store: PostgresStore, store_url: str
) -> None:
    shard = await Shard.taken(store)
    await execute(
        store_url,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    for _ in range(5):
        try:
            assert len(await store.live.active(shard.shard_id)) == 0
            await shard.queued(1)
            return
        except StoreUnavailable:
            continue
    pytest.fail("the pooler's sessions do not come back")


async def test_what_is_written_through_a_pooler_is_flushed_where_the_server_would_not(
    store: PostgresStore, pooled_url: str
) -> None:
    async with store.database._pool.acquired() as connection:
        await connection.execute("BEGIN; SET LOCAL synchronous_commit = off")
        begin = store.database._place.begin({}).removeprefix("BEGIN; ")
        await connection.execute(begin)
        assert await connection.fetchval("SHOW synchronous_commit") == "on"
        await connection.execute("ROLLBACK")
