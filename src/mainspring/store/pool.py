"""The connections to PostgreSQL that are not for commits: a few, waited for, but not for ever."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import asyncpg

from mainspring.errors import StoreUnavailable
from mainspring.store.links import READER, Place
from mainspring.store.trouble import ERRORS, FULL, is_lost, jittered, sqlstate

WAIT_S: Final = 10.0
"""How long a call waits for a connection."""
READ_S: Final = 70.0
"""The server itself ends a statement sooner; this is for one that says nothing any more."""
_PAUSES_S: Final = (0.0, 0.05, 0.25, 0.7)
_FULL_S: Final = 0.2
_TOO_LONG: Final = "57014"

Record = asyncpg.Record


class Pool:
    """Up to `size` connections; further calls wait for one."""

    def __init__(self, place: Place, size: int) -> None:
        self._place = place
        self._size = size
        self._pool: asyncpg.Pool[Record] | None = None

    @property
    def is_open(self) -> bool:
        return self._pool is not None

    async def open(self) -> None:
        """Make the first connection. Raises: StoreUnavailable."""
        options = self._place.options(READER) | {
            "connect": self._place.dial,
            "min_size": 1,
            "max_size": self._size,
            "command_timeout": READ_S,
            "reset": _leave_as_it_is,
        }
        try:
            self._pool = await asyncpg.create_pool(self._place.dsn, **options)
        except ERRORS as error:
            raise self._place.unavailable(error) from error

    async def close(self) -> None:
        """Finish what is in flight and disconnect; safe to call twice."""
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                await asyncio.wait_for(pool.close(), 5)
            except ERRORS:
                pool.terminate()

    async def read(self, sql: str, arguments: Sequence[Any]) -> list[Record]:
        """What the statement gives; asked again after a lost connection. Raises: StoreUnavailable,
        and what PostgreSQL has against the statement.
        """
        for pause in _PAUSES_S:
            await asyncio.sleep(jittered(pause))
            try:
                async with self.acquired() as connection:
                    if not self._place.pooled:
                        return await connection.fetch(sql, *arguments)
                    await connection.execute(self._place.begin(READER))
                    found = await connection.fetch(sql, *arguments)
                    await connection.execute("COMMIT")
                    return found
            except ERRORS as error:
                if not is_lost(error):
                    raise
                lost = error
                if isinstance(error, TimeoutError) or sqlstate(error) == _TOO_LONG:
                    break  # it would take as long again
                self._place.troubles.lost += 1
                if self._pool is not None:
                    await self._pool.expire_connections()
        raise self._place.unavailable(lost) from lost

    @contextlib.asynccontextmanager
    async def acquired(self) -> AsyncIterator[asyncpg.Connection[Record]]:
        """A connection for one call. Raises: StoreUnavailable when none is free in time."""
        pool = self._pool
        if pool is None:
            raise self._place.unavailable("the store is not open")
        connection = await self._acquire(pool)
        try:
            yield connection
        except asyncpg.InternalClientError:  # of no use to anybody any more
            connection.terminate()
            raise
        finally:
            if connection.is_in_transaction():  # the call was canceled, or is not heard of again
                connection.terminate()
            await pool.release(connection)  # type: ignore[arg-type]  # a proxy with all its methods

    async def _acquire(self, pool: asyncpg.Pool[Record]) -> asyncpg.Connection[Record]:
        loop = asyncio.get_running_loop()
        end = loop.time() + WAIT_S
        while True:
            try:
                found = await pool.acquire(timeout=max(end - loop.time(), 0.001))
            except TimeoutError as error:
                if pool.get_size() < self._size:
                    raise
                raise self._full("all are busy") from error
            except asyncpg.PostgresError as error:
                if sqlstate(error) != FULL:
                    raise
                if loop.time() >= end:
                    raise self._full(str(error)) from error
                await asyncio.sleep(jittered(_FULL_S))
            else:
                return found  # type: ignore[return-value]  # as above

    def _full(self, reason: str) -> StoreUnavailable:
        self._place.troubles.full += 1
        return StoreUnavailable(
            f"No connection to {self._place.shown} was free for {WAIT_S:g} s ({reason}; this "
            f"process uses up to {self._size} and one for commits). Look for slow statements, or "
            "raise max_connections; then repeat. Nothing was lost."
        )


async def _leave_as_it_is(_connection: object) -> None:
    """Instead of the driver's reset, one round trip more: our statements leave nothing behind."""
