"""What goes wrong between us and PostgreSQL: which errors mean what, tried again, and counted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import asyncpg

from mainspring.telemetry.metrics import Sample

T = TypeVar("T")
LOST: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
"""What the driver raises when the connection is gone (a server's own words may say so, too). It
calls it an internal error of its own when the server's last words came between two statements.
"""
ERRORS: Final = (*LOST, asyncpg.PostgresError, TimeoutError)
"""Everything that a call of the driver may raise."""
CONFLICTS: Final = {"40001": "serialization", "40P01": "deadlock"}
"""Of two transactions that met, the server has rolled this one back: it may simply be repeated."""
FULL: Final = "53300"
"""The server, the database or the role has as many connections as it may have."""
_TRANSIENT: Final = frozenset({"08", "40", "53", "55", "57", "58"})
_ELSEWHERE: Final = frozenset({"25006", "25P03"})
"""A standby takes no writes; a transaction that stood idle was ended, and its connection closed."""
_PAUSES_S: Final = (0.01, 0.02, 0.05, 0.1, 0.2)


class Conflict(Exception):
    """The server rolled a transaction back for another's sake; nothing was written."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.kind = CONFLICTS[sqlstate(cause)]


class Troubles:
    """Counts of one store."""

    def __init__(self) -> None:
        self.conflicts = dict.fromkeys(CONFLICTS.values(), 0)
        self.connections = 0
        self.lost = 0
        self.full = 0
        self.unknown = 0

    async def again(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work, and after a conflict once more, up to five times, each after a pause of
        chance. Raises: Conflict when all were in vain.
        """
        for pause in _PAUSES_S:
            try:
                return await work()
            except Conflict as conflict:
                self.conflicts[conflict.kind] += 1
                await asyncio.sleep(random.uniform(0, pause))
        return await work()

    def figures(self) -> list[Sample]:
        """The counts, for those who operate servers."""
        words = "Transactions that the database rolled back for another's sake, and that were tried"
        return [
            Sample("mainspring_store_conflicts_total", f"{words} again.", count, (("kind", kind),))
            for kind, count in self.conflicts.items()
        ] + [
            Sample(
                "mainspring_store_connections_total",
                "Connections that were made to the database.",
                self.connections,
            ),
            Sample(
                "mainspring_store_connections_lost_total",
                "Connections to the database that broke, or could not be made.",
                self.lost,
            ),
            Sample(
                "mainspring_store_pool_full_total",
                "Calls that got no connection to the database in time.",
                self.full,
            ),
            Sample(
                "mainspring_store_commits_unknown_total",
                "Commits of which it was not known at first whether they had been written.",
                self.unknown,
            ),
        ]


def sqlstate(error: BaseException) -> str:
    """The five characters by which PostgreSQL names an error; "" when it is not its own."""
    return str(error.sqlstate or "") if isinstance(error, asyncpg.PostgresError) else ""


def is_conflict(error: BaseException) -> bool:
    """Whether the transaction was rolled back for another's sake."""
    return sqlstate(error) in CONFLICTS


def is_lost(error: BaseException) -> bool:
    """Whether repeating may help: the connection is gone or the server is short of something."""
    if isinstance(error, asyncpg.DataError):  # a value that the driver cannot send
        return False
    if isinstance(error, asyncpg.PostgresError):
        return sqlstate(error)[:2] in _TRANSIENT or sqlstate(error) in _ELSEWHERE
    return isinstance(error, (*LOST, TimeoutError))


def jittered(pause_s: float) -> float:
    """A pause of about that length, so that those who failed together do not come back together."""
    return pause_s * random.uniform(0.5, 1.5)
