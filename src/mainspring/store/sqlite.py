"""SQLite behind the database port: one writer, a few readers, or one connection in memory."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw
import apsw.ext
import msgspec

from mainspring.errors import (
    CommitRejected,
    ConfigurationError,
    FencedOut,
    MainspringError,
    StoreUnavailable,
)
from mainspring.store import migrations
from mainspring.store.changes import Changes, Claimed, Row
from mainspring.store.database import (
    FENCED_OUT,
    MISCOUNTED,
    REFUSED,
    Call,
    Faults,
    Scalars,
    scalars,
    steps,
)
from mainspring.store.dialect import SQLITE
from mainspring.store.leasing import Nodes
from mainspring.store.migrations import Applied, Phase
from mainspring.store.ownership import OwnerLock
from mainspring.store.readers import Readers
from mainspring.store.record import StoreRecord
from mainspring.store.statements import COMPOSED, Statement, Statements, expanded
from mainspring.store.writer import Job, Transactions, WriterThread
from mainspring.telemetry.metrics import Sample

T = TypeVar("T")
MEMORY: Final = ":memory:"
STATEMENTS: Final = 512
"""Kept prepared: those of the last so many executions, whichever they are. apsw has no more."""
_BUSY_MS: Final = 10_000
_REJECTED: Final = (
    apsw.ConstraintError,
    apsw.MismatchError,
    apsw.TooBigError,
    apsw.RangeError,
    apsw.SQLError,
)
_encode: Final = msgspec.json.Encoder().encode


class SqliteStore(StoreRecord):
    """A store in one SQLite file, or in memory for as long as it is open.

    The process that opens a file as its owner migrates it; others pass `owner=False`, read, and
    trigger through the inbox. `synchronous` is "full" (an acknowledgement means fsync) or "normal"
    (a power failure may lose the last commits, a crash of the process none).
    """

    def __init__(
        self,
        path: str | Path,
        *,
        synchronous: str = "full",
        readers: int = 2,
        owner: bool = True,
        faults: Faults | None = None,
    ) -> None:
        if synchronous not in {"full", "normal"}:
            raise ConfigurationError(f"synchronous is 'full' or 'normal', not {synchronous!r}.")
        self.database: SqliteDatabase = SqliteDatabase(
            str(path), synchronous=synchronous, readers=readers, owner=owner, faults=faults
        )
        super().__init__(self.database)

    async def open(self, *, migrate: bool = True) -> None:
        """Open the file, making it when missing. Raises: StoreUnavailable, StoreInUse,
        SchemaMismatch.
        """
        await self.database.open(migrate=migrate)


class SqliteDatabase:
    """The port over apsw. In memory everything runs in place, without a thread: deterministic."""

    def __init__(
        self, path: str, *, synchronous: str, readers: int, owner: bool, faults: Faults | None
    ) -> None:
        self.statements = Statements(SQLITE)
        self._path = path
        self._synchronous = synchronous
        self._transactions = Transactions(self._connect, faults)
        self._lock = OwnerLock(Path(path)) if owner and path != MEMORY else None
        self._owner = owner
        self._writer: WriterThread | None = None
        self._readers: Readers | None = None
        self._reader_count = readers
        self._wrapped: dict[str, str] = {}
        self._decoders: dict[Any, msgspec.json.Decoder[Any]] = {}
        self._pid = 0

    async def open(self, *, migrate: bool) -> None:
        if self._pid:
            return
        if self._path == MEMORY:
            self._open_blocking(migrate)
        else:
            await asyncio.to_thread(self._open_blocking, migrate)
            self._writer = WriterThread(self._transactions)
            self._writer.start()
            self._readers = Readers(self._connect_reader, self._reader_count)
            self._readers.start()
        self._pid = os.getpid()

    async def close(self) -> None:
        if not self._pid:
            return
        self._pid = 0
        if self._writer is None or self._readers is None:
            self._transactions.close()
            return
        readers, writer = self._readers, self._writer
        self._readers = self._writer = None
        await asyncio.to_thread(readers.stop_blocking)
        await asyncio.to_thread(writer.stop_blocking)
        if self._lock is not None:
            self._lock.release()

    async def fetch(
        self, name: str, into: type[T], scalars: Scalars, rows: Sequence[Row] = ()
    ) -> list[T]:
        self._check_usable()
        statement = self.statements[name]
        if statement.columns and not rows:
            return []
        bindings = self._bindings(name, scalars, rows)

        def read(connection: apsw.Connection) -> str:
            return str(connection.execute(self._wrap(connection, statement), bindings).get)

        if self._readers is None:
            assert self._transactions.connection is not None
            text = read(self._transactions.connection)
        else:
            text = await self._readers.read(read)
        return self._decode(into, text)

    async def write(
        self, *calls: Call, fence: tuple[int, int] | None = None
    ) -> list[tuple[Any, ...]]:
        prepared = [
            (name, self.statements[name].sql, self._bindings(name, scalars, rows))
            for name, scalars, rows in calls
        ]

        held = self.statements["fence"].sql

        def work(connection: apsw.Connection) -> list[tuple[Any, ...]]:
            if fence is not None:
                shard = {"shard": fence[0], "epoch": fence[1]}
                if connection.execute(held, shard).get is None:
                    raise FencedOut(FENCED_OUT.format(**shard))
            found: list[tuple[Any, ...]] = []
            for name, sql, bindings in prepared:
                try:
                    found = connection.execute(sql, bindings).fetchall()
                except _REJECTED as error:
                    raise CommitRejected(REFUSED.format(name=name, reason=error)) from error
            return found

        written: list[tuple[Any, ...]] = await self._submit(work, None)
        return written

    async def commit(self, shard_id: int, epoch: int, changes: Changes) -> list[Claimed]:
        values = scalars(shard_id, changes)
        prepared = [
            (name, self.statements[name].sql, self._bindings(name, values, rows), wanted)
            for name, rows, wanted in steps(changes)
        ]
        fence = self.statements["fence"].sql
        held = {"shard": shard_id, "epoch": epoch}
        claimed = self.statements["claimed"]
        claim = self._bindings("claimed", values, changes.claim) if changes.claim else None

        def work(connection: apsw.Connection) -> str | None:
            if connection.execute(fence, held).get is None:
                raise FencedOut(FENCED_OUT.format(shard=shard_id, epoch=epoch))
            for name, sql, bindings, wanted in prepared:
                _apply(connection, name, sql, bindings, wanted, shard_id)
            if claim is None:
                return None
            return str(connection.execute(self._wrap(connection, claimed), claim).get)

        text = await self._submit(work, shard_id)
        return [] if text is None else self._decode(Claimed, text)

    async def migrate(self, phase: Phase = "all") -> list[str]:
        return await self._aside(lambda connection: _migrate(connection, phase))

    async def schema(self) -> list[Applied]:
        return await self._aside(_applied)

    async def nodes(self, shard_ids: Collection[int] = ()) -> Nodes:
        return Nodes()

    def figures(self) -> list[Sample]:
        return []

    async def _aside(self, work: Callable[[apsw.Connection], T]) -> T:
        """Rare work on a connection of its own (in memory: on the only one)."""
        if self._path == MEMORY:
            assert self._transactions.connection is not None
            return work(self._transactions.connection)

        def blocking() -> T:
            try:
                connection = self._connect()
                try:
                    return work(connection)
                finally:
                    connection.close()
            except apsw.Error as error:
                raise _cannot_open(self._path, error) from error

        return await asyncio.to_thread(blocking)

    async def _submit(self, work: Callable[[apsw.Connection], Any], shard_id: int | None) -> Any:
        self._check_usable()
        job = Job(work, shard_id)
        if self._writer is None:
            self._transactions.run([job])
            job.answer()
            await asyncio.sleep(0)  # nothing else here waits, and the loop's other tasks must run
        else:
            self._writer.put(job)
        return await job.future

    def _check_usable(self) -> None:
        if self._pid != os.getpid():
            raise StoreUnavailable(
                f"{self._path} is not open in this process. Open a store of its own after a fork."
                if self._pid
                else f"{self._path} is not open. Call open() first."
            )

    def _bindings(self, name: str, values: Scalars, rows: Sequence[Row]) -> dict[str, Any]:
        bindings = dict(values)
        if self.statements[name].columns:
            # encoded here, because a writer thread would have to wait for the interpreter's lock
            try:
                bindings["rows"] = _encode(rows).decode()
            except (ValueError, TypeError) as error:  # a lone surrogate, or no value of ours
                raise CommitRejected(REFUSED.format(name=name, reason=error)) from error
        return bindings

    def _wrap(self, connection: apsw.Connection, statement: Statement) -> str:
        # One row with everything as JSON: each row that a thread steps to costs it the
        # interpreter's lock once more, which a busy loop gives back only every few milliseconds.
        wrapped = self._wrapped.get(statement.name)
        if wrapped is None:
            found = apsw.ext.query_info(connection, statement.sql)
            columns = ", ".join(column for column, _type in found.description)
            wrapped = f"SELECT json_group_array(json_array({columns})) FROM ({statement.sql})"
            if len(self._wrapped) > 2 * COMPOSED:
                self._wrapped.clear()
            self._wrapped[statement.name] = wrapped
        return wrapped

    def _decode(self, into: type[T], text: str) -> list[T]:
        decoder = self._decoders.get(into)
        if decoder is None:
            decoder = self._decoders[into] = msgspec.json.Decoder(list[into])  # type: ignore[valid-type]
        decoded: list[T] = decoder.decode(text)
        return decoded

    def _open_blocking(self, migrate: bool) -> None:
        if self._lock is not None:
            self._lock.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        try:
            connection = self._transactions.connection = self._connect()
            if self._path == MEMORY and migrate:
                _copy(_image(), connection)
            elif migrate and self._owner:
                _migrate(connection, "all")
            else:
                migrations.check(migrations.known(SQLITE), _applied(connection))
        except (apsw.Error, MainspringError) as error:
            self._transactions.close()
            if self._lock is not None:
                self._lock.release()
            raise _cannot_open(self._path, error) from error

    def _connect(self) -> apsw.Connection:
        connection = apsw.Connection(self._path, statementcachesize=STATEMENTS)
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)  # else prepared again for each value
        connection.set_busy_timeout(_BUSY_MS)
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", self._synchronous)
        connection.pragma("wal_autocheckpoint", 2000)
        connection.pragma("cache_size", -16384)
        return connection

    def _connect_reader(self) -> apsw.Connection:
        connection = self._connect()
        connection.pragma("cache_size", -8192)
        connection.pragma("query_only", True)
        return connection


def _apply(
    connection: apsw.Connection,
    name: str,
    sql: str,
    bindings: dict[str, Any],
    wanted: int | None,
    shard_id: int,
) -> None:
    try:
        connection.execute(sql, bindings)
    except _REJECTED as error:
        raise CommitRejected(REFUSED.format(name=name, reason=error)) from error
    found = connection.changes()
    if wanted is not None and found != wanted:
        raise CommitRejected(
            MISCOUNTED.format(name=name, found=found, wanted=wanted, shard=shard_id)
        )


def _migrate(connection: apsw.Connection, phase: Phase) -> list[str]:
    known = migrations.known(SQLITE)
    if not migrations.pending(known, _applied(connection), phase):
        return []
    connection.execute("BEGIN EXCLUSIVE")
    try:
        connection.execute(expanded(migrations.TABLE, SQLITE))
        todo = migrations.pending(known, _applied(connection), phase)
        for migration in todo:
            connection.execute(migration.sql)
            connection.execute(migrations.record(migration, SQLITE))
    except (apsw.Error, MainspringError):
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return [migration.name for migration in todo]


@functools.cache
def _image() -> bytes:
    """A migrated database without rows; made once, as it takes longer than most tests."""
    connection = apsw.Connection(MEMORY)
    _migrate(connection, "all")
    return connection.serialize("main")


def _copy(image: bytes, into: apsw.Connection) -> None:
    """Page by page: a database that is opened from an image directly may not grow beyond 1 GiB."""
    source = apsw.Connection(MEMORY)
    source.deserialize("main", image)
    with into.backup("main", source, "main") as backup:
        backup.step()


def _applied(connection: apsw.Connection) -> list[Applied]:
    if not connection.table_exists(None, "schema_version"):
        return []
    rows = connection.execute(
        "SELECT number, name, checksum, applied_at FROM schema_version ORDER BY number"
    )
    return [Applied(*row) for row in rows]


def _cannot_open(path: str, error: apsw.Error | MainspringError) -> MainspringError:
    if isinstance(error, MainspringError):
        return error
    return StoreUnavailable(
        f"cannot open {path}: {error}. Check that it is a SQLite file of mainspring that this user "
        "may write, on a disk with space left."
    )
