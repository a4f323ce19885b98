"""What every store shows people and programs, as test classes; see `testing.store_contract`."""

from __future__ import annotations

import asyncio
from typing import Any

from mainspring.model.run import RunError, RunFilter, Status
from mainspring.model.task import QueueSpec, TaskSpec
from mainspring.store.protocol import EnvironmentRow, QueueRow, Store
from mainspring.testing.store_rows import NOW, QUEUE, Shard
from mainspring.wire.worker import LogLine


class RunsContract:
    """One run, many runs, their children and their lines."""

    async def test_a_queued_run_shows_what_it_was_given(self, store: Store) -> None:
        shard = await Shard.taken(store)
        [run_id] = await shard.queued(
            1,
            ckey="user-1",
            version="v3",
            is_test=1,
            parent_id="run_p",
            root_id="run_r",
            batch_id="batch_1",
            depth=2,
            options='{"max_attempts":7,"ttl_ms":60,"priority_ms":9,"max_duration_ms":8,'
            '"idempotency_key":"hash","idempotency_shown":"mine","replay_of":"run_x"}',
        )
        changes = shard.changes()
        changes.tag = [(shard.env_id, tag, run_id) for tag in ("b", "a", "b")]
        changes.metadata = [(run_id, '{"old":1}', NOW), (run_id + "x", "{}", NOW)]
        await shard.commit(changes)
        changes = shard.changes()
        changes.metadata = [(run_id, '{"p":1}', shard.now + 9)]
        await shard.commit(changes)
        run = await store.runs.get(shard.shard_id, shard.env_id, run_id)
        assert run is not None
        assert (run.status, run.attempt, run.started_at) == (Status.QUEUED, 0, None)
        assert (run.max_attempts, run.ttl_ms, run.priority_ms) == (7, 60, 9)
        assert (run.max_duration_ms, run.replay_of) == (8, "run_x")
        assert (run.tags, run.metadata, run.payload) == (("a", "b"), '{"p":1}', '{"n":1}')
        assert (run.parent_id, run.root_id, run.depth) == ("run_p", "run_r", 2)
        assert (run.batch_id, run.is_test, run.idempotency_key) == ("batch_1", True, "mine")
        assert (run.concurrency_key, run.version, run.queue) == ("user-1", "v3", QUEUE)
        assert run.updated_at == shard.now + 9

    async def test_each_place_of_a_run_is_a_status(self, store: Store) -> None:
        shard = await Shard.taken(store)
        ids, changes = shard.ids(6), shard.changes()
        for run_id in ids:
            shard.run(changes, run_id)
        shard.park(changes, ids[0], "delay", due_at=5)
        shard.park(changes, ids[1], "retry", due_at=6, started_at=NOW, attempt=2)
        shard.park(changes, ids[2], "wait", started_at=NOW)
        shard.park(changes, ids[3], "version")
        shard.ready(changes, ids[4], attempt=2, started_at=NOW, resume=1)
        shard.start(changes, ids[5], started_at=NOW, attempt=3, active_ms=4)
        await shard.commit(changes)
        changes = shard.changes()
        changes.cancel = [(ids[5], 1, 44)]
        await shard.commit(changes)
        runs = {run.id: run for run in await store.runs.many(shard.shard_id, [*ids, "run_no"])}
        assert [runs[run_id].status for run_id in ids] == [
            Status.DELAYED,
            Status.EXECUTING,
            Status.WAITING,
            Status.PENDING_VERSION,
            Status.QUEUED,
            Status.EXECUTING,
        ]
        assert (runs[ids[0]].delayed_until, runs[ids[1]].retry_at) == (5, 6)
        assert [runs[run_id].attempt for run_id in ids] == [0, 2, 1, 0, 2, 3]
        assert (runs[ids[5]].cancel_requested_at, runs[ids[5]].active_ms) == (44, 4)

    async def test_an_ended_run_shows_its_end(self, store: Store) -> None:
        shard = await Shard.taken(store)
        [run_id], changes = shard.ids(1), shard.changes()
        shard.run(changes, run_id, payload=None, payload_ref="p")
        error = '{"message":"no","name":"ValueError","stack":"line 1"}'
        shard.done(changes, run_id, "failed", output=None, output_ref="o", error=error, attempt=3)
        await shard.commit(changes)
        run = await store.runs.get(shard.shard_id, shard.env_id, run_id)
        assert run is not None
        assert run.error == RunError("no", "ValueError", "line 1")
        assert (run.status, run.attempt, run.active_ms) == (Status.FAILED, 3, 7)
        assert (run.payload_ref, run.output_ref, run.payload, run.output) == ("p", "o", None, None)
        assert run.started_at == run.finished_at == run.updated_at == shard.now
        [listed] = await store.runs.page(shard.shard_id, shard.env_id, RunFilter())
        assert listed.error == RunError("no", "ValueError")

    async def test_a_run_of_another_environment_is_unknown(self, store: Store) -> None:
        shard = await Shard.taken(store)
        [run_id] = await shard.queued(1)
        assert await store.runs.get(shard.shard_id, shard.env_id + 1, run_id) is None
        assert await store.runs.get(shard.shard_id, shard.env_id, "run_no") is None

    async def test_a_debounced_payload_replaces_the_run_s(self, store: Store) -> None:
        shard = await Shard.taken(store)
        one, two = await shard.queued(2)
        changes = shard.changes()
        changes.payload = [(one, '"late"', None)]
        await shard.commit(changes)
        runs = await store.runs.many(shard.shard_id, [one, two])
        assert {run.id: run.payload for run in runs} == {one: '"late"', two: '{"n":1}'}

    async def test_the_first_journal_entry_of_a_key_stays(self, store: Store) -> None:
        shard = await Shard.taken(store)
        for data in ("1", "2"):
            changes = shard.changes()
            changes.journal = [("run", "k", 0, "step", 1, "ok", data, NOW, None, 1, None, "")]
            await shard.commit(changes)
        [row] = await store.waits.entries(shard.shard_id, [("run", "k", 0)])
        assert row.data == "1"

    async def test_children_are_listed_in_order_and_by_pages(self, store: Store) -> None:
        shard = await Shard.taken(store)
        [parent] = await shard.queued(1)
        children = await shard.queued(3, parent_id=parent)
        await shard.queued(1, parent_id="run_other")
        read = store.runs.children
        first = await read(shard.shard_id, parent, "", 2)
        assert first == children[:2]
        assert await read(shard.shard_id, parent, first[-1], 2) == children[2:]

    async def test_lines_of_a_run_are_numbered_as_they_come(self, store: Store) -> None:
        await asyncio.gather(
            *(
                store.runs.append_logs(
                    1, [LogLine(run, at, "info", f"{run}{at}", "{}") for run in "abab"]
                )
                for at in range(5)
            )
        )
        lines = await store.runs.logs(1, "a", 0, 99)
        assert [line.seq for line in lines] == list(range(1, 11))
        assert sorted(line.message for line in lines) == sorted([f"a{at}" for at in range(5)] * 2)
        assert [line.seq for line in await store.runs.logs(1, "a", 4, 3)] == [5, 6, 7]
        assert await store.runs.logs(2, "a", 0, 99) == []


class PagesContract:
    """Lists of runs with filters and cursors."""

    async def page(self, shard: Shard, **given: Any) -> list[str]:
        found = await shard.store.runs.page(shard.shard_id, shard.env_id, RunFilter(**given))
        assert all(run.payload is None and run.output is None for run in found)
        return [run.id for run in found]

    async def test_a_page_is_newest_first_and_tells_of_one_more(self, store: Store) -> None:
        shard = await Shard.taken(store)
        newest = (await shard.queued(5))[::-1]
        assert await self.page(shard, limit=2) == newest[:3]
        assert await self.page(shard, limit=2, after=newest[1]) == newest[2:]
        assert await self.page(shard, limit=2, before=newest[4]) == newest[1:4]
        assert await self.page(shard, limit=9, before=newest[1]) == newest[:1]

    async def test_each_filter_keeps_what_it_names(self, store: Store) -> None:
        shard = await Shard.taken(store)
        [plain] = await shard.queued(1)
        [mail] = await shard.queued(1, task="mail", queue="mail")
        [batched] = await shard.queued(1, batch_id="batch_1", version="v2")
        [failed] = await shard.ended(1, "failed", task="mail", queue="post")
        [tested] = await shard.ended(1, is_test=1)
        changes = shard.changes()
        changes.tag = [(shard.env_id, "x", mail), (shard.env_id, "y", failed)]
        marks = (
            ("machine", "micro", mail),
            ("machine", "large-1x", failed),
            ("region", "micro", plain),
            ("schedule", "sched_1", batched),
            ("bulk", "bulk_1", batched),
            ("bulk", "bulk_1", failed),
            ("error", "ValueError", failed),
        )
        changes.mark = [(shard.env_id, *mark) for mark in marks]
        await shard.commit(changes)
        everything = [tested, failed, batched, mail, plain]
        cases: list[tuple[dict[str, Any], list[str]]] = [
            ({}, everything),
            ({"task": ("mail",)}, [failed, mail]),
            ({"task": ("mail", "t")}, everything),
            ({"queue": ("mail",)}, [mail]),
            ({"queue": ("mail", "task/t")}, [tested, batched, mail, plain]),
            ({"queue": ("task/mail",)}, []),
            ({"queue": ("task/t",), "is_test": True}, [tested]),
            ({"version": ("v2", "v3")}, [batched]),
            ({"version": ("v2",), "status": (Status.FAILED,)}, []),
            ({"machine": ("micro", "large-1x")}, [failed, mail]),
            ({"machine": ("micro",), "task": ("mail",)}, [mail]),
            ({"region": ("micro",)}, [plain]),
            ({"schedule": ("sched_1",), "batch_id": "batch_1"}, [batched]),
            ({"bulk": ("bulk_1",)}, [failed, batched]),
            ({"bulk": ("bulk_1",), "error": ("ValueError",)}, [failed]),
            ({"error": ("KeyError",)}, []),
            ({"batch_id": "batch_1"}, [batched]),
            ({"tag": ("x", "y")}, [failed, mail]),
            ({"is_test": True}, [tested]),
            ({"is_test": False, "tag": ("x",)}, [mail]),
            ({"status": (Status.FAILED,)}, [failed]),
            ({"status": (Status.QUEUED, Status.COMPLETED)}, [tested, batched, mail, plain]),
            ({"status": (Status.QUEUED,), "task": ("mail",)}, [mail]),
            ({"status": (Status.FAILED,), "task": ("mail",), "tag": ("y", "z")}, [failed]),
            ({"status": (Status.DEQUEUED,)}, []),
            ({"status": (Status.DEQUEUED, Status.FAILED), "task": ("mail",)}, [failed]),
            ({"batch_id": "batch_1", "status": (Status.FAILED,)}, []),
            ({"task": ("none",)}, []),
        ]
        for given, wanted in cases:
            assert await self.page(shard, **given) == wanted, given

    async def test_times_are_compared_with_created_at(self, store: Store) -> None:
        shard = await Shard.taken(store)
        ids, changes = shard.ids(3), shard.changes()
        for run_id, at in zip(ids, (NOW, NOW + 10, NOW + 20), strict=True):
            shard.run(changes, run_id, created_at=at)
            shard.ready(changes, run_id)
        await shard.commit(changes)
        assert await self.page(shard, created_from=NOW + 10) == [ids[2], ids[1]]
        assert await self.page(shard, created_to=NOW + 10) == [ids[1], ids[0]]
        assert await self.page(shard, created_from=NOW + 5, created_to=NOW + 15) == [ids[1]]

    async def test_environments_that_share_a_shard_see_their_own(self, store: Store) -> None:
        shard = await Shard.taken(store)
        [mine] = await shard.queued(1)
        other = Shard(store, shard.shard_id, shard.env_id + 1, now=shard.now + 50)
        other.epoch = shard.epoch
        [theirs] = await other.queued(1, batch_id="batch_1")
        assert await self.page(shard) == [mine]
        assert await self.page(other) == [theirs]
        for given in ({"batch_id": "batch_1"}, {"status": (Status.QUEUED,)}, {"task": ("t",)}):
            assert theirs not in await self.page(shard, **given), given


class CatalogContract:
    """Environments, tasks and queues."""

    async def test_an_environment_is_made_once_with_a_shard_of_its_own(self, store: Store) -> None:
        made = await asyncio.gather(
            *(store.catalog.ensure_environment(slug) for slug in ("dev", "prod", "dev", "stg"))
        )
        assert made[0] == made[2]
        rows = await store.catalog.environments()
        assert {row.slug for row in rows} == {"dev", "prod", "stg"}
        assert len({row.shard_id for row in rows}) == len({row.env_id for row in rows}) == 3
        assert {row.shard_id for row in rows} == {s for s, _, _ in await store.shards.owners()}
        assert made[0] == EnvironmentRow(made[0].env_id, "dev", made[0].shard_id, None, 1.0, False)

    async def test_tasks_are_what_was_registered_last(self, store: Store) -> None:
        old, new = TaskSpec("t", "q"), TaskSpec("t", "q2", payload_schema={"type": "object"})
        await store.catalog.register(1, "v1", [old, TaskSpec("u", "q")], [QueueSpec("q")])
        await store.catalog.register(1, "v2", [new], [])
        await store.catalog.register(2, "v9", [TaskSpec("x", "q")], [])
        await store.catalog.register(2, "v9", [], [])
        assert await store.catalog.tasks(1) == [(new, "v2"), (TaskSpec("u", "q"), "v1")]

    async def test_a_queue_keeps_what_people_changed(self, store: Store) -> None:
        spec = QueueSpec("q", limit=5)
        await store.catalog.register(1, "v1", [], [spec, QueueSpec("a")])
        await store.catalog.set_queue(QueueRow(1, QueueSpec("q"), True, 2, NOW))
        await store.catalog.set_queue(QueueRow(1, QueueSpec("new")))
        newer = QueueSpec("q", limit=9)
        await store.catalog.register(1, "v2", [], [newer])
        assert await store.catalog.queues(1) == [
            QueueRow(1, QueueSpec("a")),
            QueueRow(1, QueueSpec("new")),
            QueueRow(1, newer, True, 2, NOW),
        ]
