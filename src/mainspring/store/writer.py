"""Writing to SQLite: jobs grouped into one transaction, on a thread or in place. No SQL of ours."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

import apsw

from mainspring.errors import MainspringError, StoreUnavailable, UnknownOutcome
from mainspring.store.database import UNKNOWN, Faults

MOST: Final = 64
"""Jobs of one transaction, so that the first of them does not wait for ever."""


class Job:
    """Work on the connection, and the future that gets its result.

    `shard_id` is that of a fenced commit, or None.
    """

    __slots__ = ("error", "future", "result", "shard_id", "work")

    def __init__(self, work: Callable[[apsw.Connection], Any], shard_id: int | None = None) -> None:
        self.work = work
        self.shard_id = shard_id
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.result: Any = None
        self.error: BaseException | None = None

    def answer(self) -> None:
        """Hand the result to the caller, on the caller's loop."""
        if not self.future.done():
            if self.error is None:
                self.future.set_result(self.result)
            else:
                self.future.set_exception(self.error)


class Transactions:
    """Runs groups of jobs on one connection, each group in one durable transaction."""

    def __init__(self, connect: Callable[[], apsw.Connection], faults: Faults | None) -> None:
        self._connect = connect
        self._faults = faults
        self.connection: apsw.Connection | None = None

    def run(self, jobs: Sequence[Job]) -> None:
        """Give every job its result or its error; one that fails leaves the others whole."""
        jobs = [job for job in jobs if self._passes("before", job)]
        if not jobs:
            return
        try:
            connection = self._connected()
            connection.execute("BEGIN IMMEDIATE")
        except (apsw.Error, MainspringError) as error:
            for job in jobs:
                job.error = _unavailable(error)
            return
        for job in jobs:
            self._run_one(connection, job, alone=len(jobs) == 1)
        self._finish(connection, [job for job in jobs if job.error is None])

    def close(self) -> None:
        """Close the connection; the last one to close folds the WAL back into the file."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _run_one(self, connection: apsw.Connection, job: Job, *, alone: bool) -> None:
        if not alone:
            connection.execute("SAVEPOINT job")
        try:
            job.result = job.work(connection)
        except MainspringError as error:
            job.error = error
        except apsw.Error as error:
            job.error = _unavailable(error)
        except Exception as error:  # noqa: BLE001 - belongs to the job's caller, who gets it
            job.error = error
        if job.error is None:
            self._passes("inside", job)
        # some errors (disk full, interrupted) have rolled the whole transaction back already
        if not alone and connection.in_transaction:
            connection.execute("RELEASE job" if job.error is None else "ROLLBACK TO job")

    def _finish(self, connection: apsw.Connection, written: Sequence[Job]) -> None:
        try:
            if written and connection.in_transaction:
                connection.execute("COMMIT")
            elif connection.in_transaction:
                connection.execute("ROLLBACK")
            elif written:
                raise apsw.AbortError("the transaction was rolled back by the database")
        except apsw.Error as error:
            # The write-ahead log may hold the whole commit although its sync failed.
            for job in written:
                job.error = (
                    _unavailable(error)
                    if job.shard_id is None
                    else UnknownOutcome(UNKNOWN.format(shard=job.shard_id, reason=error))
                )
            with contextlib.suppress(apsw.Error):  # it is thrown away in any case
                self.close()
            self.connection = None
            return
        for job in written:
            self._passes("after", job)

    def _connected(self) -> apsw.Connection:
        if self.connection is None:
            self.connection = self._connect()
        return self.connection

    def _passes(self, point: str, job: Job) -> bool:
        if self._faults is not None and job.shard_id is not None:
            try:
                self._faults(point, job.shard_id)
            except Exception as error:  # noqa: BLE001 - an injected fault reaches the caller
                job.error = error
        return job.error is None


class WriterThread:
    """The one thread that writes. What arrives during a transaction forms the next one."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="mainspring-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, job: Job) -> None:
        self._jobs.put(job)

    def stop_blocking(self) -> None:
        """Write what waits, then end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while True:
            jobs, last = self._next()
            if jobs:
                self._transactions.run(jobs)
                answer(jobs)
            if last:
                self._transactions.close()
                return

    def _next(self) -> tuple[list[Job], bool]:
        jobs: list[Job] = []
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == MOST:
                return jobs, False
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, False
        return jobs, True


def answer(jobs: Sequence[Job]) -> None:
    """Wake the callers, from another thread than theirs, with one call per loop."""
    for loop in {job.future.get_loop() for job in jobs}:
        mine = [job for job in jobs if job.future.get_loop() is loop]
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_answer, mine)


def _answer(jobs: Sequence[Job]) -> None:
    for job in jobs:
        job.answer()


def _unavailable(error: BaseException) -> StoreUnavailable:
    if isinstance(error, StoreUnavailable):
        return error
    return StoreUnavailable(
        f"SQLite could not write: {error}. Nothing was written; check the disk, then repeat."
    )
