"""The lock that makes one process the owner of a SQLite file. Shards' epochs are not here."""

from __future__ import annotations

import contextlib
import fcntl
import os
import weakref
from pathlib import Path

from mainspring.errors import StoreInUse, StoreUnavailable


class OwnerLock:
    """An OS lock beside the file; the kernel frees it when the process dies, however it dies."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(f"{database.name}.owner.lock")
        self._database = database
        self._fd: int | None = None
        # A forked child shares the lock through the descriptor and would hold it after our death.
        mine = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _forget(mine()))

    def acquire(self) -> None:
        """Take the lock or raise StoreInUse, which names the process that has it."""
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreUnavailable(
                f"cannot make the lock file {self.path}: {error.strerror}. Choose a folder that "
                "this user may write to."
            ) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            raise StoreInUse(
                f"{self._database} is owned by process {holder} already. Stop that process, or "
                "connect to its server instead of opening the file."
            ) from error
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """Let another process become the owner; safe to call twice."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _forget(lock: OwnerLock | None) -> None:
    if lock is not None:
        with contextlib.suppress(OSError):  # a descriptor that is closed already is what we want
            lock.release()
