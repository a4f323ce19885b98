"""The wheel as users get it: built with the pages, installed where there is no Node, and asked.

python -m tools.wheel [folder]    leaves the wheel in the folder, dist if none is given
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from tools import dashboard
from tools.environment import PYTHON, ROOT, SetupFailed, say

BUILD = "from hatchling.build import build_wheel; import sys; print(build_wheel(sys.argv[1]))"
SECONDS = 30


def make(folder: Path) -> Path:
    """Build the wheel with its pages. Raises: SetupFailed."""
    dashboard.ensure()
    folder.mkdir(parents=True, exist_ok=True)
    required = os.environ | {"MAINSPRING_DASHBOARD": "require"}
    told = _run([str(PYTHON), "-c", BUILD, str(folder)], env=required, cwd=ROOT)
    return folder / told.splitlines()[-1]


def prove(wheel: Path) -> None:
    """Install it into a clean environment and read the pages from a server there, with nothing but
    that environment on PATH. Raises: SetupFailed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        _run([str(PYTHON), "-m", "venv", str(place / "venv")])
        programs = place / "venv" / ("Scripts" if os.name == "nt" else "bin")
        _run([str(programs / "python"), "-m", "pip", "install", "--quiet", str(wheel)])
        (place / "jobs.py").write_text("from mainspring import task\n\n@task\ndef f(): ...\n")
        command = [str(programs / "mainspring"), "dev", "--no-reload", "--port", "0"]
        clean = {"PATH": str(programs), "HOME": scratch}
        with subprocess.Popen(command, cwd=place, env=clean, stdout=subprocess.DEVNULL) as server:
            try:
                _ask(_address(place / ".mainspring" / "dev.json", server))
            finally:
                server.terminate()


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
    try:
        wheel = make(Path(arguments[0] if arguments else ROOT / "dist").absolute())
        prove(wheel)
    except SetupFailed as problem:
        say(f"dev: {problem}")
        return 1
    size = wheel.stat().st_size / 1024
    say(f"dev: {wheel} ({size:,.0f} KB) serves its pages; {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
