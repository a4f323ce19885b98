"""Reading from a SQLite file on threads of their own. No statements here."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import apsw

from mainspring.errors import StoreUnavailable
from mainspring.store.writer import Job, answer


class Readers:
    """A few threads, each with a connection that only reads."""

    def __init__(self, connect: Callable[[], apsw.Connection], count: int) -> None:
        self._connect = connect
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"mainspring-reader-{at}", daemon=True)
            for at in range(count)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop_blocking(self) -> None:
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    async def read(self, work: Callable[[apsw.Connection], str]) -> str:
        job = Job(work)
        self._jobs.put(job)
        text: str = await job.future
        return text

    def _work(self) -> None:
        connection: apsw.Connection | None = None
        while (job := self._jobs.get()) is not None:
            try:
                connection = connection or self._connect()
                job.result = job.work(connection)
            except apsw.Error as error:
                job.error = StoreUnavailable(
                    f"SQLite could not read: {error}. Check the file and the disk, then repeat."
                )
            except Exception as error:  # noqa: BLE001 - belongs to the job's caller, who gets it
                job.error = error
            answer([job])
        if connection is not None:
            connection.close()
