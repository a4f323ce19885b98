"""How many parked runs, and how much memory, a process may have before it is to be replaced.

Coroutines are never closed one by one: that would execute their `finally` blocks. The process ends,
and what was parked in it goes on from its journal when its time has come.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

from mainspring.worker.park import Parking

LOOK_S: Final = 5.0
_STATM: Final = Path("/proc/self/statm")


class Budget:
    """Watches the parked runs of a session, from `start` to `stop`.

    Args:
        parked: so many may wait in this process.
        memory: bytes of resident memory that it may have, as long as any do; 0 = no limit.

    Attributes:
        full: answered with why the process is to be replaced.
    """

    def __init__(self, parking: Parking, parked: int, memory: int = 0) -> None:
        self.full: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._parking = parking
        self._parked = parked
        self._memory = memory
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to look; memory every 5 s."""
        if self._memory:
            self._look_at_memory()

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
        self.full.cancel()

    def look(self) -> None:
        """Compare; after a run was parked."""
        kept = self._parking.kept
        if kept > self._parked:
            self._say(f"{kept:,} runs wait in it, and {self._parked:,} may")
        elif self._parking.out_of_threads:
            self._say("too many of its threads stand still in runs that wait")

    def _look_at_memory(self) -> None:
        used = resident()
        if used > self._memory and self._parking.kept:
            megabytes = 1024 * 1024
            self._say(
                f"it takes {used // megabytes:,} MiB while {self._parking.kept:,} runs wait in it, "
                f"and {self._memory // megabytes:,} MiB are allowed"
            )
        elif not self.full.done():
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(LOOK_S, self._look_at_memory)

    def _say(self, why: str) -> None:
        if not self.full.done():
            self.full.set_result(why)


def resident() -> int:
    """Bytes of memory that this process occupies; 0 where the system does not tell."""
    try:
        pages = int(_STATM.read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
