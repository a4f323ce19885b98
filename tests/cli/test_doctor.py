"""`mainspring doctor`: each check ok, warn or fail, with the next step."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from click.testing import CliRunner, Result

from mainspring.cli.main import root
from mainspring.sdk.registry import registry
from tests.cli.processes import lines

Command = Callable[..., Result]


@pytest.fixture(autouse=True)
def own_tasks() -> Iterator[None]:
    with registry.isolated():
        yield


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run doctor in an empty folder, with nothing set but a free port."""
    monkeypatch.chdir(tmp_path)
    for name in ("MAINSPRING_URL", "MAINSPRING_SECRET_KEY", "MAINSPRING_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MAINSPRING_SERVER_PORT", "0")
    return lambda *arguments: CliRunner().invoke(root, ["doctor", *arguments])


def checks(result: Result) -> dict[str, dict[str, Any]]:
    return {line["check"]: line for line in lines(result.stdout)}


def test_a_fresh_folder_is_fine_and_told_how_to_begin(alone: Command) -> None:
    result = alone()
    found = checks(result)
    assert result.exit_code == 0
    assert [name for name, check in found.items() if check["state"] == "ok"] == [
        *("python", "sqlite", "folder", "database", "port")
    ]
    assert found["tasks"]["next"] == "mainspring init"
    assert found["server"]["next"] == "mainspring dev"


def test_all_is_well_beside_a_running_server(ms: Command, server: dict[str, Any]) -> None:
    found = checks(ms("doctor"))
    assert found["server"]["state"] == "ok"
    assert "3 tasks" in found["server"]["text"]
    assert found["clock"]["state"] == "ok"


def test_a_wrong_key_fails_the_check_of_the_server(
    ms: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAINSPRING_SECRET_KEY", "tr_dev_sk_" + "x" * 24)
    result = ms("doctor")
    assert result.exit_code == 1
    assert "[unauthorized]" in checks(result)["server"]["text"]
    assert ms("doctor", "-q").stdout.split() == ["server"]


def test_a_task_file_with_an_error_fails_the_check_of_the_tasks(
    alone: Command, tmp_path: Path
) -> None:
    (tmp_path / "broken_for_doctor.py").write_text("import mainspring\n\nboom = 1 / 0\n")
    result = alone()
    assert result.exit_code == 1
    assert "ZeroDivisionError" in checks(result)["tasks"]["text"]


def test_a_database_without_the_schema_names_the_command(
    alone: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apsw.Connection(str(tmp_path / "old.db")).execute("CREATE TABLE other (x)")
    monkeypatch.setenv("MAINSPRING_DATABASE_URL", str(tmp_path / "old.db"))
    found = checks(alone())
    assert found["database"]["state"] == "fail"
    assert found["database"]["next"] == "mainspring db migrate"


def test_a_taken_port_is_a_warning(alone: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("MAINSPRING_SERVER_PORT", str(port))
        found = checks(alone())
    assert found["port"]["state"] == "warn"
    assert str(port) in found["port"]["text"]
