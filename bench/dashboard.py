"""The pages in a real Chromium on a real server: how soon they are there, and how they scroll.

The Node part is `bench/dashboard.mjs`, with the packages of `tests/npm`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figure import Figure
from bench.place import database, fill_finished
from bench.processes import SLOTS, Bits, silent
from mainspring.app.hosted import hosted
from mainspring.app.stores import locate, migrate
from mainspring.engine.engine import Engine
from mainspring.model.key import new_key
from mainspring.model.run import TriggerOptions, TriggerRequest
from mainspring.settings import ServerSettings
from mainspring.wire import calls
from mainspring.worker.channel import ChildConfig
from mainspring.worker.supervise import Supervisor
from tools import browser, dashboard, node

DRIVER = Path(__file__).with_name("dashboard.mjs")
TASKS = """
from mainspring import logger, step, task

async def nothing(n: int) -> int:
    return n

@task
async def steps(count: int) -> None:
    for n in range(count):
        await step(f"step {n}", nothing, n)

@task
async def lines(count: int) -> None:
    for n in range(count):
        logger.info("line", number=n)

@task
async def later() -> None:
    return None
"""


@dataclass
class House:
    """A server with a worker, and who asks it."""

    engine: Engine
    url: str
    key: str

    async def ended(self, task: str, payload: str) -> str:
        """The id of a new run, once it has ended."""
        env = await self.engine.environment("dev")
        while not (await self._ask(calls.ListTasks())).tasks:  # noqa: ASYNC110 - of a process
            await asyncio.sleep(0.1)
        made = await self._ask(
            calls.Trigger([TriggerRequest(task, payload, TriggerOptions(checked=True))])
        )
        run_id = str(made.answers[0].run_id)
        run = await self.engine.answer(env, calls.AwaitRun(run_id, 300_000))
        assert run.status.value == "completed", run
        return run_id

    async def _ask(self, request: calls.Request) -> Any:
        return await self.engine.answer(await self.engine.environment("dev"), request)

    async def drive(self, what: str, *arguments: str) -> dict[str, float]:
        """What the browser measures."""
        process = await asyncio.create_subprocess_exec(
            node.ensure(), str(DRIVER), what, *arguments, stdout=asyncio.subprocess.PIPE,
            env={
                **os.environ,
                "MAINSPRING_URL": self.url,
                "MAINSPRING_SECRET_KEY": self.key,
                "CHROMIUM": browser.ensure(),
            },
        )  # fmt: skip
        told, _ = await process.communicate()
        assert process.returncode == 0, f"{DRIVER} {what} failed"
        return dict(json.loads(told))


@contextlib.asynccontextmanager
async def house(store: str, finished: int = 0) -> AsyncIterator[House]:
    dashboard.ensure()
    with tempfile.TemporaryDirectory(prefix="mainspring-tasks-") as folder:
        Path(folder, "tasks.py").write_text(TASKS)  # noqa: ASYNC240 - nothing runs yet
        key = new_key("dev", Bits())
        async with database(store) as url:
            place = locate(url)
            await migrate(place)
            if finished:
                async with hosted(place, ServerSettings(port=0), key=key):
                    pass  # the environment, whose runs these will be
                await fill_finished(url, finished)
            async with hosted(place, ServerSettings(port=0), key=key) as server:
                config = ChildConfig(server.url, key, (".",), (), folder, SLOTS)
                worker = Supervisor(config, 1, silent)
                await worker.start()
                try:
                    yield House(server.engine, server.url, key)
                finally:
                    await asyncio.wait_for(worker.drain(), 30)


async def dashboard_pages(store: str, quick: bool) -> Figure:
    """Milliseconds from a click in the rail to the page with its data, with many finished runs."""
    count = 100_000 if quick else 1_000_000
    async with house(store, count) as place:
        run_id = await place.ended("lines", '{"count": 10}')
        found = await place.drive("pages", run_id)
    return {"bench": "dashboard_pages", "store": store, "n": count, **found}


async def dashboard_spans(store: str, quick: bool) -> Figure:
    """Frames per second of a waterfall that is scrolled, rows in the page, the longest frame."""
    count = 1_000 if quick else 9_990
    async with house(store) as place:
        found = await place.drive("spans", await place.ended("steps", f'{{"count": {count}}}'))
    return {"bench": "dashboard_spans", "store": store, "n": count, **found}


async def dashboard_lines(store: str, quick: bool) -> Figure:
    """The same of a run's log of as many lines as are kept of one, with ten such runs; `ms` from
    the click to its last line, `page_ms` and `find_ms` of the page of all lines.
    """
    count = 1_000 if quick else 10_000
    async with house(store) as place:
        for _ in range(10):
            run_id = await place.ended("lines", f'{{"count": {count}}}')
        found = await place.drive("lines", run_id, str(count))
        count *= 10
    return {"bench": "dashboard_lines", "store": store, "n": count, **found}


async def dashboard_change(store: str, quick: bool) -> Figure:
    """Milliseconds from the answer to a cancel until a list and a run's page show it; those from
    the answer to a trigger until the list shows the run are `new`.
    """
    count = 5 if quick else 20
    async with house(store) as place:
        await place.ended("lines", '{"count": 1}')
        found = await place.drive("change", str(count))
    return {"bench": "dashboard_change", "store": store, "n": count, **found}
