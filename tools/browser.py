"""A Chromium for the tests: one that is there, or one from apt. Never a skip."""

import os
import shutil
from pathlib import Path

from tools import apt
from tools.environment import SetupFailed, one_at_a_time

VARIABLE = "MAINSPRING_TEST_BROWSER"
NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
ADVICE = f"""The tests run pages in a real Chromium and never skip it. Any of these will do:
    apt-get install chromium-headless-shell     (Debian; or chromium)
    Google Chrome or Chromium installed and on PATH
    {VARIABLE}=/path/to/chrome ./dev test"""


def ensure() -> str:
    """The path of a Chromium, installed first where this user may do that.

    Raises:
        SetupFailed: there is none and none can be installed here.
    """
    given = os.environ.get(VARIABLE)
    if given:
        if not Path(given).is_file():
            raise SetupFailed(f"{VARIABLE} names {given}, which is no file.\n{ADVICE}")
        return given
    found = _found()
    if found is not None:
        return found
    with one_at_a_time():
        found = _found()
        for package in ("chromium-headless-shell", "chromium"):
            if found is None and apt.install("Chromium", package):
                found = _found()
    if found is None:
        raise SetupFailed(f"There is no Chromium on this machine.\n{ADVICE}")
    return found


def _found() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)
