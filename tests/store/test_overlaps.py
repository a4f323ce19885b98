"""Transactions of two connections that overlap at the row of a shard, on PostgreSQL: whoever raises
the epoch waits for who writes under the old one, and reads only what that has left.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from mainspring.errors import FencedOut
from mainspring.store.postgres import PostgresStore
from mainspring.testing.store_rows import Shard
from tests.store.test_takeover import holding, one_run, opened, until_it_waits

Raise = Callable[[PostgresStore, int], Awaitable[object]]

RAISES: dict[str, tuple[Raise, object]] = {
    "another takes": (lambda store, shard: store.shards.take(shard, "two"), 2),
    "another takes from it": (lambda store, shard: store.shards.take_from(shard, "two", "one"), 2),
    "it doubts its own": (lambda store, shard: store.shards.take_from(shard, "one", "one"), 2),
    "it gives": (lambda store, shard: store.shards.give(shard, "one", 1, "two"), True),
}


@pytest.mark.parametrize("name", RAISES)
async def test_who_raises_the_epoch_waits_for_a_commit_in_flight(
    name: str, postgres: PostgresStore, empty_url: str
) -> None:
    raises, result = RAISES[name]
    shard = await Shard.taken(postgres, owner="one")
    async with holding(empty_url, shard) as old:
        waiting = asyncio.ensure_future(raises(postgres, shard.shard_id))
        await until_it_waits(empty_url)
        assert not waiting.done()
        await old.execute("COMMIT")
        assert await waiting == result
    with pytest.raises(FencedOut):
        await shard.commit(one_run(shard)[1])


async def test_of_two_that_take_a_shard_from_one_server_the_second_is_told(
    postgres: PostgresStore, empty_url: str
) -> None:
    shard = await Shard.taken(postgres, owner="lost")
    async with opened(empty_url) as other, holding(empty_url, shard) as old:
        takes = [
            asyncio.ensure_future(store.shards.take_from(shard.shard_id, name, "lost"))
            for store, name in ((postgres, "two"), (other, "three"))
        ]
        await until_it_waits(empty_url)
        await old.execute("COMMIT")
        assert sorted(await asyncio.gather(*takes), key=str) == [2, None]


async def test_a_commit_that_comes_while_another_server_takes_is_seen_or_refused(
    postgres: PostgresStore, empty_url: str
) -> None:
    shard = await Shard.taken(postgres)
    async with opened(empty_url) as other:
        for _ in range(20):
            await shard.take("one")
            run_id, changes = one_run(shard)
            commit = asyncio.ensure_future(shard.commit(changes))
            await other.shards.take(shard.shard_id, "two")
            seen = await other.live.known(shard.shard_id, [run_id])
            [ended] = await asyncio.gather(commit, return_exceptions=True)
            assert (ended == [] and seen) or (isinstance(ended, FencedOut) and not seen)
            assert await other.live.known(shard.shard_id, [run_id]) == seen


async def test_a_fenced_write_outside_of_commits_is_refused_once_the_epoch_is_raised(
    postgres: PostgresStore, empty_url: str
) -> None:
    shard = await Shard.taken(postgres)
    beat = ("server_beat", {"server": "one", "uptime": None}, ())
    async with opened(empty_url) as other:
        for _ in range(20):
            held = shard.shard_id, await shard.take("one")
            write = asyncio.ensure_future(postgres.database.write(beat, fence=held))
            await other.shards.take(shard.shard_id, "two")
            [ended] = await asyncio.gather(write, return_exceptions=True)
            assert ended == [] or isinstance(ended, FencedOut)
            with pytest.raises(FencedOut):
                await postgres.database.write(beat, fence=held)
