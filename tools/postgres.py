"""A PostgreSQL for the tests: one that is there, or a private one for one run. Never a skip."""

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tools import apt
from tools.environment import PYTHON, say, variables

VARIABLE = "MAINSPRING_TEST_POSTGRES"
PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
)
ADVICE = f"""The tests need a PostgreSQL 14 or newer and never skip it. Any of these will do:
    apt-get install postgresql      (Debian, Ubuntu; ./dev test then starts a private one)
    brew install postgresql@17      (macOS; the same)
    {VARIABLE}=postgresql://user:password@host:port/database ./dev test
    (the user must be allowed to create databases)"""

QUICK = {
    "full_page_writes": "off",
    "autovacuum": "off",  # tests/databases.py cuts off what is large
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
}
"""For many small databases that are made and dropped."""
NONE: Mapping[str, str] = {}

# Runs in the virtual environment, which has a driver. Prints nothing when the server will do.
PROBE = """
import asyncio, sys
import asyncpg

async def probe(url):
    connection = await asyncpg.connect(url, timeout=3)
    version = connection.get_server_version()
    allowed = await connection.fetchval(
        "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user")
    await connection.close()
    if version < (14,):
        sys.exit(f"it is PostgreSQL {version.major}, 14 or newer is needed")
    if not allowed:
        sys.exit("its user may not create databases")

try:
    asyncio.run(probe(sys.argv[1]))
except (OSError, asyncpg.PostgresError, TimeoutError, ValueError) as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


class Unavailable(Exception):
    """No PostgreSQL to test against; the message says what to install."""


@contextlib.contextmanager
def server(*, quick: bool = False) -> Iterator[str]:
    """Yields the URL of a PostgreSQL in which the tests may create databases.

    `quick` prefers a private one, if it is installed, to one that runs here: it waits for no disk,
    and a long run of tests takes a good deal less.

    Raises:
        Unavailable: none is reachable and none can be started here.
    """
    given = os.environ.get(VARIABLE)
    if given:
        problem = _problem(given)
        if problem:
            raise Unavailable(f"{VARIABLE} names a server that will not do: {problem}\n{ADVICE}")
        yield given
        return
    with contextlib.ExitStack() as stack:
        installed = _installed() if quick else None
        if installed is not None:
            try:
                url = stack.enter_context(_private_cluster(installed, QUICK))
            except Unavailable as problem:  # then the one that runs here will do
                say(f"dev: {problem}")
            else:
                yield url
                return
        local = f"postgresql://{getpass.getuser()}@127.0.0.1:5432/postgres"
        if not _problem(local):
            yield local
            return
        yield stack.enter_context(_private_cluster(binaries()))


def _problem(url: str) -> str:
    found = subprocess.run(
        [PYTHON, "-c", PROBE, url], env=variables(), capture_output=True, text=True, check=False
    )
    return "" if found.returncode == 0 else found.stderr.strip()


def binaries() -> Path:
    """The folder of the programs of the newest PostgreSQL, which apt installs where it may.

    Raises:
        Unavailable: there is none.
    """
    found = _installed() or (_installed() if apt.install("PostgreSQL", "postgresql") else None)
    if found is None:
        raise Unavailable(ADVICE)
    return found


def _installed() -> Path | None:
    """The folder of `initdb` and `pg_ctl` of the newest PostgreSQL on this machine."""
    found = [
        path
        for pattern in PLACES
        for path in Path("/").glob(pattern[1:])
        if (path / "initdb").exists()
    ]
    on_path = shutil.which("initdb")
    if on_path:
        found.append(Path(on_path).resolve().parent)
    return max(found, key=_version, default=None)


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _version(binaries: Path) -> float:
    text = subprocess.run(
        [binaries / "initdb", "--version"], capture_output=True, text=True, check=False
    ).stdout
    try:
        return float(text.split()[2])
    except (IndexError, ValueError):
        return 0.0


@contextlib.contextmanager
def _private_cluster(binaries: Path, more: Mapping[str, str] = NONE) -> Iterator[str]:
    """A cluster in a temporary folder, on loopback only, without fsync: it lives for one run."""
    with tempfile.TemporaryDirectory(prefix="mainspring-postgres-") as folder:
        prefix = unprivileged(folder)
        data, log = f"{folder}/data", f"{folder}/log"
        port = free_port()
        say(f"dev: starting a private PostgreSQL {_version(binaries):g} on 127.0.0.1:{port}")
        who = ("--auth=trust", "--username=postgres")
        text = ("--encoding=UTF8", "--no-locale")
        must([*prefix, f"{binaries}/initdb", *who, *text, "--no-sync", "-D", data])
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": folder,
            "fsync": "off",
            "max_connections": 200,
            **more,
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        must([*prefix, f"{binaries}/pg_ctl", "-w", "-D", data, "-l", log, "-o", options, "start"])
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            must([*prefix, f"{binaries}/pg_ctl", "-w", "-D", data, "-m", "immediate", "stop"])


def unprivileged(folder: str) -> list[str]:
    """PostgreSQL refuses root: hands the folder to another user and returns the prefix for it."""
    if os.getuid() != 0:
        return []
    name = "postgres"
    try:
        shutil.chown(folder, name)
    except LookupError:
        name = "nobody"
        shutil.chown(folder, name)
    for tool, prefix in (
        ("setpriv", ["setpriv", f"--reuid={name}", "--clear-groups"]),  # is the command then
        ("runuser", ["runuser", "-u", name, "--"]),
    ):
        if shutil.which(tool):
            return prefix
    raise Unavailable(
        "PostgreSQL cannot run as root, and neither runuser nor setpriv is here;"
        " run ./dev test as another user."
    )


def must(command: list[str]) -> None:
    """Runs the command. Raises: Unavailable with its words when it fails."""
    # Files, not pipes: the server keeps what it inherits, and a pipe would never end.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(
            command, stdout=output, stderr=subprocess.STDOUT, cwd="/", check=False
        )
        if done.returncode != 0:
            output.seek(0)
            raise Unavailable(f"{' '.join(command)} failed:\n{output.read()[-3000:]}\n{ADVICE}")
