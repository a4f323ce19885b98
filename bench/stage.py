"""An engine with a worker in a process of its own, or in this one, and the CPU that each takes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from bench import durable_tasks
from bench.place import Platform, database, platform
from bench.processes import Bits, silent
from bench.work import worker
from mainspring.app.hosted import hosted
from mainspring.app.stores import locate, migrate
from mainspring.engine.engine import Engine
from mainspring.engine.owner import Owner
from mainspring.model.key import new_key
from mainspring.model.run import Run, TriggerOptions, TriggerRequest
from mainspring.model.task import TaskSpec
from mainspring.settings import ServerSettings
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire import calls
from mainspring.worker.channel import ChildConfig
from mainspring.worker.supervise import Supervisor

TASKS = Path(durable_tasks.__file__)
Cpu = dict[str, float]


class Stage:
    """What a case works with. `worker_pids` is empty when the worker is inside this process."""

    def __init__(self, engine: Engine, env: EnvironmentRow, url: str) -> None:
        self.engine = engine
        self.env = env
        self.url = url
        self.owner: Owner = engine.owners[env.shard_id]
        self.worker_pids: list[int] = []

    async def trigger(self, task: str, *payloads: dict[str, Any]) -> list[str]:
        """Queue a run for each payload, 1,000 a call; the worker may know the task only later."""
        state = self.owner.state
        if (self.env.env_id, task) not in state.tasks:
            state.set_task(self.env.env_id, TaskSpec(task, f"task/{task}"), "")
        found: list[str] = []
        texts = [msgspec.json.encode(payload).decode() for payload in payloads]
        for first in range(0, len(texts), 1000):
            requests = [
                TriggerRequest(task, text, TriggerOptions(checked=True))
                for text in texts[first : first + 1000]
            ]
            made = await self.engine.answer(self.env, calls.Trigger(requests))
            assert isinstance(made, calls.Triggered)
            found += [answer.run_id for answer in made.answers]
        return found

    async def output(self, run_id: str) -> Any:
        """What the run returned, once it has."""
        while True:
            run = await self.engine.answer(self.env, calls.AwaitRun(run_id, 10_000))
            assert isinstance(run, Run)
            if run.status.is_final:
                assert run.output is not None, run.error
                return msgspec.json.decode(run.output)

    async def result(self, task: str, **payload: Any) -> Any:
        """Trigger one run and wait for what it returns."""
        return await self.output((await self.trigger(task, payload))[0])

    async def ended(self, count: int) -> None:
        """Wait until the counter of ended runs has come so far."""
        while self.owner.ended < count:
            await self.owner.turn_over()

    async def connected(self) -> None:
        """Wait until a worker is there."""
        sessions = self.owner.state.sessions
        await until(lambda: any(one.deliver is not None for one in sessions.values()))

    async def parked(self, count: int, by: float = float("inf")) -> int:
        """Wait until so many coroutines wait in workers, but not beyond `by` (`time.time`)."""
        holders = self.owner.state.holders
        await until(lambda: len(holders) >= count or time.time() >= by)
        return len(holders)

    def cpu(self) -> Cpu:
        """Seconds of CPU so far: of this process, of the workers, of the database's processes."""
        return {
            "server": cpu_seconds([os.getpid()]),
            "worker": cpu_seconds(self.worker_pids),
            "database": cpu_seconds(backends(self.url)),
        }

    def cpu_us(self, before: Cpu, count: int) -> dict[str, float]:
        """Microseconds of CPU for each of `count` things since `before`, by process."""
        now = self.cpu()
        return {
            f"{name}_cpu_us": round((now[name] - before[name]) / count * 1e6, 1)
            for name in now
            if now[name] > 0
        }


class Staged(Stage):
    """A hosted server in this process; workers are started and stopped by the case."""

    def __init__(self, engine: Engine, env: EnvironmentRow, url: str, config: ChildConfig) -> None:
        super().__init__(engine, env, url)
        self.config = config
        self._supervisor: Supervisor | None = None

    async def start(self, slots: int, parked: int = 20_000) -> None:
        """Start one worker process and wait until it is connected."""
        config = msgspec.structs.replace(self.config, slots=slots, parked=parked)
        self._supervisor = Supervisor(config, 1, silent)
        await self._supervisor.start()
        self.worker_pids = self._supervisor.pids
        await self.connected()

    async def stop(self, kill: bool = False) -> None:
        """End the worker, orderly or at once."""
        supervisor, self._supervisor = self._supervisor, None
        self.worker_pids = []
        if supervisor is not None:
            if kill:
                supervisor.kill()
                await supervisor.wait()
            else:
                await asyncio.wait_for(supervisor.drain(), 60)


@contextlib.asynccontextmanager
async def staged(store: str, tasks: Path = TASKS) -> AsyncIterator[Staged]:
    """A fresh database and a server; the worker processes get this file of tasks."""
    with tempfile.TemporaryDirectory(prefix="mainspring-tasks-") as folder:
        shutil.copy(tasks, Path(folder, "tasks.py"))
        key = new_key("dev", Bits())
        async with database(store) as url:
            place = locate(url)
            await migrate(place)
            async with hosted(place, ServerSettings(port=0), key=key) as server:
                env = await server.engine.environment("dev")
                config = ChildConfig(server.url, key, (".",), (), folder)
                stage = Staged(server.engine, env, url, config)
                try:
                    yield stage
                finally:
                    await stage.stop(kill=True)


@contextlib.asynccontextmanager
async def embedded(store: str, slots: int) -> AsyncIterator[tuple[Stage, Worker]]:
    """A fresh database with engine and, once its block is entered, worker in this process."""
    async with database(store) as url, platform(url) as place:
        stage = Stage(place.engine, place.env, url)
        yield stage, Worker(place, slots)


class Worker:
    """The worker of `embedded`, not yet started: a case may queue runs first."""

    def __init__(self, place: Platform, slots: int) -> None:
        self._place = place
        self._slots = slots

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        async with worker(self._place, self._slots):
            yield


async def until(true: Callable[[], bool]) -> None:
    """Look every few milliseconds, beside the engine that is measured."""
    pause = asyncio.get_running_loop().create_future
    while not true():
        await asyncio.wait({pause()}, timeout=0.005)


def backends(url: str) -> list[int]:
    """The PostgreSQL processes of a database, if they are on this machine."""
    name = url.rpartition("/")[2]
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline") if url.startswith("postgres") else ():
        with contextlib.suppress(OSError):
            title = file.read_bytes().rstrip(b"\0").decode(errors="replace")
            if title.startswith("postgres: ") and f" {name} " in title:
                found.append(int(file.parent.name))
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Seconds that the threads of these processes have run; processes that are gone count as 0."""
    total = 0
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                total += int(thread.read_text().split()[0])
    return total / 1e9


def memory_mib(pid: int) -> dict[str, float]:
    """Resident and proportional memory of a process in MiB."""
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    kib = {row.split(":")[0]: int(row.split()[1]) for row in rows[1:] if row.endswith("kB")}
    return {"rss_mib": round(kib["Rss"] / 1024, 1), "pss_mib": round(kib["Pss"] / 1024, 1)}
