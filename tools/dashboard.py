"""The dashboard: its packages, its types, its build into the package that serves it.

python -m tools.dashboard    builds it if its source has changed since the last time
"""

import hashlib
import subprocess
import sys
import time

from tools import node
from tools.environment import ROOT, SetupFailed, one_at_a_time, say

SOURCE = ROOT / "dashboard"
BUILT = ROOT / "src" / "mainspring" / "dashboard"
STAMP = SOURCE / "node_modules" / ".mainspring-built"
_SKIPPED = ("node_modules",)


def ensure() -> None:
    """Build what `mainspring` serves; instant when it is up to date.

    Raises:
        SetupFailed: no Node that will do, or the types or the build fail.
    """
    expected = _expected()
    if _stamp() == expected:
        return
    node.ensure(SOURCE)
    with one_at_a_time():
        if _stamp() == expected:
            return
        started = time.monotonic()
        _run("types")
        _run("build")
        STAMP.write_text(expected)
        say(f"dev: dashboard built after {time.monotonic() - started:.1f} s")


def _stamp() -> str:
    there = STAMP.exists() and (BUILT / "index.html").exists()
    return STAMP.read_text() if there else ""


def _expected() -> str:
    digest = hashlib.sha256()
    for path in sorted(SOURCE.rglob("*")):
        name = path.relative_to(SOURCE)
        if path.is_file() and name.parts[0] not in _SKIPPED:
            digest.update(f"{name.as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _run(script: str) -> None:
    command = ["npm", "run", "--silent", script]
    done = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SetupFailed(
            f"{(done.stdout + done.stderr)[-4000:]}\nThe dashboard cannot be built: `npm run "
            f"{script}` in dashboard/ failed (exit {done.returncode})."
        )


def main() -> int:
    """Builds, and says so when that fails."""
    try:
        ensure()
    except SetupFailed as problem:
        say(f"dev: {problem}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
