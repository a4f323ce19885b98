"""What only PostgreSQL does: URLs, sessions, poolers, a server that is not there."""

import asyncio
from typing import Any

import pytest

from mainspring.errors import ConfigurationError, StoreUnavailable
from mainspring.model.run import RunFilter
from mainspring.store.links import OWNER, Place
from mainspring.store.postgres import PostgresStore
from mainspring.testing.store_rows import Shard


async def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    store = PostgresStore("postgresql://me:secret@127.0.0.1:1/jobs")
    with pytest.raises(StoreUnavailable, match=r"PostgreSQL at 127\.0\.0\.1:1/jobs") as caught:
        await store.open()
    assert "secret" not in str(caught.value)
    with pytest.raises(StoreUnavailable, match="not open"):
        await store.shards.owners()


async def test_a_database_that_does_not_exist_is_unavailable(store_url: str) -> None:
    with pytest.raises(StoreUnavailable, match="does not exist"):
        await PostgresStore(f"{store_url}_no").open()


@pytest.mark.parametrize(
    "url",
    [
        "mysql://host/db",
        "nothing",
        "postgresql://h:99999999/db",
        "postgres://h/d?statement_cache_size=x",
    ],
)
def test_a_url_of_another_shape_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        PostgresStore(url)


def test_the_pooler_s_parameter_stays_with_us() -> None:
    place = Place("postgres://h/d?statement_cache_size=0&sslmode=disable&application_name=me")
    assert place.dsn == "postgres://h/d?sslmode=disable"
    assert place.pooled
    assert place.options(OWNER)["server_settings"] == {"application_name": "me"}
    assert "SET LOCAL enable_seqscan = off" in place.begin(OWNER)


async def test_a_session_plans_by_index_and_flushes_what_it_commits(empty_url: str) -> None:
    connection = await Place(f"{empty_url}?synchronous_commit=off").connect(OWNER)
    shown: dict[str, Any] = {}
    for name in ("synchronous_commit", "enable_hashjoin", "plan_cache_mode", *OWNER):
        shown[name] = await connection.fetchval(f"SHOW {name}")
    await connection.close()
    assert shown == {
        "synchronous_commit": "on",
        "enable_hashjoin": "off",
        "plan_cache_mode": "force_generic_plan",
        "idle_in_transaction_session_timeout": "1s",
        "statement_timeout": "10s",
    }


async def test_behind_a_pooler_nothing_is_prepared_beyond_its_transaction(empty_url: str) -> None:
    store = PostgresStore(f"{empty_url}?statement_cache_size=0")
    await store.open()
    shard = await Shard.taken(store)
    ids = await shard.queued(3)
    assert len(await shard.claimed(ids[:2])) == 2
    assert len(await store.runs.page(shard.shard_id, shard.env_id, RunFilter())) == 3
    await store.close()


async def test_commits_of_many_shards_may_be_asked_for_at_once(postgres: PostgresStore) -> None:
    shards = [await Shard.taken(postgres, f"preview-{at}") for at in range(5)]
    ids = await asyncio.gather(*(shard.queued(2) for shard in shards for _ in "ab"))
    assert len({run_id for pair in ids for run_id in pair}) == 20
    for shard in shards:
        assert [lane.queued for lane in await postgres.live.lanes(shard.shard_id)] == [4]


async def test_closing_finishes_the_commit_in_flight(empty_url: str) -> None:
    store = PostgresStore(empty_url)
    await store.open()
    shard = await Shard.taken(store)
    await shard.commit(shard.changes())
    [run_id], changes = shard.ids(1), shard.changes()
    shard.run(changes, run_id)
    commit = asyncio.ensure_future(shard.commit(changes))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await store.close()
    await store.close()
    await commit
    await store.open()
    assert await store.live.known(shard.shard_id, [run_id]) == {run_id: ""}
    await store.close()
