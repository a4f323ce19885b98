"""Connections to PostgreSQL: where it is, and how a session is set up."""

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
from mainspring.store.hosts import Hosts
from mainspring.store.trouble import ERRORS, Conflict, Troubles, is_conflict, is_lost

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
_TCP: Final = {
    # A peer that is gone without a word must not keep its transaction open for minutes.
    "tcp_user_timeout": "10000",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
OWNER: Final = {"idle_in_transaction_session_timeout": "1000", "statement_timeout": "10000"}
"""A frozen owner holds its commit, and with it a takeover, no longer than this."""
READER: Final = {"idle_in_transaction_session_timeout": "5000", "statement_timeout": "60000"}
"""The same for every other call. Owners take shards with it, which locks, too."""
PATIENT: Final = {"statement_timeout": "0"}
"""A migration takes as long as it takes."""
_SETTLE: Final = (
    # an acknowledgement means a flushed log, even where the default is off; and Citus can plan no
    # statement without the values of its parameters
    "SELECT set_config('synchronous_commit', 'on', {local}) "
    "WHERE current_setting('synchronous_commit') = 'off'; "
    "SELECT set_config('plan_cache_mode', 'auto', {local}) FROM pg_extension "
    "WHERE extname = 'citus'"
)


class Place:
    """Where a database is, from its URL, which may name several hosts.

    `?target_session_attrs` is read-write unless it is said otherwise: of a primary and its
    standbys, whichever takes writes.
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
        # a pooler knows by itself, and may hand each half of the question to another session
        target = query.pop("target_session_attrs", "any" if self.pooled else "read-write")
        self.hosts = Hosts(parts.netloc, target)
        self.dsn = urlunsplit(parts._replace(query=urlencode(query)))
        where = query.get("host") if not parts.netloc.rpartition("@")[2] else None
        self.shown = f"PostgreSQL at {where or self.hosts.shown}{parts.path}"
        self.troubles = Troubles()

    def options(self, more: dict[str, str]) -> dict[str, Any]:
        """Arguments of the driver's `connect`."""
        settings = {"application_name": self.name}
        if not self.pooled:  # poolers refuse settings that they do not know
            settings |= PLANS | _TCP | more
        return {
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
        return f"BEGIN; {settings}; {_SETTLE.format(local='true')}"

    async def dial(self, dsn: str, /, **options: Any) -> asyncpg.Connection[asyncpg.Record]:
        """A connection that is set up; what it raises is the driver's. Also for the pool."""
        try:
            connection = await self.hosts.dial({"dsn": dsn, **options})
            try:
                if not self.pooled:
                    await connection.execute(_SETTLE.format(local="false"))
            except BaseException:  # also canceled: nobody else knows of it yet
                connection.terminate()
                raise
        except ERRORS:
            self.troubles.lost += 1
            raise
        self.troubles.connections += 1
        return connection

    async def connect(self, more: dict[str, str]) -> asyncpg.Connection[asyncpg.Record]:
        """A connection of its own. Raises: StoreUnavailable."""
        try:
            return await self.dial(self.dsn, **self.options(more))
        except ERRORS as error:
            raise self.unavailable(error) from error

    def unavailable(self, error: BaseException | str) -> StoreUnavailable:
        """The error for people, with the place and the cause."""
        reason = str(error) or type(error).__name__
        return StoreUnavailable(
            f"{self.shown} does not answer: {reason}. Check that it runs and accepts this user, "
            "then repeat; nothing was lost."
        )

    def contended(self, conflict: Conflict) -> StoreUnavailable:
        """The error for people after conflict upon conflict."""
        return StoreUnavailable(
            f"{self.shown} rolled the same transaction back again and again ({conflict}). "
            "Something else locks its rows: look for long transactions on these tables, then "
            "repeat; nothing was written."
        )

    def error(self, error: BaseException, name: str) -> MainspringError | Conflict:
        """What an error of the statement `name` means before anything is committed."""
        if is_conflict(error):
            return Conflict(error)
        if is_lost(error):
            return self.unavailable(error)
        return CommitRejected(REFUSED.format(name=name, reason=error))
