"""Worker processes of one folder of tasks, from start to stop, reloaded on change if wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from mainspring.model.branch import is_branch
from mainspring.settings import Settings
from mainspring.worker.channel import ChildConfig
from mainspring.worker.reload import reload_on_change
from mainspring.worker.supervise import News, Supervisor


class Workers:
    """Child processes that execute the tasks below `root` for a server.

    `news` is called for everything that people may want to see.
    """

    def __init__(
        self,
        config: ChildConfig,
        processes: int,
        news: Callable[[News], None],
        *,
        reload: bool = False,
    ) -> None:
        self._config = config
        self._processes = processes
        self._news = news
        self._reload = reload
        self._supervisor: Supervisor | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then let runs end within the time to drain.

        Raises: MainspringError when the server refuses this worker for good.
        """
        supervisor = self._supervisor = Supervisor(self._config, self._processes, self._news)
        ended = asyncio.create_task(supervisor.wait(), name="workers")
        asked = asyncio.create_task(stop.wait())
        working = asyncio.create_task(self._work(supervisor, stop), name="start and reload")
        try:
            await asyncio.wait({ended, asked, working}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
            working.cancel()
            await supervisor.drain()
            await asyncio.wait({ended, working})
        for task in (working, ended):
            if not task.cancelled():
                task.result()

    def kill(self) -> None:
        """End all processes at once."""
        if self._supervisor is not None:
            self._supervisor.kill()

    async def _work(self, supervisor: Supervisor, stop: asyncio.Event) -> None:
        await supervisor.start()
        if self._reload:
            root = Path(self._config.root or ".")
            places = [root / place for place in self._config.dirs]
            await reload_on_change(places, supervisor.replace, stop)
        await stop.wait()


def child_config(
    settings: Settings, url: str, key: str, root: Path, version: str = "", environment: str = ""
) -> ChildConfig:
    """What children need to know, from the settings of the folder `root`; its code is `version`.

    `environment` matters where it is a branch, which a key of `preview` is used for.
    """
    return ChildConfig(
        url=url,
        key=key,
        dirs=settings.tasks.dirs,
        ignore=settings.tasks.ignore,
        root=str(root),
        slots=settings.worker.slots,
        version=version,
        drain_s=settings.worker.drain_s,
        warm_s=settings.worker.warm_s,
        parked=settings.worker.parked,
        memory=settings.worker.memory_mb * 1024 * 1024,
        environment=environment if is_branch(environment) else "",
    )
