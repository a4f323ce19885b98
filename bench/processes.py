"""A backlog of no-ops drained by a server process and one worker process on the same cores."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from bench.place import PAYLOAD, database
from mainspring.app.hosted import hosted
from mainspring.app.stores import locate, migrate
from mainspring.engine.engine import Engine
from mainspring.engine.owner import Owner
from mainspring.model.key import new_key
from mainspring.model.run import TriggerOptions, TriggerRequest
from mainspring.model.task import TaskSpec
from mainspring.settings import ServerSettings
from mainspring.wire import calls
from mainspring.worker.channel import ChildConfig
from mainspring.worker.supervise import News, Supervisor

SLOTS = 1000
TASKS = """
from mainspring import task

@task
async def noop(i: int = 0, text: str = "") -> None:
    return None
"""


async def drain_processes(store: str, quick: bool) -> dict[str, object]:
    """From the first durable end to the last: starting a process is no cost of a run."""
    count = 4_000 if quick else 20_000
    with tempfile.TemporaryDirectory(prefix="mainspring-tasks-") as folder:
        Path(folder, "tasks.py").write_text(TASKS)  # noqa: ASYNC240 - nothing runs yet
        key = new_key("dev", Bits())
        async with database(store) as url:
            place = locate(url)
            await migrate(place)
            async with hosted(place, ServerSettings(port=0), key=key) as server:
                owner = await fill(server.engine, count)
                config = ChildConfig(server.url, key, (".",), (), folder, SLOTS)
                seconds, ended = await work(config, owner, count)
    return {
        "bench": "drain_processes",
        "store": store,
        "per_s": round(ended / seconds),
        "n": count,
    }


async def fill(engine: Engine, count: int) -> Owner:
    """Queue the runs; nobody works yet."""
    env = await engine.environment("dev")
    owner = engine.owners[env.shard_id]
    owner.state.set_task(env.env_id, TaskSpec("noop", "task/noop"), "")
    for _ in range(0, count, 1000):
        requests = [
            TriggerRequest("noop", PAYLOAD, TriggerOptions(checked=True)) for _ in range(1000)
        ]
        await engine.answer(env, calls.Trigger(requests))
    return owner


async def work(config: ChildConfig, owner: Owner, count: int) -> tuple[float, int]:
    """Seconds and runs between the first commit with an end and the last one."""
    supervisor = Supervisor(config, 1, silent)
    goal = owner.ended + count
    await supervisor.start()
    try:
        while owner.ended == goal - count:
            await owner.turn_over()
        begin, first = time.perf_counter(), owner.ended
        while owner.ended < goal:
            await owner.turn_over()
        return time.perf_counter() - begin, goal - first
    finally:
        await asyncio.wait_for(supervisor.drain(), 30)


def silent(_news: News) -> None:
    return None


class Bits:
    def getrandbits(self, k: int, /) -> int:
        return (1 << k) - 1
