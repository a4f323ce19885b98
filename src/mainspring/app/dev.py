"""Everything for one person in one folder: server, SQLite, workers that reload, one port."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from mainspring.app import note
from mainspring.app.hosted import hosted
from mainspring.app.note import DevNote
from mainspring.app.stores import FOLDER, Location, locate, make_folder
from mainspring.app.workers import Workers, child_config
from mainspring.errors import MainspringError
from mainspring.model.key import check_key, new_key
from mainspring.settings import Settings
from mainspring.worker.supervise import News

NOTE: Final = FOLDER / "dev.json"


@dataclass(frozen=True)
class Dev:
    """A development server that answers, and its workers, which `run` starts."""

    url: str
    key: str
    place: Location
    workers: Workers

    async def run(self, stop: asyncio.Event) -> None:
        """Execute the tasks of the folder until `stop` is set. Raises: as `Workers.run`."""
        await self.workers.run(stop)


@contextlib.asynccontextmanager
async def develop(
    settings: Settings, root: Path, news: Callable[[News], None], *, reload: bool = True
) -> AsyncIterator[Dev]:
    """Serve the folder `root` as long as the block runs.

    The key is that of the settings, else the one of the last time, else a new one. Commands in the
    folder find server and key in `.mainspring/dev.json`, which stays, so that the key does too.
    Raises: as `hosted`.
    """
    folder = root / FOLDER
    make_folder(folder)
    key = settings.secret_key or _former_key(root / NOTE) or _new_key()
    place = locate(settings.database or str(folder / "state.db"))
    async with hosted(place, settings.server, key=key, dev=True) as server:
        note.write(root / NOTE, DevNote(server.url, key, os.getpid()))
        config = msgspec.structs.replace(
            child_config(settings, server.url, key, root), echo=True, env_file=str(root / ".env")
        )
        workers = Workers(config, settings.worker.processes, news, reload=reload)
        yield Dev(server.url, key, place, workers)


def _former_key(path: Path) -> str | None:
    found = note.read(path)
    if found is None:
        return None
    try:
        check_key(found.key)
    except MainspringError:
        return None
    return found.key


def _new_key() -> str:
    return new_key("dev", random.SystemRandom())
