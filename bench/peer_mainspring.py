"""Mainspring for the peers' harness; variants sqlite and postgres. One server and one worker child.

Copied into the harness by `bench.against`; it runs in the repository's environment, not as a part
of the `bench` package.
"""

import os
import random
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from kit import DIR, PG_HOST, PG_PORT, VARIANT, Peer, fresh_pg, main

from mainspring.app.hosted import hosted
from mainspring.app.stores import locate, migrate, store_at
from mainspring.clock import SystemClock
from mainspring.engine.engine import Engine
from mainspring.model.run import TriggerOptions, TriggerRequest
from mainspring.model.task import TaskSpec
from mainspring.server.serve import runner as serving
from mainspring.settings import ServerSettings
from mainspring.wire import calls
from mainspring.worker.channel import ChildConfig
from mainspring.worker.supervise import Supervisor

KEY = "tr_dev_sk_" + "b" * 24
FILE = Path(DIR) / "mainspring.db"
FOLDER = Path(DIR) / "mainspring-tasks"
NAMES = ("noop", "slow", "wf")
TASKS = """
import asyncio
from kit import SLOW_S, hit
from mainspring import step, task

@task
async def noop(i: int) -> None:
    hit(i)

@task
async def slow(i: int) -> None:
    hit(i, 1)
    await asyncio.sleep(SLOW_S)
    hit(i, 2)

async def same(k: int) -> int:
    return k

@task
async def wf(i: int) -> None:
    hit(i, 1)
    for k in range(10):
        await step("step", same, k)
    hit(i, 2)
"""


def url() -> str:
    if VARIANT == "postgres":
        return f"postgresql://postgres@{PG_HOST}:{PG_PORT}/bench_mainspring"
    return str(FILE)


class Mainspring(Peer):
    meta: ClassVar[dict[str, object]] = {
        "server": "pg" if VARIANT == "postgres" else "",
        "workers": 1,
        "bulk": True,
        "drain_n": 20000,
        "workflow": True,
        "workflow_n": 3000,
        "settings": "server process + 1 worker process, 2000 slots",
    }

    async def reset(self) -> None:
        if VARIANT == "postgres":
            fresh_pg("bench_mainspring")
        for file in FILE.parent.glob(FILE.name + "*"):
            file.unlink()
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / "tasks.py").write_text(TASKS)
        await migrate(locate(url()))

    async def open(self) -> None:
        store = store_at(locate(url()))
        await store.open()
        self.engine = Engine(store, store.objects, SystemClock(), random.Random(), "feeder")
        self.env = await store.catalog.ensure_environment("dev")
        specs = [TaskSpec(name, f"task/{name}") for name in NAMES]
        await store.catalog.register(self.env.env_id, "", specs, [])
        await self.engine.start()

    async def enqueue(self, task: str, i: int) -> None:
        await self.enqueue_many(task, [i])

    async def enqueue_many(self, task: str, ids: Iterable[int]) -> None:
        requests = [
            TriggerRequest(task, f'{{"i": {i}}}', TriggerOptions(checked=True)) for i in ids
        ]
        await self.engine.answer(self.env, calls.Trigger(requests))

    def worker(self) -> None:
        with serving() as runner:
            runner.run(serve())


async def serve() -> None:
    async with hosted(locate(url()), ServerSettings(port=0), key=KEY) as server:
        config = ChildConfig(server.url, KEY, (".",), (), str(FOLDER), 2000)
        supervisor = Supervisor(config, 1)
        await supervisor.start()
        await supervisor.wait()


if __name__ == "__main__":
    os.makedirs(DIR, exist_ok=True)
    main(Mainspring())
