"""PostgreSQL behind the database port: one connection for commits, a small pool for the rest."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, Final, TypeVar, get_origin

import asyncpg

from mainspring.errors import CommitRejected, FencedOut, UnknownOutcome
from mainspring.store import distribution, migrations
from mainspring.store.blockers import Blockers
from mainspring.store.changes import Changes, Claimed, Row
from mainspring.store.database import (
    FENCED_OUT,
    MISCOUNTED,
    UNKNOWN,
    Call,
    Faults,
    Scalars,
    scalars,
    steps,
)
from mainspring.store.dialect import CITUS, POSTGRES
from mainspring.store.leasing import Nodes
from mainspring.store.links import OWNER, PATIENT, READER, Place
from mainspring.store.migrations import Applied, Phase
from mainspring.store.pool import Pool
from mainspring.store.record import StoreRecord
from mainspring.store.statements import Statements, expanded, texts
from mainspring.store.together import SHAPES, Together, names_of, together
from mainspring.store.trouble import ERRORS, Conflict, is_conflict, is_lost
from mainspring.telemetry.metrics import Sample

T = TypeVar("T")
_FENCE: Final = "; SELECT 1 FROM shard WHERE shard_id = {:d} AND epoch = {:d} FOR KEY SHARE"
_COMMIT_S: Final = 10.0
_MIGRATION_LOCK: Final = 0x6D61696E  # "main"


class PostgresStore(StoreRecord):
    """A store in a PostgreSQL database, 14 or newer.

    `url` is postgresql://user:password@host:port/database, with several hosts for a primary and
    its standbys; `?statement_cache_size=0` for use through a pooler in transaction mode.
    """

    def __init__(self, url: str, *, readers: int = 4, faults: Faults | None = None) -> None:
        self.database: PostgresDatabase = PostgresDatabase(url, readers=readers, faults=faults)
        super().__init__(self.database)

    async def open(self, *, migrate: bool = False) -> None:
        """Connect, and migrate if told to. Raises: StoreUnavailable, SchemaMismatch."""
        await self.database.open(migrate=migrate)


class PostgresDatabase:
    """The port over asyncpg."""

    def __init__(self, url: str, *, readers: int, faults: Faults | None) -> None:
        self.statements = Statements(POSTGRES)
        self._place = Place(url)
        self._pool = Pool(self._place, readers)
        self._blockers = Blockers(self._place)
        self._faults = faults
        self._owner: asyncpg.Connection[asyncpg.Record] | None = None
        self._committing = asyncio.Lock()
        self._warnings: list[str] = []
        # a pooler's settings travel in a transaction, and faults go between its statements
        self._at_once = not self._place.pooled and faults is None
        self._together: dict[tuple[str, ...], Together] = {}

    async def open(self, *, migrate: bool) -> None:
        if self._pool.is_open:
            return
        if migrate:
            await self.migrate()
        else:
            migrations.check(migrations.known(POSTGRES), await self.schema())
        await self._pool.open()
        if await self._pool.read(distribution.HAS_CITUS, ()):
            self.statements = Statements(CITUS)
            self._at_once = False  # there, a statement with many parts is many statements

    async def close(self) -> None:
        if not self._pool.is_open:
            return
        async with self._committing:
            owner, self._owner = self._owner, None
            if owner is not None:
                with contextlib.suppress(*ERRORS):  # it is going away in any case
                    await owner.close(timeout=2)
            await self._pool.close()

    async def fetch(
        self, name: str, into: type[T], scalars: Scalars, rows: Sequence[Row] = ()
    ) -> list[T]:
        statement = self.statements[name]
        if statement.columns and not rows:
            return []
        return _as(into, await self._pool.read(statement.sql, statement.arguments(rows, scalars)))

    async def write(
        self, *calls: Call, fence: tuple[int, int] | None = None
    ) -> list[tuple[Any, ...]]:
        try:
            return await self._place.troubles.again(partial(self._write_calls, calls, fence))
        except Conflict as conflict:
            raise self._place.contended(conflict) from conflict

    async def commit(self, shard_id: int, epoch: int, changes: Changes) -> list[Claimed]:
        # A commit under way is never cancelled: a caller that goes away leaves it to finish.
        commit = asyncio.ensure_future(self._commit(shard_id, epoch, changes))
        commit.add_done_callback(_retrieve)
        return await asyncio.shield(commit)

    async def migrate(self, phase: Phase = "all") -> list[str]:
        connection = await self._place.connect(PATIENT)
        try:
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", _MIGRATION_LOCK)
                await connection.execute(expanded(migrations.TABLE, POSTGRES))
                applied = await _applied(connection)
                todo = migrations.pending(migrations.known(POSTGRES), applied, phase)
                for migration in todo:
                    await connection.execute(migration.sql)
                    await connection.execute(migrations.record(migration, POSTGRES))
                if todo and await distribution.is_distributed(connection):
                    for statement in await distribution.missing(connection):
                        await connection.execute(statement)
        except ERRORS as error:
            raise self._place.unavailable(error) from error
        finally:
            connection.terminate()
        return [migration.name for migration in todo]

    async def distribute(self, parts: int, *, apply: bool) -> list[str]:
        """What `store.distribution` has to do here, in order; with `apply` it is done.

        Raises: StoreUnavailable, SchemaMismatch, ConfigurationError.
        """
        migrations.check(migrations.known(POSTGRES), await self.schema())
        connection = await self._place.connect(PATIENT)
        try:
            return await distribution.distribute(connection, parts, apply=apply)
        except ERRORS as error:
            raise self._place.unavailable(error) from error
        finally:
            connection.terminate()

    async def schema(self) -> list[Applied]:
        connection = await self._place.connect(READER)
        try:
            async with connection.transaction():
                return await _applied(connection)
        except ERRORS as error:
            raise self._place.unavailable(error) from error
        finally:
            connection.terminate()

    async def nodes(self, shard_ids: Collection[int] = ()) -> Nodes:
        is_cluster = self.statements.dialect is CITUS
        return await distribution.nodes(self._pool.read, shard_ids) if is_cluster else Nodes()

    def figures(self) -> list[Sample]:
        return self._place.troubles.figures()

    async def _write_calls(
        self, calls: Sequence[Call], fence: tuple[int, int] | None
    ) -> list[tuple[Any, ...]]:
        name = calls[0][0] if calls else ""
        found: list[asyncpg.Record] = []
        try:
            async with self._pool.acquired() as connection:
                begin = self._place.begin(READER) + (_FENCE.format(*fence) if fence else "")
                tag = await connection.execute(begin)
                if fence and tag != "SELECT 1":
                    await connection.execute("ROLLBACK")
                    raise FencedOut(FENCED_OUT.format(shard=fence[0], epoch=fence[1]))
                try:
                    async with self._blockers.ended(connection):
                        for name, values, rows in calls:
                            statement = self.statements[name]
                            arguments = statement.arguments(rows, values)
                            found = await connection.fetch(statement.sql, *arguments)
                except asyncpg.PostgresError:
                    await connection.execute("ROLLBACK")
                    raise
                await connection.execute("COMMIT")
        except ERRORS as error:
            raise self._place.error(error, name) from error
        return [tuple(record) for record in found]

    async def _commit(self, shard_id: int, epoch: int, changes: Changes) -> list[Claimed]:
        async with self._committing:
            self._pass("before", shard_id)
            try:
                once = partial(self._commit_once, shard_id, epoch, changes)
                return await self._place.troubles.again(once)
            except Conflict as conflict:
                raise self._place.contended(conflict) from conflict
            except UnknownOutcome:
                self._place.troubles.unknown += 1
                raise

    async def _commit_once(self, shard_id: int, epoch: int, changes: Changes) -> list[Claimed]:
        connection = await self._connected()
        # No time-out of the driver, which would send a cancel request: we only hang up.
        hang_up = asyncio.get_running_loop().call_later(_COMMIT_S, connection.terminate)
        try:
            whole = self._statement(changes) if self._at_once else None
            if whole is not None:
                return await self._write_at_once(connection, shard_id, epoch, changes, whole)
            return await self._write_apart(connection, shard_id, epoch, changes)
        finally:
            hang_up.cancel()

    def _statement(self, changes: Changes) -> Together | None:
        """The one statement that writes these lists; None when there is none."""
        names = names_of(changes)
        if not names:
            return None
        found = self._together.get(names)
        if found is None and len(self._together) < SHAPES:
            found = self._together[names] = together(texts(POSTGRES), names)
        return found

    async def _write_at_once(
        self,
        connection: asyncpg.Connection[asyncpg.Record],
        shard_id: int,
        epoch: int,
        changes: Changes,
        statement: Together,
    ) -> list[Claimed]:
        """The whole commit as one statement, which is its own transaction."""
        arguments = statement.arguments(changes, {**scalars(shard_id, changes), "epoch": epoch})
        self._warnings.clear()
        try:
            records = await connection.fetch(statement.sql, *arguments)
        except ERRORS as error:
            if is_conflict(error):
                raise Conflict(error) from error
            if is_lost(error):
                self._drop(connection)
                raise UnknownOutcome(UNKNOWN.format(shard=shard_id, reason=error)) from error
            # Nothing was written. Statement by statement it is known which one is refused, and why.
            return await self._write_apart(connection, shard_id, epoch, changes)
        self._at_once = not self._warnings  # in several statements it is known who warns
        self._check_warnings(connection, shard_id)
        return _as(Claimed, records) if changes.claim else []

    async def _write_apart(
        self,
        connection: asyncpg.Connection[asyncpg.Record],
        shard_id: int,
        epoch: int,
        changes: Changes,
    ) -> list[Claimed]:
        """The commit as a transaction of several statements."""
        claimed = await self._write(connection, shard_id, epoch, changes)
        await self._finish(connection, shard_id)
        self._pass("after", shard_id)
        return claimed

    async def _write(
        self,
        connection: asyncpg.Connection[asyncpg.Record],
        shard_id: int,
        epoch: int,
        changes: Changes,
    ) -> list[Claimed]:
        """Everything up to COMMIT; whatever is raised, nothing has been written."""
        name, claimed = "fence", list[Claimed]()
        values = scalars(shard_id, changes)
        try:
            tag = await connection.execute(self._begin.format(shard_id, epoch))
            if tag != "SELECT 1":
                raise FencedOut(FENCED_OUT.format(shard=shard_id, epoch=epoch))
            for name, rows, wanted in steps(changes):
                statement = self.statements[name]
                arguments = statement.arguments(rows, values)
                if name == "claim":
                    claimed = _as(Claimed, await connection.fetch(statement.sql, *arguments))
                    found = len(claimed)
                elif name == "claim_leave":
                    continue  # `claim` has done it
                else:
                    found = int((await connection.execute(statement.sql, *arguments)).split()[-1])
                if wanted is not None and found != wanted:
                    raise CommitRejected(
                        MISCOUNTED.format(name=name, found=found, wanted=wanted, shard=shard_id)
                    )
            self._pass("inside", shard_id)
        except ERRORS as error:
            await self._roll_back(connection)
            raise self._place.error(error, name) from error
        except BaseException:
            await self._roll_back(connection)
            raise
        return claimed

    async def _finish(self, connection: asyncpg.Connection[asyncpg.Record], shard_id: int) -> None:
        self._warnings.clear()
        try:
            tag = await connection.execute("COMMIT")
        except ERRORS as error:
            if is_conflict(error):
                raise Conflict(error) from error
            self._drop(connection)
            raise UnknownOutcome(UNKNOWN.format(shard=shard_id, reason=error)) from error
        self._check_warnings(connection, shard_id)
        if tag != "COMMIT":
            raise CommitRejected(
                f"the database rolled the commit of shard {shard_id} back ({tag}); nothing was "
                "written."
            )

    def _check_warnings(
        self, connection: asyncpg.Connection[asyncpg.Record], shard_id: int
    ) -> None:
        if self._warnings:
            # committed here, but a standby that was to have it may not: the server says so only so
            self._drop(connection)
            raise UnknownOutcome(UNKNOWN.format(shard=shard_id, reason=self._warnings[0]))

    async def _roll_back(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        try:
            await connection.execute("ROLLBACK")
        except ERRORS:
            self._drop(connection)

    async def _connected(self) -> asyncpg.Connection[asyncpg.Record]:
        if not self._pool.is_open:
            raise self._place.unavailable("the store is not open")
        if self._owner is None or self._owner.is_closed():
            self._owner = await self._place.connect(OWNER)
            self._owner.add_log_listener(self._note)
        return self._owner

    def _drop(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._owner = None
        connection.terminate()

    def _note(self, _connection: object, message: Any) -> None:
        if message.severity_en == "WARNING":
            self._warnings.append(str(message.message))

    def _pass(self, point: str, shard_id: int) -> None:
        if self._faults is not None:
            self._faults(point, shard_id)

    @property
    def _begin(self) -> str:
        return self._place.begin(OWNER) + _FENCE


async def _applied(connection: asyncpg.Connection[asyncpg.Record]) -> list[Applied]:
    if await connection.fetchval("SELECT to_regclass('schema_version')") is None:
        return []
    rows = await connection.fetch(
        "SELECT number, name, checksum, applied_at FROM schema_version ORDER BY number"
    )
    return [Applied(*row) for row in rows]


def _as(into: type[T], records: Sequence[asyncpg.Record]) -> list[T]:
    if get_origin(into) is tuple:
        return [tuple(record) for record in records]  # type: ignore[misc]
    return [into(*record) for record in records]


def _retrieve(commit: asyncio.Future[Any]) -> None:
    """Read the error of a commit whose caller has gone, so that asyncio does not report it."""
    if not commit.cancelled():
        commit.exception()
