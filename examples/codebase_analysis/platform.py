"""The embedded platform in one folder: server, owner and SQLite here, workers as child processes.

It is what `mainspring dev` starts, with the tasks of the main job and without reload.
"""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from mainspring import configure, runs
from mainspring.app import note
from mainspring.app.hosted import hosted
from mainspring.app.note import DevNote
from mainspring.app.stores import FOLDER, locate, make_folder
from mainspring.app.workers import Workers, child_config
from mainspring.model.key import new_key
from mainspring.model.run import Status
from mainspring.settings import ServerSettings, Settings, TaskSettings, WorkerSettings
from mainspring.worker.supervise import News

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
UNFINISHED = [status for status in Status if not status.is_final]


@dataclass
class Platform:
    """A platform that answers at `url`, and what its supervisor has told about the workers."""

    url: str
    wanted: int
    alive: set[int] = field(default_factory=set)
    connected: set[int] = field(default_factory=set)
    deaths: int = 0
    problem: str = ""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, news: News) -> None:
        """Keeps count of the workers; the supervisor calls it for whatever happens to them."""
        if news.kind == "ready":
            self.alive.add(news.pid)
        elif news.kind == "connected":
            self.connected.add(news.pid)
        elif news.kind == "died":
            self.alive.discard(news.pid)
            self.deaths += 1
        elif news.kind in ("import_failed", "unreachable"):
            self.problem = f"{news.text}\n{news.traceback}".strip()
        self.changed.set()

    async def workers_up(self) -> None:
        """Returns once all workers are connected.

        Raises:
            RuntimeError: they cannot work; the message has their own words.
        """
        while len(self.connected) < self.wanted:
            if self.problem:
                raise RuntimeError(self.problem)
            self.changed.clear()
            await self.changed.wait()

    def kill(self, chance: random.Random) -> int | None:
        """Ends one of the workers with SIGKILL; answers which, None without any."""
        if not self.alive:
            return None
        pid = chance.choice(sorted(self.alive))
        self.alive.discard(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return pid


@contextlib.asynccontextmanager
async def platform(folder: Path, processes: int) -> AsyncIterator[Platform]:
    """Serves as long as the block runs; the workers start by themselves.

    `mainspring` commands in that folder find the server. What an earlier start left unfinished is
    canceled, so that nothing else is at work.
    Raises: MainspringError when it cannot start, for one because another demo runs in the folder.
    """
    state = folder / FOLDER
    make_folder(state)
    key = new_key("dev", random.SystemRandom())
    settings = replace(
        Settings(),
        server=ServerSettings(port=0),
        tasks=TaskSettings(dirs=(str(HERE / "tasks.py"),)),
        worker=WorkerSettings(processes=processes, drain_s=1.0),
    )
    place = locate(str(state / "state.db"))
    async with hosted(place, settings.server, key=key) as server:
        note.write(state / "dev.json", DevNote(server.url, key, os.getpid()))
        configure(server.url, key)
        async for run in runs.list(status=UNFINISHED, task="analyze_codebase"):
            await runs.cancel(run.id)
        here = Platform(server.url, processes)
        workers = Workers(child_config(settings, server.url, key, ROOT), processes, here.hear)
        stop = asyncio.Event()
        working = asyncio.create_task(workers.run(stop), name="workers")
        try:
            yield here
        finally:
            stop.set()
            await working
