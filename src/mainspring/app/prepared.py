"""The code of a version on this machine: fetched, verified, unpacked, with its requirements."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

import mainspring
from mainspring.errors import ConfigurationError
from mainspring.wire.calls import Request
from mainspring.wire.deploying import Bundle, GetBundle
from mainspring.worker import bundle

Ask = Callable[[Request], Awaitable[Any]]
REQUIREMENTS: Final = "requirements.txt"
INSTALL_S: Final = 900.0
_READY: Final = "ready"


class Prepared(Struct, frozen=True):
    """Where the code of a version lies, and the interpreter that has what it requires."""

    version: str
    root: Path
    python: str


def cache_folder() -> Path:
    """Where versions are kept on this machine: `$XDG_CACHE_HOME/mainspring/versions`."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home, "mainspring", "versions")


async def prepare(ask: Ask, version: str, cache: Path) -> Prepared:
    """Have the code of a version at hand; what was fetched once is not fetched again.

    A bundle with a `requirements.txt` gets a virtual environment of its own, in which this release
    of mainspring and what is installed beside it can be imported as well. Raises: NotFound and
    Conflict, as the server does; ConfigurationError for a bundle that is not what it should be, and
    requirements that cannot be installed.
    """
    found: Bundle = await ask(GetBundle(version))
    place = cache / found.hash
    if not (place / _READY).is_file():
        await asyncio.to_thread(_make, found, place)
    root, python = place / "code", place / "venv" / "bin" / "python"
    return Prepared(found.version, root, str(python) if python.exists() else sys.executable)


def _make(found: Bundle, place: Path) -> None:
    """Build it beside its place, so that it is there as a whole or not at all."""
    part = place.with_name(f"{place.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        bundle.unpack(base64.b64decode(found.bundle), found.hash, part / "code")
        if (part / "code" / REQUIREMENTS).is_file():
            _install(part / "venv", part / "code")
        (part / _READY).touch()
        try:
            part.rename(place)
        except OSError:  # another worker was faster
            if not (place / _READY).is_file():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _install(venv: Path, code: Path) -> None:
    _run([sys.executable, "-m", "venv", str(venv)], code)
    python = str(venv / "bin" / "python")
    (site,) = venv.glob("lib/python*/site-packages")
    ours = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    ours.add(str(Path(mainspring.__file__).parent.parent))
    # behind the environment's own packages, which win
    (site / "mainspring-beside.pth").write_text("".join(f"{path}\n" for path in sorted(ours)))
    _run([python, "-m", "pip", "install", "--quiet", "--requirement", REQUIREMENTS], code)


def _run(command: list[str], folder: Path) -> None:
    try:
        ended = subprocess.run(
            command, cwd=folder, capture_output=True, timeout=INSTALL_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigurationError(
            f"{' '.join(command[1:])} took longer than {INSTALL_S:.0f} s."
        ) from error
    if ended.returncode != 0:
        told = ended.stderr.decode(errors="replace").strip()[-2_000:]
        raise ConfigurationError(
            f"The requirements of the version cannot be installed: {told or ended.returncode}. "
            f"Correct {REQUIREMENTS}, and deploy again."
        )
