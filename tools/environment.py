"""The virtual environment: made, filled from a hashed lock, stamped. What runs in it is `verbs`."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".venv"
SCRIPTS = HOME / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
STAMP = HOME / "mainspring-stamp.json"

Lock = Literal["core", "test"]
"""`test` holds everything that `core` holds."""


class SetupFailed(Exception):
    """The environment could not be made; the message says what to do about it."""


def say(text: str) -> None:
    """Prints a line of progress on standard error; standard output belongs to the command."""
    print(text, file=sys.stderr, flush=True)


def ensure(wanted: Lock) -> None:
    """Makes `.venv` hold at least the wanted lock; instant when it already does.

    Raises:
        SetupFailed: no installer on this machine, or the installation itself failed.
    """
    if _is_current(wanted):
        return
    with one_at_a_time():
        if _is_current(wanted):
            return
        started = time.monotonic()
        stamp = _stamp()
        lock: Lock = "test" if "test" in (wanted, stamp.get("lock")) else "core"
        if stamp.get("python") != _interpreter() or not PYTHON.exists():
            _make()
        STAMP.unlink(missing_ok=True)
        _install(lock)
        STAMP.write_text(json.dumps(_expected(lock)))
        say(f"dev: environment ready after {time.monotonic() - started:.1f} s")


def variables() -> dict[str, str]:
    """Environment variables under which a command sees the virtual environment first."""
    chosen = dict(os.environ, VIRTUAL_ENV=str(HOME))
    chosen["PATH"] = os.pathsep.join((str(SCRIPTS), os.environ.get("PATH", "")))
    chosen.pop("PYTHONHOME", None)
    if chosen.pop("PYTHONDONTWRITEBYTECODE", None):
        # Without any, each of some hundred processes of a test run compiles all it imports.
        chosen["PYTHONPYCACHEPREFIX"] = str(HOME / "bytecode")
    return chosen


def _is_current(wanted: Lock) -> bool:
    stamp = _stamp()
    enough: tuple[Lock, ...] = ("test",) if wanted == "test" else ("core", "test")
    return PYTHON.exists() and any(stamp == _expected(lock) for lock in enough)


def _stamp() -> dict[str, str]:
    try:
        return dict(json.loads(STAMP.read_text()))
    except (FileNotFoundError, ValueError):
        return {}


def _expected(lock: Lock) -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    # Only what changes an installation: settings of the tools must not cost everyone a new one.
    installed = [project["build-system"], project["project"], project["tool"].get("hatch")]
    content = (ROOT / "requirements" / f"{lock}.txt").read_bytes() + json.dumps(installed).encode()
    return {
        "lock": lock,
        "content": hashlib.sha256(content).hexdigest(),
        "python": _interpreter(),
        "place": str(ROOT),
    }


def _interpreter() -> str:
    # Only the version: another Python of the same one need not make a working environment anew.
    return f"{sys.implementation.name} {sys.version_info.major}.{sys.version_info.minor}"


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Lets a second `./dev` wait for the first instead of installing into the same folder."""
    if os.name == "nt":
        yield
        return
    import fcntl  # noqa: PLC0415 - does not exist on Windows

    with (ROOT / ".dev.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _make() -> None:
    say("dev: making .venv")
    shutil.rmtree(HOME, ignore_errors=True)
    venv.EnvBuilder(symlinks=os.name != "nt", with_pip=False).create(HOME)


def _install(lock: Lock) -> None:
    command, name = installer(PYTHON)
    packages = (ROOT / "requirements" / f"{lock}.txt").read_text().count("==")
    say(
        f"dev: installing up to {packages} locked packages with {name}"
        " (once; later starts are instant)"
    )
    locked = f"requirements/{lock}.txt"
    _run([*command, "--no-deps", "--require-hashes", "-r", locked], packages)
    _run([*command, "--no-deps", "--no-build-isolation", "-e", "."], 0)


def installer(python: Path) -> tuple[list[str], str]:
    """The quickest command that installs for that Python, and its name: uv, the pip of the Python
    behind this one, or the one it brings along. Raises: SetupFailed.
    """
    uv = shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "--python", str(python)], "uv"
    base = getattr(sys, "_base_executable", sys.executable)
    options = ["install", "--no-compile", "--disable-pip-version-check", "--progress-bar=off"]
    for pip in ([base, "-m", "pip", "--python", str(python)], [str(python), "-m", "pip"]):
        if _works([*pip, "--version"]):
            return [*pip, *options], "pip"
    if _works([str(python), "-m", "ensurepip"]):
        return [str(python), "-m", "pip", *options], "pip"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    raise SetupFailed(
        f"This Python {version} has neither pip nor ensurepip. On Debian and Ubuntu:\n"
        f"    apt-get install python{version}-venv\n"
        "Elsewhere install pip or uv, then run ./dev again."
    )


def _works(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, cwd=ROOT, check=False).returncode == 0


def _run(command: list[str], packages: int) -> None:
    """Runs an installer quietly, counting packages on a terminal; shows its output if it fails."""
    live = sys.stderr.isatty() and packages > 0
    output: list[str] = []
    seen = 0
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            output.append(line)
            if line.startswith(("Collecting ", "Processing ")):
                seen += 1
                if live:
                    name = Path(line.split()[1].split("==")[0]).name
                    print(
                        f"\r\033[K     {seen}/{packages} {name}",
                        end="",
                        file=sys.stderr,
                        flush=True,
                    )
    if live:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    if process.returncode != 0:
        raise SetupFailed(
            "".join(output[-40:])
            + f"\nThe installation failed (exit {process.returncode}): {' '.join(command)}\n"
            + "Mend what the lines above say (mostly the network or a proxy), then run ./dev again."
        )
