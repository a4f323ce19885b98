"""`mainspring env` against a server."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.cli.processes import command, dev, lines

Command = Callable[..., Result]


def shown(ms: Command) -> dict[str, str]:
    return {row["name"]: row["value"] for row in lines(ms("env", "ls").stdout)}


def test_variables_are_set_listed_and_unset(ms: Command) -> None:
    assert ms("env", "set", "PLAIN=a=b", "EMPTY=", "-q").stdout == "PLAIN\nEMPTY\n"
    assert shown(ms) | {"PLAIN": "a=b", "EMPTY": ""} == shown(ms)
    assert lines(ms("env", "unset", "PLAIN", "EMPTY").stdout) == [
        {"name": "PLAIN"},
        {"name": "EMPTY"},
    ]
    assert not {"PLAIN", "EMPTY"} & set(shown(ms))
    result = ms("env", "unset", "PLAIN")
    assert result.exit_code == 3
    assert "PLAIN" in result.stderr


def test_a_secret_is_read_from_standard_input_and_not_shown(ms: Command) -> None:
    assert ms("env", "set", "--secret", "TOKEN", text="top secret\n").exit_code == 0
    result = ms("env", "ls")
    assert "top secret" not in result.stdout
    assert shown(ms)["TOKEN"] == "<redacted>"
    ms("env", "unset", "TOKEN")


def test_a_bad_name_is_refused_with_the_reason(ms: Command) -> None:
    result = ms("env", "set", "GOOD=1", "MAINSPRING_URL=x")
    assert result.exit_code == 2
    assert "MAINSPRING_URL" in result.stderr
    assert "reserved" in result.stderr
    assert "GOOD" not in shown(ms)


def test_a_file_is_imported_and_pulled_again(ms: Command, tmp_path: Path) -> None:
    file = tmp_path / "vars"
    file.write_text("# mine\nFIRST=1\nexport SECOND='two words'\n")
    assert lines(ms("env", "import", str(file)).stdout) == [{"name": "FIRST"}, {"name": "SECOND"}]
    result = ms("env", "import", str(file))
    assert result.exit_code == 2
    assert "override" in result.stderr
    assert ms("env", "import", "-", "--override", text="FIRST=one\n").exit_code == 0
    ms("env", "set", "--secret", "TOKEN=hidden value")
    pulled = tmp_path / "pulled"
    assert ms("env", "pull", str(pulled)).exit_code == 0
    text = pulled.read_text()
    assert "FIRST=one\n" in text
    assert 'SECOND="two words"\n' in text
    assert "# TOKEN is a secret\n" in text
    assert "hidden value" not in text
    assert pulled.stat().st_mode & 0o777 == 0o600
    assert ms("env", "pull", str(pulled)).exit_code == 2
    assert ms("env", "pull", str(pulled), "--force").exit_code == 0
    assert ms("env", "pull", "-").stdout == text
    ms("env", "unset", "FIRST", "SECOND", "TOKEN")


def test_a_file_that_is_none_is_named(ms: Command, tmp_path: Path) -> None:
    result = ms("env", "import", str(tmp_path / "nothing"))
    assert result.exit_code != 0
    assert "nothing" in result.stderr


SEEN = """
import os
from mainspring import task

NAMES = ("INHERITED", "SERVER", "FILE")
AT_IMPORT = [os.environ.get(name) for name in NAMES]

@task
async def seen() -> list[str | None]:
    return AT_IMPORT
"""


@pytest.mark.slow
def test_the_developer_s_own_file_goes_before_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("INHERITED", "SERVER", "FILE"):
        monkeypatch.setenv(name, "shell")
    with dev(tmp_path, tasks=SEEN):
        set_ = command(tmp_path, "env", "set", "SERVER=server", "FILE=server")
        assert set_.returncode == 0, set_.stderr
    (tmp_path / ".env").write_text("FILE=file\n")
    with dev(tmp_path, tasks=None):
        ran = command(tmp_path, "tasks", "trigger", "seen", "--wait")
    assert lines(ran.stdout)[-1]["output"] == ["shell", "server", "file"]
