"""A shard for tests of a store, and the rows of its commits from few words. No assertions."""

from __future__ import annotations

import random
from typing import Any

from mainspring.ids import IdSource
from mainspring.store.changes import Changes, Claimed
from mainspring.store.protocol import Store

NOW = 1_700_000_000_000
QUEUE = "task/t"


class Shard:
    """One environment's shard, owned by this object once it is taken."""

    def __init__(self, store: Store, shard_id: int, env_id: int, *, now: int = NOW) -> None:
        self.store = store
        self.shard_id = shard_id
        self.env_id = env_id
        self.epoch = 0
        self.now = now
        self._ids = IdSource(random.Random(shard_id))

    @classmethod
    async def taken(cls, store: Store, slug: str = "dev", owner: str = "one") -> Shard:
        """The shard of a new or known environment, with its ownership."""
        env = await store.catalog.ensure_environment(slug)
        shard = cls(store, env.shard_id, env.env_id)
        await shard.take(owner)
        return shard

    async def take(self, owner: str = "one") -> int:
        self.epoch = await self.store.shards.take(self.shard_id, owner)
        return self.epoch

    def ids(self, count: int) -> list[str]:
        """New run ids, one per millisecond."""
        self.now += count
        return [self._ids.new("run", self.now - count + at, self.shard_id) for at in range(count)]

    def changes(self) -> Changes:
        return Changes(self.now)

    async def commit(self, changes: Changes, epoch: int | None = None) -> list[Claimed]:
        held = self.epoch if epoch is None else epoch
        return await self.store.shards.commit(self.shard_id, held, changes)

    def run(self, changes: Changes, run_id: str, **given: Any) -> None:
        """Add a row of `run`; the keywords are its columns."""
        row = {
            "run_id": run_id,
            "env_id": self.env_id,
            "task": "t",
            "queue": QUEUE,
            "ckey": "",
            "version": "",
            "payload": '{"n":1}',
            "payload_ref": None,
            "options": "",
            "parent_id": None,
            "root_id": None,
            "depth": 0,
            "batch_id": None,
            "is_test": 0,
            "created_at": self.now,
        }
        assert given.keys() <= row.keys(), given
        changes.run.append(tuple((row | given).values()))

    def ready(self, changes: Changes, run_id: str, **given: Any) -> None:
        """Add a row of `ready`."""
        row = {
            "run_id": run_id,
            "env_id": self.env_id,
            "queue": QUEUE,
            "ckey": "",
            "version": "",
            "ord": self.now,
            "resume": 0,
            "epoch": 0,
            "attempt": 1,
            "started_at": 0,
            "active_ms": 0,
        }
        assert given.keys() <= row.keys(), given
        changes.ready.append(tuple((row | given).values()))

    def start(self, changes: Changes, run_id: str, **given: Any) -> None:
        """Add a row of `active` that was never ready."""
        row = {
            "run_id": run_id,
            "env_id": self.env_id,
            "queue": QUEUE,
            "ckey": "",
            "version": "",
            "ord": self.now,
            "session_id": "session",
            "epoch": 1,
            "attempt": 1,
            "started_at": self.now,
            "claimed_at": self.now,
            "active_ms": 0,
        }
        assert given.keys() <= row.keys(), given
        changes.start.append(tuple((row | given).values()))

    def park(self, changes: Changes, run_id: str, kind: str, **given: Any) -> None:
        """Add a row of `parked`."""
        row = {
            "run_id": run_id,
            "env_id": self.env_id,
            "queue": QUEUE,
            "ckey": "",
            "version": "",
            "ord": self.now,
            "kind": kind,
            "due_at": self.now + 5_000,
            "epoch": 1,
            "attempt": 1,
            "started_at": 0,
            "active_ms": 0,
            "session_id": "",
        }
        assert given.keys() <= row.keys(), given
        changes.park.append(tuple((row | given).values()))

    def done(self, changes: Changes, run_id: str, status: str = "completed", **given: Any) -> None:
        """Add a row of `run_done`."""
        row = {
            "run_id": run_id,
            "env_id": self.env_id,
            "task": "t",
            "queue": QUEUE,
            "status": status,
            "epoch": 1,
            "attempt": 1,
            "output": '"out"',
            "output_ref": None,
            "error": None,
            "started_at": self.now,
            "finished_at": self.now,
            "active_ms": 7,
        }
        assert given.keys() <= row.keys(), given
        changes.done.append(tuple((row | given).values()))

    async def queued(self, count: int, **given: Any) -> list[str]:
        """New runs that wait in their queue; the keywords are columns of `run`."""
        ids, changes = self.ids(count), self.changes()
        lane = {name: given[name] for name in ("queue", "ckey", "version") if name in given}
        for at, run_id in enumerate(ids):
            self.run(changes, run_id, **given)
            self.ready(changes, run_id, ord=self.now - count + at, **lane)
        await self.commit(changes)
        return ids

    async def claimed(self, ids: list[str], session_id: str = "session") -> list[Claimed]:
        """Claim these runs; in their order."""
        changes = self.changes()
        changes.claim = [(run_id, session_id, "") for run_id in ids]
        return sorted(await self.commit(changes), key=lambda run: ids.index(run.run_id))

    async def ended(self, count: int, status: str = "completed", **given: Any) -> list[str]:
        """New runs that have ended; the keywords are columns of `run`."""
        ids = await self.queued(count, **given)
        await self.claimed(ids)
        changes = self.changes()
        columns = {name: given[name] for name in ("task", "queue") if name in given}
        for run_id in ids:
            changes.drop_active.append((run_id, 1))
            self.done(changes, run_id, status, **columns)
        await self.commit(changes)
        return ids
