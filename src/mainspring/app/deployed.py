"""Workers of deployed code: of the current version, and of those before while their runs go on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from mainspring.app.prepared import Prepared, prepare
from mainspring.app.workers import Workers
from mainspring.errors import MainspringError, NotFound
from mainspring.model.run import RunFilter, RunPage, Status
from mainspring.wire.calls import ListRuns, Request
from mainspring.wire.operating import (
    CurrentDeployment,
    Deployment,
    DeploymentPage,
    ListDeployments,
)
from mainspring.worker.channel import ChildConfig
from mainspring.worker.supervise import News

LOOK_S: Final = 1.0
"""Between two looks at which version is current."""
REST_S: Final = 5.0
"""Between two looks at which other versions have runs."""
FORMER: Final = 20
"""Versions before the current one that are looked at."""
_LIVE: Final = tuple(status for status in Status if not status.is_final)

Ask = Callable[[Request], Awaitable[Any]]
Configure = Callable[[Prepared], ChildConfig]

log = logging.getLogger("mainspring.worker")


class _Serving(Struct, eq=False):
    """The workers of one version."""

    workers: Workers
    stop: asyncio.Event
    ended: asyncio.Task[None]


class Deployed:
    """Runs the deployed code of an environment for as long as it is asked to.

    A promotion is followed within seconds: processes of the new version start, and those of a
    version before end once no run is left that is pinned to it. What cannot be fetched or installed
    is told and tried again; what runs goes on meanwhile.

    `news` and `say` are called for what people may want to see.
    """

    def __init__(
        self,
        ask: Ask,
        configure: Configure,
        processes: int,
        cache: Path,
        news: Callable[[News], None],
        say: Callable[[str], None],
    ) -> None:
        self._ask = ask
        self._configure = configure
        self._processes = processes
        self._cache = cache
        self._news = news
        self._say = say
        self._serving: dict[str, _Serving] = {}
        self._current = ""
        self._told = ""
        self._rested_at = float("-inf")

    @property
    def versions(self) -> list[str]:
        """The versions that have processes here."""
        return list(self._serving)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then let runs end within the time to drain."""
        try:
            while not stop.is_set():
                try:
                    await self._look()
                except MainspringError as error:
                    self._tell(error.message)
                await _pause(stop, LOOK_S)
        finally:
            await asyncio.gather(*(self._end(version) for version in self.versions))

    def kill(self) -> None:
        """End all processes at once."""
        for serving in self._serving.values():
            serving.workers.kill()

    async def _look(self) -> None:
        """Serve the current version, and what else has runs."""
        for version, serving in list(self._serving.items()):
            if serving.ended.done():  # the server has refused it, for example
                del self._serving[version]
                serving.ended.result()
        current = await self._promoted()
        if current and current not in self._serving:
            await self._begin(current)
        if current != self._current:
            self._current, self._rested_at = current, float("-inf")
            self._say(f"New runs get version {current}." if current else "Nothing is promoted.")
        now = asyncio.get_running_loop().time()
        if now - self._rested_at >= REST_S:
            self._rested_at = now
            await self._serve_former()

    async def _promoted(self) -> str:
        """The current version, if its code is kept on the server."""
        try:
            found: Deployment = await self._ask(CurrentDeployment())
        except NotFound:
            return ""
        return found.version if found.current and found.hash else ""

    async def _serve_former(self) -> None:
        """Start and end processes of versions that are not current."""
        page: DeploymentPage = await self._ask(ListDeployments(limit=FORMER))
        known = {one.version for one in page.deployments if one.hash and one.promoted_at}
        for version in sorted({*known, *self._serving} - {self._current}):
            live: RunPage = await self._ask(
                ListRuns(RunFilter(version=(version,), status=_LIVE, limit=1))
            )
            has_runs = bool(live.runs or live.next)
            if has_runs and version not in self._serving:
                await self._begin(version)
            elif not has_runs and version in self._serving:
                self._say(f"Version {version} has no runs left here.")
                await self._end(version)

    async def _begin(self, version: str) -> None:
        prepared = await prepare(self._ask, version, self._cache)
        config = self._configure(prepared)
        workers, stop = Workers(config, self._processes, self._news), asyncio.Event()
        ended = asyncio.create_task(workers.run(stop), name=f"workers of {version}")
        self._serving[version] = _Serving(workers, stop, ended)
        self._say(f"Serving version {version} from {prepared.root}.")

    async def _end(self, version: str) -> None:
        serving = self._serving.pop(version)
        serving.stop.set()
        await asyncio.wait({serving.ended})
        error = serving.ended.exception()
        if error is not None:
            log.warning("workers of version %s: %s", version, error)

    def _tell(self, message: str) -> None:
        """Only changes are news."""
        if message != self._told:
            self._told = message
            self._say(message)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
