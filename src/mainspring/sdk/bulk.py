"""Canceling and replaying many runs at once; the server does it in pieces."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Final, Unpack

from mainspring.errors import ResultTimeout
from mainspring.model.duration import Duration, milliseconds
from mainspring.sdk.runs import Filters, filter_of
from mainspring.sdk.transport import ask
from mainspring.wire.operating import AbortBulk, Bulk, BulkPage, GetBulk, ListBulks, StartBulk

FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 2.0


async def cancel(
    run_ids: Sequence[str] | None = None, *, name: str | None = None, **filters: Unpack[Filters]
) -> Bulk:
    """Begin to cancel these runs, or those that pass the filters; `retrieve` says how far it is.

    Raises: InvalidOptions unless there are either ids or filters.
    """
    return await _start("cancel", run_ids, name, filters)


async def replay(
    run_ids: Sequence[str] | None = None, *, name: str | None = None, **filters: Unpack[Filters]
) -> Bulk:
    """Begin to replay these runs, or those that pass the filters. Raises: as `cancel`."""
    return await _start("replay", run_ids, name, filters)


async def retrieve(bulk_id: str) -> Bulk:
    """How far it is: `status` is pending, completed or aborted. Raises: NotFound."""
    return await ask(GetBulk(bulk_id), Bulk)


async def poll(bulk_id: str, *, timeout: Duration | None = None) -> Bulk:
    """It once it has ended, asked for again and again. Raises: NotFound, ResultTimeout."""
    limit = None if timeout is None else milliseconds(timeout, "timeout") / 1000
    started, pause = time.monotonic(), FIRST_PAUSE_S
    while True:
        found = await retrieve(bulk_id)
        if found.status != "pending":
            return found
        if limit is not None and time.monotonic() - started + pause > limit:
            raise ResultTimeout(
                f"{bulk_id} is still pending after {timeout} seconds: {found.success} of "
                f"{found.total} runs are done. It goes on; ask again."
            )
        await asyncio.sleep(pause)
        pause = min(1.5 * pause, LONGEST_PAUSE_S)


async def abort(bulk_id: str) -> Bulk:
    """Leave the rest of the runs alone; harmless when it has ended. Raises: NotFound."""
    return await ask(AbortBulk(bulk_id), Bulk)


async def list(*, limit: int | None = None, page_size: int = 100) -> AsyncIterator[Bulk]:
    """Walk through them, newest first, asking for a page at a time."""
    request = ListBulks(limit=page_size)
    left = limit
    while left is None or left > 0:
        page = await ask(request, BulkPage)
        for found in page.bulks[:left]:
            yield found
        if page.next is None:
            return
        request.after = page.next
        left = None if left is None else left - len(page.bulks)


async def _start(
    kind: str, run_ids: Sequence[str] | None, name: str | None, filters: Filters
) -> Bulk:
    request = StartBulk(
        kind,
        filter_of(filters) if filters else None,
        None if run_ids is None else tuple(run_ids),
        name,
        request_key=uuid.uuid4().hex,  # a repeat after a lost answer starts nothing
    )
    return await ask(request, Bulk)
