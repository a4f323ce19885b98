"""Node, and packages installed from a lock: those of tests/npm or another folder. Never a skip.

python -m tools.node    installs what is missing now, so that no test has to wait for it
"""

import hashlib
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tools import browser
from tools.environment import ROOT, SetupFailed, one_at_a_time, say

FOLDER = ROOT / "tests" / "npm"
STAMP = Path("node_modules") / ".mainspring-stamp"
OLDEST = (20, 19)
ADVICE = f"""The dashboard is built with Node, and the tests run the official npm packages as
clients and never skip it. Both need Node {OLDEST[0]}.{OLDEST[1]} or newer with npm on PATH: from
nodejs.org or your package manager."""


def ensure(folder: Path = FOLDER) -> str:
    """The path of Node, once the packages of the folder are there; instant when they already are.

    Raises:
        SetupFailed: no Node that will do, or the packages cannot be installed.
    """
    node, version = _node()
    if _is_current(folder, version):
        return node
    with one_at_a_time():
        if not _is_current(folder, version):
            _install(folder)
            (folder / STAMP).write_text(_expected(folder, version))
    return node


def _node() -> tuple[str, str]:
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        raise SetupFailed(f"There is no node or no npm on PATH.\n{ADVICE}")
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)\.", told)
    if found is None or (int(found[1]), int(found[2])) < OLDEST:
        raise SetupFailed(f"{node} is {told.strip() or 'broken'}, which is too old.\n{ADVICE}")
    return node, found[1]


def _is_current(folder: Path, version: str) -> bool:
    stamp = folder / STAMP
    return stamp.exists() and stamp.read_text() == _expected(folder, version)


def _expected(folder: Path, version: str) -> str:
    lock = (folder / "package-lock.json").read_bytes()
    return f"node {version} {hashlib.sha256(lock).hexdigest()}"


def _install(folder: Path) -> None:
    name = folder.relative_to(ROOT).as_posix()
    say(f"dev: installing the npm packages of {name} (once; later starts are instant)")
    started = time.monotonic()
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SetupFailed(
            f"{(done.stdout + done.stderr)[-3000:]}\n{' '.join(command)} failed in {name} "
            f"(exit {done.returncode}). Mend what it says (mostly the network), then try again."
        )
    say(f"dev: npm packages ready after {time.monotonic() - started:.1f} s")


def main() -> int:
    """Installs packages and browser; what cannot be is told by the test that needs it."""
    for prepare in (ensure, browser.ensure):
        try:
            prepare()
        except SetupFailed as problem:
            say(f"dev: {problem}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
