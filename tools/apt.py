"""Packages of Debian and Ubuntu for the tests, where this user may install them."""

import os
import shutil
import subprocess

from tools.environment import say


def install(what: str, *packages: str) -> bool:
    """Installs the packages, saying so; False when this user may not or apt failed."""
    if os.getuid() != 0 or not shutil.which("apt-get"):
        return False
    say(f"dev: installing {what} with apt-get (once)")
    quiet = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", "-q", *command], env=quiet, capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        say(done.stdout[-2000:] + done.stderr[-2000:])
    return done.returncode == 0
