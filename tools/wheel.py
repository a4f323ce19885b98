"""The wheel as users get it: built with the pages, installed where there is no Node, and asked.

python -m tools.wheel [folder]              leaves the wheel in the folder, dist if none is given
python -m tools.wheel --offline [folder]    takes the packages it depends on from this environment
"""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.request
from pathlib import Path

from tools import dashboard
from tools.environment import PYTHON, ROOT, SetupFailed, installer, say

BUILD = "from hatchling.build import build_wheel; import sys; print(build_wheel(sys.argv[1]))"
SECONDS = 30


def make(folder: Path) -> Path:
    """Build the wheel with its pages. Raises: SetupFailed."""
    dashboard.ensure()
    folder.mkdir(parents=True, exist_ok=True)
    required = os.environ | {"MAINSPRING_DASHBOARD": "require"}
    told = _run([str(PYTHON), "-c", BUILD, str(folder)], env=required, cwd=ROOT)
    return folder / told.splitlines()[-1]


def prove(wheel: Path, *, offline: bool = False) -> None:
    """Install it into a clean environment and read the pages from a server there, with nothing but
    that environment on PATH. Offline the packages it depends on are those of this environment.
    Raises: SetupFailed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        programs = place / "venv" / ("Scripts" if os.name == "nt" else "bin")
        _install(wheel, programs, offline=offline)
        (place / "jobs.py").write_text("from mainspring import task\n\n@task\ndef f(): ...\n")
        command = [str(programs / "mainspring"), "dev", "--no-reload", "--port", "0"]
        clean = {"PATH": str(programs), "HOME": scratch}
        with subprocess.Popen(command, cwd=place, env=clean, stdout=subprocess.DEVNULL) as server:
            try:
                _ask(_address(place / ".mainspring" / "dev.json", server))
            finally:
                server.terminate()


def _install(wheel: Path, programs: Path, *, offline: bool) -> None:
    python = programs / "python"
    _run([str(PYTHON), "-m", "venv", "--without-pip", str(programs.parent)])
    alone = ["--no-index", "--no-deps"] if offline else []
    _run([*installer(python)[0], "--quiet", *alone, str(wheel)])
    if offline:  # after the wheel's own files on the path of modules
        base = {name: str(programs.parent) for name in ("base", "platbase")}
        own = Path(sysconfig.get_path("purelib", "venv", base), "others.pth")
        own.write_text(f"{sysconfig.get_path('purelib')}\n")


def _address(note: Path, server: "subprocess.Popen[bytes]") -> str:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and server.poll() is None:
        if note.exists() and (text := note.read_text()):
            return str(json.loads(text)["url"])
        time.sleep(0.1)
    raise SetupFailed("The server of the installed wheel did not start.")


def _ask(url: str) -> None:
    page = _read(f"{url}/overview")
    scripts = re.findall(r'src="\./(assets/[^"]+\.js)"', page)
    if not scripts or not all(_read(f"{url}/{name}") for name in scripts):
        raise SetupFailed(f"{url}/overview of the installed wheel is not the dashboard.")


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=SECONDS) as answer:  # noqa: S310 - our own address
        return str(answer.read().decode())


def _run(command: list[str], **given: object) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **given)  # type: ignore[call-overload]
    if done.returncode != 0:
        raise SetupFailed(f"{(done.stdout + done.stderr)[-3000:]}\n{' '.join(command[:4])} failed.")
    return str(done.stdout)


def main(arguments: list[str]) -> int:
    """Builds, proves, and says what came of it."""
    started = time.monotonic()
    folders = [one for one in arguments if one != "--offline"]
    try:
        wheel = make(Path(folders[0] if folders else ROOT / "dist").absolute())
        prove(wheel, offline="--offline" in arguments)
    except SetupFailed as problem:
        say(f"dev: {problem}")
        return 1
    size = wheel.stat().st_size / 1024
    say(f"dev: {wheel} ({size:,.0f} KB) serves its pages; {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
