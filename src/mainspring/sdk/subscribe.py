"""Following runs and logs from anywhere: each change once, in order, over lost connections."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from typing import Any, Final, TypeVar

from mainspring.errors import ConfigurationError, OperatorError, StoreUnavailable
from mainspring.model.run import Run
from mainspring.sdk.transport import Transport, ask, current
from mainspring.wire.calls import AwaitRuns, ChangedRuns, ListLogs, LogEntry, LogPage

T = TypeVar("T")
SLICE_MS: Final = 20_000
"""How long one request waits for news, so that no connection is idle for longer."""
LINES: Final = 1_000
GIVE_UP_S: Final = 300.0
"""After so long without an answer the server's absence is told to who follows."""
_LONGEST_PAUSE_S: Final = 5.0


async def runs(request: AwaitRuns, transport: Transport | None = None) -> AsyncIterator[Run]:
    """The runs as they change, from the ones there are. Never ends, but for a single run."""
    to = transport or current()
    request.timeout_ms = SLICE_MS
    while True:
        page = await _answer(request, ChangedRuns, to)
        for run in page.runs:
            yield run
            if request.run_id is not None and run.status.is_final:
                return
        request.after, request.beside = page.after, page.beside


async def logs(
    run_id: str, after: int = 0, transport: Transport | None = None
) -> AsyncIterator[LogEntry]:
    """The lines of a run after `after`, as they are written, until it has ended."""
    to = transport or current()
    while True:
        page = await _answer(ListLogs(run_id, after, LINES, SLICE_MS), LogPage, to)
        for line in page.lines:
            yield line
            after = line.seq
        if page.ended:
            return


async def _answer(request: Any, kind: type[T], to: Transport) -> T:
    """The answer, asked for anew while the server is away."""
    since = time.monotonic()
    pause = 0.1
    while True:
        try:
            return await ask(request, kind, to)
        except OperatorError as error:
            if not _passes(error, to) or time.monotonic() - since > GIVE_UP_S:
                raise
        await asyncio.sleep(pause * random.uniform(0.5, 1.5))
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def _passes(error: OperatorError, to: Transport) -> bool:
    if isinstance(error, StoreUnavailable):
        return True
    # a worker's session or an engine of this process that is gone does not come back
    return to.loop is None and not isinstance(error, ConfigurationError)
