"""What every store keeps of bulk actions, schedules and deployments, as test classes; see
`testing.store_contract`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.errors import CommitRejected
from mainspring.model.run import RunFilter
from mainspring.store.operating import BulkRow, ScheduleRow, Window
from mainspring.store.protocol import Store
from mainspring.testing.store_rows import NOW, Shard

ALL = Window("", "~", 100)


def bulk_row(shard: Shard, number: int, **given: Any) -> BulkRow:
    """A bulk action with what the test gives."""
    id_ = f"bulk_{number}"
    row = BulkRow(id_, shard.env_id, "cancel", "pending", None, None, "{}", "", 0, 0, 0, NOW, None)
    return msgspec.structs.replace(row, **given)


def schedule_row(shard: Shard, number: int, **given: Any) -> ScheduleRow:
    """A schedule with what the test gives."""
    row = ScheduleRow(
        f"sched_{number}",
        shard.env_id,
        "imperative",
        "t",
        "* * * * *",
        "UTC",
        None,
        f"key{number}",
        None,
        1,
        NOW,
        None,
        NOW,
        NOW,
    )
    return msgspec.structs.replace(row, **given)


async def write(shard: Shard, *rows: BulkRow | ScheduleRow, drop: tuple[str, ...] = ()) -> None:
    """Commit these rows."""
    changes = shard.changes()
    for row in rows:
        written = changes.bulk if isinstance(row, BulkRow) else changes.schedule
        written.append(msgspec.structs.astuple(row))
    changes.drop_schedule = [(id_,) for id_ in drop]
    await shard.commit(changes)


class OperationsContract:
    """Bulk actions, schedules, deployments."""

    async def test_a_bulk_action_moves_on_and_keeps_what_it_is(self, store: Store) -> None:
        shard = await Shard.taken(store)
        first = bulk_row(shard, 1, name="n", region="eu", wanted='{"a":1}')
        await write(shard, first, bulk_row(shard, 2))
        moved = msgspec.structs.replace(first, name=None, place="run_9", total=5, success=4)
        await write(shard, moved)
        kept = msgspec.structs.replace(moved, name="n")
        assert await store.operations.bulk(shard.shard_id, "bulk_1") == kept
        assert await store.operations.bulk(shard.shard_id, "bulk_0") is None
        assert await store.operations.bulk(shard.shard_id + 1, "bulk_1") is None
        ended = msgspec.structs.replace(kept, status="completed", completed_at=NOW + 5)
        await write(shard, ended)
        pending = await store.operations.pending(shard.shard_id)
        assert [row.bulk_id for row in pending] == ["bulk_2"]

    async def test_bulk_actions_of_an_environment_are_listed_by_pages(self, store: Store) -> None:
        shard = await Shard.taken(store)
        rows = [bulk_row(shard, number) for number in range(1, 5)]
        await write(shard, *rows, bulk_row(shard, 9, env_id=shard.env_id + 1))

        async def page(window: Window) -> list[str]:
            found = await store.operations.bulks(shard.shard_id, shard.env_id, window)
            return [row.bulk_id for row in found]

        assert await page(ALL) == ["bulk_4", "bulk_3", "bulk_2", "bulk_1"]
        assert await page(Window("", "bulk_4", 1)) == ["bulk_3", "bulk_2"]
        assert await page(Window("bulk_1", "~", 1, newer=True)) == ["bulk_3", "bulk_2"]

    async def test_a_schedule_is_found_by_id_and_by_key(self, store: Store) -> None:
        shard = await Shard.taken(store)
        one, two = schedule_row(shard, 1), schedule_row(shard, 2, external_id="u", spread="5m")
        other = schedule_row(shard, 3, env_id=shard.env_id + 1, dedup_key="key1")
        await write(shard, one, two, other)
        read, env_id = store.operations, shard.env_id
        assert await read.schedule(shard.shard_id, "sched_2") == two
        assert await read.schedule_of_key(shard.shard_id, env_id, "key1") == one
        assert await read.schedule_of_key(shard.shard_id, env_id, "key3") is None
        assert await read.schedules(shard.shard_id, env_id, 0, 9) == [two, one]
        assert await read.schedules(shard.shard_id, env_id, 1, 9) == [one]
        assert await read.schedule_count(shard.shard_id, env_id) == 2
        changed = msgspec.structs.replace(one, cron="0 * * * *", active=0, updated_at=NOW + 1)
        await write(shard, changed, drop=("sched_2",))
        assert await read.schedules(shard.shard_id, env_id, 0, 9) == [changed]

    async def test_schedules_are_read_in_the_order_in_which_they_fire(self, store: Store) -> None:
        shard = await Shard.taken(store)
        fires = (3, 1, 2, 2, 4)
        rows = [schedule_row(shard, at, fire_at=NOW + fire) for at, fire in enumerate(fires)]
        rows[4].active = 0
        await write(shard, *rows)
        read, due = store.operations, []
        cursor = (NOW, "")
        while found := await read.schedules_due(shard.shard_id, cursor, NOW + 4, 2):
            due += found
            cursor = found[-1]
        assert due == [
            (NOW + 1, "sched_1"), (NOW + 2, "sched_2"), (NOW + 2, "sched_3"), (NOW + 3, "sched_0"),
        ]  # fmt: skip
        assert await read.schedules_due(shard.shard_id, (NOW, ""), NOW + 1, 9) == due[:1]
        many = await read.schedules_many(shard.shard_id, ["sched_0", "sched_4", "sched_9"])
        assert sorted(row.schedule_id for row in many) == ["sched_0", "sched_4"]

    async def test_a_tick_moves_its_schedule_on_once(self, store: Store) -> None:
        shard = await Shard.taken(store)
        one, off = schedule_row(shard, 1, next_at=5), schedule_row(shard, 2, next_at=5, active=0)
        await write(shard, one, off)
        for id_, tick in (("sched_1", 4), ("sched_2", 5), ("sched_3", 5)):
            assert not await self.moved(shard, id_, tick, 9, 9, tick, 1)
        assert await self.moved(shard, "sched_1", 5, 9, 10, 5, 1)
        assert not await self.moved(shard, "sched_1", 5, 9, 10, 5, 1)
        [row] = await store.operations.schedules_many(shard.shard_id, ["sched_1"])
        assert row == msgspec.structs.replace(one, next_at=9, fire_at=10, last_at=5)
        assert await self.moved(shard, "sched_1", 9, 9, 10, 9, 0)
        [row] = await store.operations.schedules_many(shard.shard_id, ["sched_1"])
        assert (row.active, row.last_at) == (0, 9)

    async def moved(self, shard: Shard, *row: object) -> bool:
        changes = shard.changes()
        changes.tick = [row]
        try:
            await shard.commit(changes)
        except CommitRejected:
            return False
        return True

    async def test_declared_schedules_are_found_by_environment(self, store: Store) -> None:
        shard = await Shard.taken(store)
        keys = ("!task/a/0", "!task/é/0", "!sched_1", "task", "!task0")
        rows = [schedule_row(shard, at, dedup_key=key) for at, key in enumerate(keys)]
        foreign = schedule_row(shard, 9, env_id=shard.env_id + 1, dedup_key="!task/a/0")
        await write(shard, *rows, foreign)
        found = await store.operations.schedules_declared(shard.shard_id, shard.env_id)
        assert found == rows[:2]

    async def test_a_deduplication_key_holds_one_schedule(self, store: Store) -> None:
        shard = await Shard.taken(store)
        await write(shard, schedule_row(shard, 1))
        refused = False
        try:
            await write(shard, schedule_row(shard, 2, dedup_key="key1"))
        except CommitRejected:
            refused = True
        assert refused
        assert await store.operations.schedule_count(shard.shard_id, shard.env_id) == 1

    async def test_a_version_keeps_its_first_worker(self, store: Store) -> None:
        shard = await Shard.taken(store)
        see = store.catalog.see_version
        place = (shard.shard_id, shard.env_id)
        await see(*place, "v1", "deployment_1", NOW)
        await see(*place, "v2", "deployment_2", NOW + 1)
        await see(*place, "v1", "deployment_3", NOW + 2)
        await see(shard.shard_id, shard.env_id + 1, "v1", "deployment_4", NOW)
        found = await store.catalog.deployments(*place, ALL)
        assert [(row.version, row.deployment_id) for row in found] == [
            ("v2", "deployment_2"),
            ("v1", "deployment_1"),
        ]
        assert (found[1].created_at, found[1].seen_at) == (NOW, NOW + 2)

    async def test_a_deployed_version_is_kept_once_with_its_code(self, store: Store) -> None:
        shard = await Shard.taken(store)
        place, versions = (shard.shard_id, shard.env_id), store.catalog
        await versions.see_version(*place, "20.2", "deployment_1", NOW)
        for number, version, ref in ((2, "20.1", "a"), (3, "20.2", "b"), (4, "20.1", "c")):
            await write_version(shard, version, f"deployment_{number}", f"out-{ref}", ref)
        assert await versions.versions(*place, "20.") == ["20.1", "20.2"]
        assert await versions.versions(*place, "21.") == []
        for version, id_, ref in (("20.1", "deployment_2", "a"), ("20.2", "deployment_1", "b")):
            row = await versions.deployment(*place, version)
            assert row is not None
            assert (row.deployment_id, row.bundle_ref) == (id_, ref)
            assert await versions.deployment_of_external(*place, f"out-{ref}") == row
        assert await versions.deployment(shard.shard_id, shard.env_id + 1, "20.1") is None
        assert await versions.deployment_of_external(*place, "out-c") is None

    async def test_promotions_come_the_latest_first(self, store: Store) -> None:
        shard = await Shard.taken(store)
        for number in (1, 2, 2, 3):
            changes = shard.changes()
            changes.promotion.append((shard.env_id, number, f"v{number}", NOW + number))
            await shard.commit(changes)
        found = await store.catalog.promotions(shard.shard_id, shard.env_id, 2)
        assert [(one.number, one.version) for one in found] == [(3, "v3"), (2, "v2")]
        assert await store.catalog.promotions(shard.shard_id, shard.env_id + 1, 2) == []

    async def test_a_pin_is_seen_in_the_run_and_in_what_is_claimed(self, store: Store) -> None:
        shard = await Shard.taken(store)
        first, second = await shard.queued(2)
        changes = shard.changes()
        changes.claim = [(first, "session", "v1"), (second, "session", "")]
        changes.pin = [(first, "v1")]
        await shard.commit(changes)
        rows = await store.live.locate(shard.shard_id, [first, second])
        assert {row.run_id: row.version for row in rows} == {first: "v1", second: ""}
        runs = await store.runs.many(shard.shard_id, [first, second])
        assert {run.id: run.version for run in runs} == {first: "v1", second: ""}

    async def test_a_pause_of_an_environment_is_kept(self, store: Store) -> None:
        env = await store.catalog.ensure_environment("dev")
        for paused in (True, False):
            await store.operations.pause(env.env_id, paused)
            assert (await store.catalog.ensure_environment("dev")).paused is paused

    async def test_the_past_of_a_run_has_every_generation(self, store: Store) -> None:
        shard = await Shard.taken(store)
        changes = shard.changes()
        changes.journal = [
            ("run", key, generation, kind, 1, "completed", '"d"', NOW, NOW + 1, seq, None, "")
            for key, generation, kind, seq in (
                ("b", 0, "step", 2),
                ("a", 0, "trigger", 1),
                ("a", 1, "step", 1),
            )
        ]
        await shard.commit(changes)
        found = await store.operations.past(shard.shard_id, "run", 9)
        assert [(row.key, row.generation, row.data) for row in found] == [
            ("a", 0, '"d"'),
            ("a", 1, None),
            ("b", 0, None),
        ]
        assert len(await store.operations.past(shard.shard_id, "run", 2)) == 2
        assert await store.operations.past(shard.shard_id, "run2", 2) == []

    async def test_a_mark_is_kept_once(self, store: Store) -> None:
        shard = await Shard.taken(store)
        [run_id] = await shard.queued(1)
        for _ in range(2):
            changes = shard.changes()
            changes.mark = [(shard.env_id, "region", "eu", run_id)]
            await shard.commit(changes)
        found = await store.runs.page(shard.shard_id, shard.env_id, RunFilter(region=("eu",)))
        assert [run.id for run in found] == [run_id]
        briefs = await store.runs.briefs(shard.shard_id, [run_id, "run_no"])
        assert [(run.id, run.payload) for run in briefs] == [(run_id, None)]


async def write_version(shard: Shard, version: str, id_: str, external: str, ref: str) -> None:
    """Commit a version with that code."""
    changes = shard.changes()
    changes.deployment.append(
        (shard.env_id, version, id_, NOW, NOW, external, ref, "hash", 3, "m", "3.12", "")
    )
    await shard.commit(changes)
