"""`mainspring init` gives a newcomer something that works, and never touches their files."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from mainspring.cli.commands.init import TEMPLATES
from mainspring.cli.main import root


def test_init_writes_a_task_file_and_a_test(tmp_path: Path) -> None:
    result = CliRunner().invoke(root, ["init", str(tmp_path / "shop")])
    assert result.exit_code == 0
    assert "@task" in (tmp_path / "shop" / "tasks.py").read_text()
    assert "def test_" in (tmp_path / "shop" / "test_tasks.py").read_text()
    assert "mainspring dev" in result.output


def test_init_keeps_a_file_that_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks.py").write_text("mine = True\n")
    result = CliRunner().invoke(root, ["init"])
    assert result.exit_code == 0
    assert (tmp_path / "tasks.py").read_text() == "mine = True\n"
    assert "kept   tasks.py" in result.output


def test_init_says_when_the_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = CliRunner().invoke(root, ["init", str(tmp_path / "file" / "below")])
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


def test_init_writes_the_file_of_a_pipeline(tmp_path: Path) -> None:
    result = CliRunner().invoke(root, ["init", str(tmp_path), "--ci", "github"])
    assert result.exit_code == 0, result.output
    text = (tmp_path / ".github" / "workflows" / "deploy.yml").read_text()
    steps = re.findall(r"run: mainspring (.*)", text)
    assert len(steps) == 3
    for step in steps:  # every command and option in it is one
        words = [word for word in shlex.split(step) if not word.startswith("$")]
        known = CliRunner().invoke(root, [*words[: 1 + (words[0] == "branches")], "--help"])
        assert known.exit_code == 0
        assert all(word in known.output for word in words if word.startswith("--"))


@pytest.mark.slow
@pytest.mark.parametrize("template", TEMPLATES)
def test_the_written_test_passes(template: str, tmp_path: Path) -> None:
    CliRunner().invoke(root, ["init", str(tmp_path), "--template", template])
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
