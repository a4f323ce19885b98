"""`./dev upgrade`: an upgrade and the way back, from git history; or the record for the tests."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tools import shapes


def main() -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="./dev upgrade", description=__doc__)
    parser.add_argument("--from", dest="ref", help="the release before: a tag, branch or commit")
    parser.add_argument(
        "--record", action="store_true", help="write down what this release says, for the next one"
    )
    given, rest = parser.parse_known_args()
    if given.record:
        shapes.record()
        return 0
    ref = given.ref or shapes.previous()["commit"]
    with tempfile.TemporaryDirectory(prefix="mainspring-upgrade-") as place:
        packed = subprocess.run(
            ["git", "archive", ref, "src"], cwd=shapes.ROOT, capture_output=True, check=False
        )
        if packed.returncode:
            print(f"dev: git has no {ref!r} here: {packed.stderr.decode().strip()}")
            print("dev: fetch the history, or name another release with --from")
            return 1
        subprocess.run(["tar", "x", "-C", place], input=packed.stdout, check=True)
        print(f"dev: from {ref}", flush=True)
        chosen = os.environ | {"MAINSPRING_UPGRADE_FROM": str(Path(place, "src"))}
        command = [sys.executable, "-m", "pytest", "-q", "-s", "tests/system/upgrade.py", *rest]
        return subprocess.run(command, env=chosen, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
