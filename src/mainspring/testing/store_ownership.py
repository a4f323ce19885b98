"""What every store does with shards and the leases of servers and sessions, as a test class."""

from __future__ import annotations

import pytest

from mainspring.errors import FencedOut
from mainspring.store.leasing import Beat, LeaseRow
from mainspring.store.protocol import Store
from mainspring.testing.store_rows import NOW, Shard


class OwnershipContract:
    """Shards, epochs and the servers' lease rows."""

    async def test_taking_a_shard_raises_its_epoch(self, store: Store) -> None:
        shard = await Shard.taken(store)
        assert [await shard.take("one"), await shard.take("two")] == [2, 3]
        assert await store.shards.owners() == [(shard.shard_id, "two", 3)]

    async def test_a_shard_without_a_row_can_be_taken(self, store: Store) -> None:
        assert await store.shards.take(77, "one") == 1

    async def test_a_late_owner_writes_nothing(self, store: Store) -> None:
        shard = await Shard.taken(store)
        late = shard.epoch
        await shard.take("two")
        [run_id], changes = shard.ids(1), shard.changes()
        shard.run(changes, run_id)
        shard.ready(changes, run_id)
        with pytest.raises(FencedOut, match="another owner"):
            await shard.commit(changes, late)
        assert await store.live.known(shard.shard_id, [run_id]) == {}

    async def test_an_epoch_of_the_future_writes_nothing(self, store: Store) -> None:
        shard = await Shard.taken(store)
        with pytest.raises(FencedOut):
            await shard.commit(shard.changes(), shard.epoch + 1)

    async def test_leaving_gives_the_shards_up(self, store: Store) -> None:
        shard = await Shard.taken(store, owner="one")
        await store.shards.register("one", "http://one")
        await store.shards.leave("one")
        assert await store.shards.owners() == [(shard.shard_id, "", 1)]
        assert await store.shards.beats() == []

    async def test_a_beat_raises_only_its_server_s_counter(self, store: Store) -> None:
        await store.shards.register("one", "http://one")
        await store.shards.register("two", "http://two")
        one, two = await store.shards.beats()
        await store.shards.beat("one", 5_000)
        assert await store.shards.beats() == [Beat("one", one.beat + 1, 5_000), two]
        assert two.uptime_ms is None

    async def test_a_shard_is_taken_from_its_owner_by_one_taker_only(self, store: Store) -> None:
        shard = await Shard.taken(store, owner="one")
        shards = store.shards
        assert await shards.take_from(shard.shard_id, "two", "one") == 2
        assert await shards.take_from(shard.shard_id, "three", "one") is None
        assert await shards.owners() == [(shard.shard_id, "two", 2)]

    async def test_a_shard_is_given_away_by_who_holds_it(self, store: Store) -> None:
        shard = await Shard.taken(store, owner="one")
        shards = store.shards
        assert not await shards.give(shard.shard_id, "two", 1, "three")
        assert not await shards.give(shard.shard_id, "one", 0, "three")
        assert await shards.give(shard.shard_id, "one", 1, "two")
        assert await shards.owners() == [(shard.shard_id, "two", 2)]
        with pytest.raises(FencedOut):
            await shard.commit(shard.changes(), epoch=1)

    async def test_a_lost_server_is_forgotten_unless_it_beats_again(self, store: Store) -> None:
        await store.shards.register("one", "here:1")
        await store.shards.register("two", "")
        hosts = [(one.server_id, one.address) for one in await store.shards.hosts()]
        assert hosts == [("one", "here:1"), ("two", "")]
        one, two = await store.shards.beats()
        await store.shards.beat("two")
        await store.shards.forget("one", one.beat)
        await store.shards.forget("two", two.beat)
        assert [beat.server_id for beat in await store.shards.beats()] == ["two"]

    async def test_leases_are_kept_by_who_holds_the_shard(self, store: Store) -> None:
        shard = await Shard.taken(store, owner="one")
        number, leases = shard.shard_id, store.leases
        await leases.keep(number, 1, "one", [("ses_b", 20), ("ses_a", 10)], [], whole=False)
        await leases.keep(number, 1, "one", [("ses_a", 11)], ["ses_none"], whole=False)
        kept = [LeaseRow("ses_a", "one", 1, 11), LeaseRow("ses_b", "one", 1, 20)]
        assert await leases.rows(number) == kept
        await shard.take("two")
        with pytest.raises(FencedOut):
            await leases.keep(number, 1, "one", [("ses_b", 99)], ["ses_a"], whole=True)
        assert await leases.rows(number) == kept
        assert await leases.rows(number + 1) == []

    async def test_leases_that_are_over_are_removed(self, store: Store) -> None:
        shard = await Shard.taken(store, owner="one")
        number, leases = shard.shard_id, store.leases
        old = [("ses_a", 1), ("ses_b", 2), ("ses_c", 3)]
        await leases.keep(number, 1, "one", old, [], whole=True)
        await leases.keep(number, 1, "one", [], ["ses_b"], whole=False)
        assert [row.session_id for row in await leases.rows(number)] == ["ses_a", "ses_c"]
        await shard.take("two")
        await leases.keep(number, 2, "two", [("ses_c", 7)], [], whole=True)
        assert await leases.rows(number) == [LeaseRow("ses_c", "two", 2, 7)]

    async def test_the_database_has_a_clock_in_epoch_ms(self, store: Store) -> None:
        assert await store.shards.now() > NOW
