"""Connections to PostgreSQL: where it is, how a session is set up, which errors mean what."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from mainspring.errors import (
    CommitRejected,
    ConfigurationError,
    MainspringError,
    StoreUnavailable,
)
from mainspring.store.database import REFUSED

CONNECT_S: Final = 10.0

PLANS: Final = {
    # Every statement has one good plan, by index, in its order and in nested loops, whatever the
    # statistics say: any other would read a whole shard for a few rows.
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
}
_TIMEOUTS: Final = {
    # A peer that is gone without a word must not keep its transaction open for minutes.
    "tcp_user_timeout": "10000",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
OWNER: Final = {"idle_in_transaction_session_timeout": "1000"}
"""A frozen owner holds its commit, and with it a takeover, no longer than this."""

LOST: Final = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)
"""What the driver raises when the connection is gone (a server's own words may say so, too)."""
_TRANSIENT: Final = frozenset({"08", "40", "53", "55", "57", "58"})


class Place:
    """Where a database is, from its URL.

    `?statement_cache_size=0` says that a transaction pooler is in between: no statement is
    prepared beyond its transaction then, and settings travel with each transaction.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"postgresql", "postgres"}:
            raise ConfigurationError(
                f"the database URL begins with {parts.scheme or 'nothing'!r}; "
                "expected postgresql://user:password@host:port/database."
            )
        query = dict(parse_qsl(parts.query))
        size = query.pop("statement_cache_size", "512")
        if not size.isdigit():
            raise ConfigurationError(f"statement_cache_size is a whole number, not {size!r}.")
        self.cache = int(size)
        self.pooled = self.cache == 0
        self.name = query.pop("application_name", "mainspring")
        self.dsn = urlunsplit(parts._replace(query=urlencode(query)))
        try:
            where = f"{parts.hostname or query.get('host', 'localhost')}:{parts.port or 5432}"
        except ValueError as error:
            raise ConfigurationError(f"the database URL is ill-formed: {error}.") from error
        self.shown = f"PostgreSQL at {where}{parts.path}"

    def options(self, more: dict[str, str]) -> dict[str, Any]:
        """Arguments of the driver's `connect`."""
        settings = {"application_name": self.name}
        if not self.pooled:  # poolers refuse settings that they do not know
            settings |= PLANS | _TIMEOUTS | more
        return {
            "dsn": self.dsn,
            "timeout": CONNECT_S,
            "statement_cache_size": self.cache,
            "max_cached_statement_lifetime": 0,
            "server_settings": settings,
        }

    def begin(self, more: dict[str, str]) -> str:
        """The words that begin a transaction; behind a pooler they carry the settings."""
        if not self.pooled:
            return "BEGIN"
        settings = "; ".join(
            f"SET LOCAL {name} = {value}" for name, value in (PLANS | more).items()
        )
        return f"BEGIN; {settings}"

    async def connect(self, more: dict[str, str]) -> asyncpg.Connection[asyncpg.Record]:
        """A connection of its own. Raises: StoreUnavailable."""
        try:
            connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
                **self.options(more)
            )
            if not self.pooled:
                await set_up(connection)
        except (*LOST, asyncpg.PostgresError, TimeoutError) as error:
            raise self.unavailable(error) from error
        return connection

    def unavailable(self, error: BaseException | str) -> StoreUnavailable:
        """The error for people, with the place and the cause."""
        reason = str(error) or type(error).__name__
        return StoreUnavailable(
            f"{self.shown} does not answer: {reason}. Check that it runs and accepts this user, "
            "then repeat; nothing was lost."
        )

    def error(self, error: BaseException, name: str) -> MainspringError:
        """What an error of the statement `name` means before anything is committed."""
        if is_lost(error):
            return self.unavailable(error)
        return CommitRejected(REFUSED.format(name=name, reason=error))


async def set_up(connection: Any) -> None:
    """Make an acknowledgement mean a flushed log, even where the server's default is off."""
    await connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false) "
        "WHERE current_setting('synchronous_commit') = 'off'"
    )


def is_lost(error: BaseException) -> bool:
    """Whether repeating may help: the connection is gone or the server is short of something."""
    if isinstance(error, asyncpg.DataError):  # a value that the driver cannot send
        return False
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate or "")[:2] in _TRANSIENT
    return isinstance(error, (*LOST, TimeoutError))
