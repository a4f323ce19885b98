"""Coroutines that wait for the same moment. What the moment is, its owner knows."""

from __future__ import annotations

import asyncio


class Gathering:
    """Everyone who is in `wait` goes on at the next `release`; falsy while nobody waits."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    async def wait(self) -> None:
        """Wait for the next release."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def release(self) -> None:
        """Let them go; on the event loop."""
        while self._waiting:
            future = self._waiting.pop()
            if not future.done():
                future.set_result(None)
