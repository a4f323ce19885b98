"""A PgBouncer in transaction mode for the tests, before a PostgreSQL that is there. No skip."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tools import apt, postgres

SESSIONS = 3
"""Connections to the server, so few that callers get a different one each time."""
PATIENCE_S = 10.0
CONFIGURATION = """[databases]
* = host={host} port={port} user={user}{password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {sessions}
max_client_conn = 200
server_round_robin = 1
logfile = {folder}/log
"""


@contextlib.contextmanager
def pooler(url: str) -> Iterator[str]:
    """Yields the URL by which the database is reached through a pooler of its own.

    Raises:
        Unavailable: there is no pgbouncer here, and none can be installed.
    """
    place = urlsplit(url)
    own = postgres.free_port()
    with tempfile.TemporaryDirectory(prefix="mainspring-pgbouncer-") as folder:
        prefix = postgres.unprivileged(folder)
        Path(folder, "ini").write_text(
            CONFIGURATION.format(
                host=place.hostname or "127.0.0.1",
                port=place.port or 5432,
                user=place.username or "postgres",
                password=f" password={place.password}" if place.password else "",
                own=own,
                sessions=SESSIONS,
                folder=folder,
            )
        )
        Path(folder, "ini").chmod(0o644)
        process = subprocess.Popen(
            [*prefix, _program(), f"{folder}/ini"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
        )
        try:
            _wait(process, own, Path(folder, "log"))
            where = f"{place.username or 'postgres'}@127.0.0.1:{own}"
            query = "&".join(filter(None, [place.query, "statement_cache_size=0"]))
            yield urlunsplit(place._replace(netloc=where, query=query))
        finally:
            process.terminate()
            process.wait()


def _program() -> str:
    found = shutil.which("pgbouncer")
    if found is None and apt.install("PgBouncer", "pgbouncer"):
        found = shutil.which("pgbouncer")
    if found is None:
        raise postgres.Unavailable(
            "The tests of poolers need pgbouncer and never skip it: apt-get install pgbouncer, or "
            "brew install pgbouncer."
        )
    return found


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Until it listens."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    words = log.read_text()[-2000:] if log.exists() else "it says nothing"
    raise postgres.Unavailable(f"pgbouncer does not start: {words}")
