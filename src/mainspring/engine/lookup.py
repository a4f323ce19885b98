"""Runs by their ids: what many ask for at a time is one statement."""

from __future__ import annotations

import asyncio
from copy import copy
from typing import Final

from mainspring.engine.batch import settle
from mainspring.errors import MainspringError
from mainspring.model.run import Run
from mainspring.store.protocol import Runs

MOST: Final = 500
"""Runs of one statement."""


class Lookup:
    """Reads runs of a shard, as they are at some time after they were asked for.

    One statement is under way at a time; who asks meanwhile shares the next one.
    """

    def __init__(self, runs: Runs, shard_id: int) -> None:
        self._runs = runs
        self._shard_id = shard_id
        self._wanted: dict[str, list[asyncio.Future[Run | None]]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def run(self, run_id: str) -> Run | None:
        """A run of its own for the caller; None when there is none. Raises: StoreUnavailable."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Run | None] = loop.create_future()
        self._wanted.setdefault(run_id, []).append(future)
        if self._reading is None:
            self._reading = loop.create_task(self._read(), name=f"lookup-{self._shard_id}")
        return await future

    async def _read(self) -> None:
        wanted: dict[str, list[asyncio.Future[Run | None]]] = {}
        try:
            while self._wanted:
                ids = list(self._wanted)[:MOST]
                wanted = {run_id: self._wanted.pop(run_id) for run_id in ids}
                try:
                    found = {run.id: run for run in await self._runs.many(self._shard_id, ids)}
                except MainspringError as error:
                    settle([(future, error) for asked in wanted.values() for future in asked])
                    continue
                for run_id, asked in wanted.items():
                    run = found.get(run_id)
                    settle([(future, copy(run)) for future in asked])
        finally:
            self._reading = None
            for future in (one for asked in wanted.values() for one in asked):
                future.cancel()  # none is left, unless this was interrupted
