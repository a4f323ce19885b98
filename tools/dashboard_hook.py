"""Hatchling's hook: a wheel and a source archive carry the built dashboard.

An editable installation does not: there `./dev dashboard` builds it. MAINSPRING_DASHBOARD=require
fails without it, as a release must; =skip leaves it out.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VARIABLE = "MAINSPRING_DASHBOARD"
INDEX = Path("src/mainspring/dashboard/index.html")


class DashboardHook(BuildHookInterface[Any]):
    """Builds it where there are its source and Node; what is built already is taken as it is."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before anything is packed. Raises: RuntimeError when it is required and cannot be had."""
        wanted = os.environ.get(VARIABLE, "")
        if version == "editable" or wanted == "skip":
            return
        root = Path(self.root)
        told = ""
        if (root / "tools" / "dashboard.py").is_file() and shutil.which("npm"):
            command = [sys.executable, "-m", "tools.dashboard"]
            done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
            told = done.stderr.strip() if done.returncode else ""
        if (root / INDEX).is_file() and not told:
            return
        told = told or "There is no npm on PATH to build it with."
        told = f"This package is without the dashboard; plain pages stand in for it. {told}"
        if wanted == "require":
            raise RuntimeError(told)
        self.app.display_warning(told)
