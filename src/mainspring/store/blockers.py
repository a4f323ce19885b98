"""Sessions of PostgreSQL that hold rows which we wait for, and whose client says nothing any more.

A process that stands still between two messages of one statement keeps its transaction open for as
long as it stands still: PostgreSQL counts neither that as idle in a transaction nor time towards
the statement (up to 16 at least). So who waits for it ends its session.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any, Final

from mainspring.errors import MainspringError
from mainspring.store.links import READER, Place
from mainspring.store.trouble import ERRORS

PATIENCE_S: Final = 1.0
"""How long we wait for a lock before we look who holds it, and then between two looks."""
SILENT: Final = """
SELECT pg_terminate_backend(a.pid), a.pid FROM pg_stat_activity a
WHERE a.pid = ANY (pg_blocking_pids($1)) AND a.datname = current_database()
  AND a.usename = current_user AND a.application_name = $2 AND a.wait_event_type = 'Client'
  AND a.state_change < clock_timestamp() - make_interval(secs => $3)
"""
"""Only sessions of our own kind, and only those that have nothing to do but wait for their client:
whoever is at work comes to an end by itself.
"""

log = logging.getLogger("mainspring.store")


class Blockers:
    """Ends what stands in the way of transactions that take locks."""

    def __init__(self, place: Place) -> None:
        self._place = place

    @contextlib.asynccontextmanager
    async def ended(self, waiting: Any) -> AsyncIterator[None]:
        """As long as the block lasts, nobody silent keeps the connection `waiting`, which is in a
        transaction, from its locks for much longer than a second.
        """
        pid = waiting.get_server_pid()
        if self._place.pooled:  # the driver was told the pooler's own
            pid = await waiting.fetchval("SELECT pg_backend_pid()")
        loop, ending = asyncio.get_running_loop(), set[asyncio.Task[None]]()
        alarm = loop.call_later(
            PATIENCE_S, lambda: ending.add(loop.create_task(self._end(pid), name="blockers"))
        )
        try:
            yield
        finally:
            alarm.cancel()
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)

    async def _end(self, pid: int) -> None:
        """Look again and again, on a connection of its own: those of the pool may all wait."""
        while True:
            try:
                connection = await self._place.connect(READER)
                try:
                    while True:
                        async with connection.transaction():
                            silent = await connection.fetch(
                                SILENT, pid, self._place.name, PATIENCE_S
                            )
                        for _, ended in silent:
                            log.warning(
                                "session %s of PostgreSQL held rows that were waited for, and its "
                                "client stood still; it was ended",
                                ended,
                            )
                        await asyncio.sleep(PATIENCE_S)
                finally:
                    connection.terminate()
            except (MainspringError, *ERRORS) as error:
                log.debug("who holds a lock cannot be told: %s", error)
            await asyncio.sleep(PATIENCE_S)
