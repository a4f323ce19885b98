"""What is measured, pushed to a collector every half minute, beside the engine's work."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Final

from mainspring.clock import Clock
from mainspring.engine.owner import Owner
from mainspring.telemetry.records import MetricRecord, record

EVERY_S: Final = 30.0
STOP_S: Final = 5.0
SendMetrics = Callable[[Sequence[MetricRecord]], Awaitable[None]]
"""Takes them to the collector. Raises: OSError; the next ones tell of the same and more."""

log = logging.getLogger("mainspring.export")


class Pusher:
    """Sends the series of this server's shards, as sums since they began. A collector that does not
    answer loses nothing but time.
    """

    def __init__(self, send: SendMetrics) -> None:
        self._send = send
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failing = False

    def start(self, owners: Mapping[int, Owner], clock: Clock) -> None:
        """Begin to send what these owners measure."""
        self._task = asyncio.create_task(self._run(owners, clock), name="metrics")

    async def stop(self) -> None:
        """Send once more, for some seconds at most. Safe to call twice."""
        self._stop.set()
        task, self._task = self._task, None
        if task is not None:
            _, late = await asyncio.wait([task], timeout=STOP_S)
            for one in late:
                one.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self, owners: Mapping[int, Owner], clock: Clock) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):  # it is time
                async with asyncio.timeout(EVERY_S):
                    await self._stop.wait()
            await self._push(list(records(owners, clock.now())))

    async def _push(self, found: list[MetricRecord]) -> None:
        try:
            if found:
                await self._send(found)
        except OSError as error:
            if not self._failing:
                log.warning("metrics are not pushed until the collector answers: %s", error)
            self._failing = True
        else:
            self._failing = False


def records(
    owners: Mapping[int, Owner], now: int, env_id: int | None = None
) -> Iterator[MetricRecord]:
    """The series of these owners, or of one environment."""
    for owner in owners.values():
        for series in owner.measures.book:
            env = owner.state.environments.get(series.key.env_id)
            if env is not None and env_id in (None, env.env_id):
                yield record(series, env.slug, now)
