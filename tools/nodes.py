"""PostgreSQL servers of a test's own, which it may kill, restart, copy and promote."""

import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tools import postgres

SETTINGS = """
listen_addresses = '127.0.0.1'
fsync = off  # processes are killed here, machines are not
unix_socket_directories = ''
max_connections = 100
wal_keep_size = '512MB'
shared_buffers = '32MB'
"""


class Node:
    """One server, on loopback.

    Attributes:
        port: where it listens when it runs.
    """

    def __init__(self, folder: Path, name: str, prefix: list[str]) -> None:
        self.name = name
        self.port = postgres.free_port()
        self._data = folder / name
        self._folder = folder
        self._prefix = prefix
        self._binaries = postgres.binaries()

    @property
    def url(self) -> str:
        """Its maintenance database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def make(self) -> None:
        """A new cluster, not started."""
        who = ("--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale")
        self._run("initdb", *who, "--no-sync", "-D", str(self._data))
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(SETTINGS)

    def copy(self, primary: "Node") -> None:
        """Become a standby of that server, which runs, and begin to follow it."""
        shutil.rmtree(self._data, ignore_errors=True)
        source = f"host=127.0.0.1 port={primary.port} user=postgres application_name={self.name}"
        how = ("--checkpoint=fast", "--no-sync", "--wal-method=stream", "--write-recovery-conf")
        self._run("pg_basebackup", *how, "-D", str(self._data), "-d", source)
        (self._data / "postgresql.auto.conf").write_text(
            f"primary_conninfo = '{source}'\nsynchronous_standby_names = ''\n"
        )
        self.start()

    def start(self) -> None:
        """Start, and return when it answers."""
        log = str(self._folder / f"{self.name}.log")
        place = f"-c port={self.port}"
        self._run("pg_ctl", "-w", "-D", str(self._data), "-l", log, "-o", place, "start")

    def promote(self) -> None:
        """Turn a standby into a primary, and return when it takes writes."""
        self._run("pg_ctl", "-w", "-D", str(self._data), "promote")

    def kill(self) -> None:
        """SIGKILL to every process of it, as when its machine dies."""
        main = self._pid()
        if main is None:
            return
        os.kill(main, signal.SIGSTOP)  # else it would answer the death of a child
        everyone = [main, *_children(main)]
        for pid in everyone:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while any(_lives(pid) for pid in everyone):
            time.sleep(0.005)
        # nobody may have waited for the dead yet, and then the next start would take them for alive
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _pid(self) -> int | None:
        with contextlib.suppress(FileNotFoundError):
            found = int((self._data / "postmaster.pid").read_text().split()[0])
            return found if _lives(found) else None
        return None

    def _run(self, program: str, *arguments: str) -> None:
        postgres.must([*self._prefix, str(self._binaries / program), *arguments])


@contextlib.contextmanager
def nodes(*names: str) -> Iterator[list[Node]]:
    """Servers that are not made yet; whatever runs of them in the end is killed."""
    with tempfile.TemporaryDirectory(prefix="mainspring-nodes-") as folder:
        prefix = postgres.unprivileged(folder)
        found = [Node(Path(folder), name, prefix) for name in names]
        try:
            yield found
        finally:
            for node in found:
                node.kill()


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found += map(int, listed.read_text().split())
    return found


def _lives(pid: int) -> bool:
    """Whether the process is there, and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
