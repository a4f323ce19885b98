"""Type checkers see what `@task` makes of a function, and report each wrong call of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

API = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests/typing").glob("*.py"))


def checked(*command: str) -> tuple[int, str]:
    scripts = Path(sys.executable).parent
    environ = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    ran = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr


@pytest.mark.slow
def test_mypy_accepts_right_calls_and_reports_each_wrong_one(tmp_path: Path) -> None:
    text = (ROOT / API[0]).read_text()
    wrong = text.count("# type: ignore[")
    bare = tmp_path / "bare.py"
    bare.write_text(text.replace("  # type: ignore[", "  # was ["))
    _, said = checked("mypy", *API, str(bare))
    errors = [line for line in said.splitlines() if "error: " in line]
    right = [line for line in errors if not line.partition(":")[0].endswith(bare.name)]
    assert len(errors) >= wrong > 0
    assert right == []
    assert f"checked {len(API) + 1} source files" in said


@pytest.mark.slow
def test_pyright_accepts_right_calls_and_reports_each_wrong_one() -> None:
    code, said = checked("pyright", *API)
    assert code == 0, said
