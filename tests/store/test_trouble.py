"""What happens to a store when PostgreSQL refuses, ends, or does not answer what it is asked."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from mainspring.errors import ConfigurationError, FencedOut, StoreUnavailable
from mainspring.store import pool as pools
from mainspring.store.links import READER, Place
from mainspring.store.postgres import PostgresStore
from mainspring.testing.store_rows import Shard
from tests.store.conftest import execute
from tests.store.test_takeover import one_run, until_it_waits


def at_hosts(url: str, hosts: str) -> str:
    """The URL with other hosts; `%` stands for its own."""
    parts = urlsplit(url)
    who, _, where = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{who}@{hosts.replace('%', where)}"))


def counts(store: PostgresStore) -> dict[str, float]:
    return {
        one.name.removeprefix("mainspring_store_") + "".join(value for _, value in one.labels): (
            one.value
        )
        for one in store.database.figures()
    }


@contextlib.asynccontextmanager
async def session(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def test_a_host_that_is_down_is_passed_over(empty_url: str) -> None:
    store = PostgresStore(at_hosts(empty_url, "127.0.0.1:1,%"))
    await store.open()
    shard = await Shard.taken(store)
    assert len(await shard.queued(2)) == 2
    await store.close()


async def test_a_host_that_says_nothing_is_passed_over(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.store.hosts.HOST_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        place = Place(at_hosts(empty_url, f"127.0.0.1:{port},%"))
        for _ in range(2):
            connection = await place.connect(READER)
            assert await connection.fetchval("SELECT 1") == 1
            await connection.close()
    assert place.hosts._first == 1


async def test_when_no_host_takes_writes_each_of_them_is_named_with_its_reason(
    empty_url: str,
) -> None:
    place = Place(at_hosts(f"{empty_url}?default_transaction_read_only=on", "127.0.0.1:1,%"))
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1: .*failed.*takes no writes"):
        await place.connect(READER)


async def test_a_server_that_takes_no_writes_does_not_answer(empty_url: str) -> None:
    store = PostgresStore(f"{empty_url}?default_transaction_read_only=on")
    with pytest.raises(StoreUnavailable, match="takes no writes"):
        await store.open()


@pytest.mark.parametrize("target", ["standby", "prefer-standby", "no"])
def test_a_server_is_not_sent_to_a_standby(target: str) -> None:
    with pytest.raises(ConfigurationError, match="read-write"):
        Place(f"postgres://a,b/d?target_session_attrs={target}")


def test_hosts_are_shown_without_a_password() -> None:
    place = Place("postgres://me:secret@a:1,[::1]:2,c/jobs")
    assert place.shown == "PostgreSQL at a:1,::1:2,c:5432/jobs"
    assert Place("postgres:///jobs?host=/run/pg").shown == "PostgreSQL at /run/pg/jobs"


async def test_a_connection_that_the_driver_gave_up_is_replaced(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It raises this when the server's last words came between two statements."""
    store = PostgresStore(empty_url)
    await store.open()
    fetch, broken = asyncpg.Connection.fetch, []

    async def given_up(connection: asyncpg.Connection, *asked: Any) -> Any:
        if not broken:
            broken.append(connection)
            raise asyncpg.InternalClientError("cannot switch to state 12")
        assert connection is not broken[0]
        return await fetch(connection, *asked)

    monkeypatch.setattr(asyncpg.Connection, "fetch", given_up)
    assert await store.shards.beats() == []
    assert broken[0].is_closed()
    await store.close()


async def test_a_deadlock_is_survived_and_counted(postgres: PostgresStore, empty_url: str) -> None:
    shard = await Shard.taken(postgres)
    [run_id], changes = shard.ids(1), shard.changes()
    shard.run(changes, run_id)
    shard.start(changes, run_id)
    await shard.commit(changes)
    end = shard.changes()
    end.drop_active.append((run_id, 1))
    shard.done(end, run_id)
    async with session(empty_url) as other:
        await other.execute("SET deadlock_timeout = '1min'")  # the commit finds it, and is ended
        await other.execute(f"BEGIN; SELECT 1 FROM active WHERE run_id = '{run_id}' FOR UPDATE")
        commit = asyncio.ensure_future(shard.commit(end))
        await until_it_waits(empty_url)
        await other.execute(f"SELECT 1 FROM shard WHERE shard_id = {shard.shard_id} FOR UPDATE")
        await other.execute("COMMIT")
    await commit
    assert await postgres.live.known(shard.shard_id, [run_id]) == {run_id: "completed"}
    assert counts(postgres)["conflicts_totaldeadlock"] >= 1
    assert counts(postgres)["commits_unknown_total"] == 0


@pytest.mark.parametrize("change", ["owner = 'x'", "epoch = epoch + 1"])
async def test_a_serialization_failure_is_tried_again_and_then_decided(
    empty_url: str, change: str
) -> None:
    store = PostgresStore(f"{empty_url}?default_transaction_isolation=repeatable%20read")
    await store.open()
    shard = await Shard.taken(store)
    run_id, changes = one_run(shard)
    async with session(empty_url) as other:
        await other.execute(
            f"BEGIN; SELECT 1 FROM shard WHERE shard_id = {shard.shard_id} FOR UPDATE; "
            f"UPDATE shard SET {change} WHERE shard_id = {shard.shard_id}"
        )
        commit = asyncio.ensure_future(shard.commit(changes))
        await until_it_waits(empty_url)
        await other.execute("COMMIT")
    if "epoch" in change:
        with pytest.raises(FencedOut):
            await commit
    else:
        await commit
        assert await store.live.known(shard.shard_id, [run_id]) == {run_id: ""}
    assert counts(store)["conflicts_totalserialization"] == 1
    await store.close()


async def test_who_finds_all_connections_busy_is_told_so_in_time(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "WAIT_S", 0.2)
    store = PostgresStore(empty_url, readers=1)
    await store.open()
    async with store.database._pool.acquired():
        with pytest.raises(StoreUnavailable, match=r"free for 0\.2 s \(all are busy"):
            await store.shards.owners()
    assert await store.shards.owners() is not None
    assert counts(store)["pool_full_total"] == 1
    await store.close()


async def test_a_role_with_few_connections_serves_many_callers(empty_url: str) -> None:
    role = f"few_{urlsplit(empty_url).path[1:]}"
    await execute(
        empty_url,
        f'CREATE ROLE "{role}" LOGIN CONNECTION LIMIT 3; '
        f'GRANT ALL ON ALL TABLES IN SCHEMA public TO "{role}"',
    )
    try:
        place = urlsplit(empty_url)
        where = f"{role}@{place.netloc.rpartition('@')[2]}"
        store = PostgresStore(urlunsplit(place._replace(netloc=where)), readers=20)
        await store.open()
        asked = [store.shards.now() for _ in range(200)]
        assert len(await asyncio.gather(*asked)) == 200
        assert counts(store)["pool_full_total"] == 0
        await store.close()
    finally:
        await execute(empty_url, f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')


async def test_a_canceled_write_leaves_no_open_transaction_behind(empty_url: str) -> None:
    store = PostgresStore(empty_url, readers=1)
    await store.open()
    shard = await Shard.taken(store)
    async with session(empty_url) as other:
        await other.execute(
            f"BEGIN; SELECT 1 FROM shard WHERE shard_id = {shard.shard_id} FOR UPDATE"
        )
        take = asyncio.ensure_future(store.shards.take(shard.shard_id, "two"))
        await until_it_waits(empty_url)
        take.cancel()
        await asyncio.gather(take, return_exceptions=True)
        async with store.database._pool.acquired() as connection:
            assert not connection.is_in_transaction()
        await other.execute("COMMIT")
    assert await store.shards.take(shard.shard_id, "three") == 2
    await store.close()


async def test_a_connection_whose_set_up_is_cut_off_is_closed(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(empty_url)
    dial, made = place.hosts.dial, []

    async def cut_off(options: dict[str, Any]) -> asyncpg.Connection:
        made.append(await dial(options))
        setting_up.cancel()
        return made[0]

    monkeypatch.setattr(place.hosts, "dial", cut_off)
    setting_up = asyncio.ensure_future(place.connect(READER))
    with pytest.raises(asyncio.CancelledError):
        await setting_up
    assert made[0].is_closed()


async def test_a_read_that_takes_too_long_is_ended_by_the_server_and_not_repeated(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(READER, "statement_timeout", "100")
    store = PostgresStore(empty_url)
    await store.open()
    async with session(empty_url) as other:
        await other.execute("BEGIN; LOCK TABLE shard IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreUnavailable, match="statement timeout"):
            await store.shards.owners()
    assert counts(store)["connections_lost_total"] == 0
    await store.close()


async def test_a_session_that_the_server_ended_is_replaced_without_a_word(
    postgres: PostgresStore, empty_url: str
) -> None:
    shard = await Shard.taken(postgres)
    for _ in range(3):
        await execute(
            empty_url,
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        assert await postgres.live.active(shard.shard_id) == []
    assert counts(postgres)["connections_total"] >= 3
