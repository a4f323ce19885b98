"""Kills workers at random moments while a job runs. Who is killed is the platform's business."""

import asyncio
import random

from examples.codebase_analysis.platform import Platform

SHORTEST_S, LONGEST_S = 0.2, 1.8


class Crashes:
    """Ends `wanted` workers, one after the other, whenever `busy` is set.

    Seeded, so that the waits and choices are the same again; what the killed one was just doing is
    not.
    """

    def __init__(self, platform: Platform, seed: int, wanted: int) -> None:
        self.busy = asyncio.Event()
        self.killed: list[int] = []
        self._platform = platform
        self._chance = random.Random(seed)
        self._wanted = wanted

    @property
    def enough(self) -> bool:
        """Whether all that were wanted have happened."""
        return len(self.killed) >= self._wanted

    async def run(self) -> None:
        """Kills until it is enough."""
        while not self.enough:
            await asyncio.sleep(self._chance.uniform(SHORTEST_S, LONGEST_S))
            await self.busy.wait()
            pid = self._platform.kill(self._chance)
            if pid is not None:
                self.killed.append(pid)
