"""Compiling the locks. The result names packages and hashes and never a host."""

import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from tools.environment import ROOT, SetupFailed, say

COMPILE = [
    *("pip", "compile", "--quiet", "--universal", "--python-version=3.11", "--generate-hashes"),
    *("--no-emit-index-url", "--no-header", "--no-annotate"),
]
LOCKS = {
    "core": ["pyproject.toml", "requirements/core.in"],
    # The core lock is a constraint, so that the demo and the tests run the same versions.
    "test": ["pyproject.toml", "--extra=all", "requirements/test.in", "-c=requirements/core.txt"],
}


def compile_locks() -> None:
    """Writes requirements/*.txt with the newest versions that the sources allow.

    Raises:
        SetupFailed: uv could not be had, or found no set of versions that fits.
    """
    with tempfile.TemporaryDirectory() as folder:
        uv = shutil.which("uv") or _uv_in(Path(folder))
        for name, sources in LOCKS.items():
            target = f"requirements/{name}.txt"
            _must([uv, *COMPILE, "--upgrade", *sources, "-o", target])
            text = (ROOT / target).read_text()
            if "://" in text:
                raise SetupFailed(
                    f"{target} names a host; look at the uv settings of this machine."
                )
            say(f"dev: {target}: {text.count('==')} packages")


def _uv_in(folder: Path) -> str:
    say("dev: uv is not on PATH; installing it into a temporary folder")
    venv.EnvBuilder(with_pip=True).create(folder)
    _must([str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "uv"])
    return str(folder / "bin" / "uv")


def _must(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise SetupFailed(f"{' '.join(command)} failed (exit {done.returncode}).")
