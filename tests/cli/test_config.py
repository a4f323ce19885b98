"""`mainspring config show`: each value with where it comes from."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.cli.processes import lines

Command = Callable[..., Result]


def test_each_value_is_shown_with_where_it_comes_from(
    ms: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "mainspring.toml"
    path.write_text('# ours\n[server]\nport = 7\npepper = "peppermint"\n[tasks]\ndirs = ["jobs"]\n')
    monkeypatch.setenv("MAINSPRING_WORKER_SLOTS", "5")
    monkeypatch.setenv("MAINSPRING_DATABASE_URL", "postgresql://me:peppermint@db/jobs")
    shown = ms("config", "show")
    rows = {row["setting"]: row for row in lines(shown.stdout)}
    assert (rows["server.port"]["value"], rows["server.port"]["from"]) == (7, f"{path}:3")
    assert (rows["tasks.dirs"]["value"], rows["tasks.dirs"]["from"]) == (["jobs"], f"{path}:6")
    assert (rows["worker.slots"]["value"], rows["worker.slots"]["kind"]) == (5, "environment")
    assert rows["worker.slots"]["from"] == "MAINSPRING_WORKER_SLOTS"
    assert rows["server.pepper"]["value"] == rows["secret_key"]["value"] == "(set)"
    assert rows["database"]["value"] == "postgresql://me:…@db/jobs"
    assert rows["server.host"]["kind"] == "default"
    assert "peppermint" not in shown.output
    only = ms("config", "show", "--set", "-q").stdout.split()
    assert set(only) == {name for name, row in rows.items() if row["kind"] != "default"}


def test_an_unknown_name_is_an_error_with_its_line(ms: Command, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.mainspring]\nwoker.slots = 1\n")
    wrong = ms("config", "show")
    assert wrong.exit_code == 2
    assert "pyproject.toml:2: there is no setting 'woker'" in wrong.stderr
    assert "Did you mean 'worker'?" in wrong.stderr
