"""Deploying a folder, and which version new runs get, against a running server."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.cli.conftest import TASKS as SERVED, Command
from tests.cli.processes import dev, note, running

TASKS = """
from shop.mail import subject
from mainspring import task

@task(schedule="0 6 * * *")
async def greet() -> str:
    return subject("you")
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A server of these tests alone: they leave tasks behind."""
    folder = tmp_path_factory.mktemp("deploy")
    with dev(folder, tasks=SERVED):
        yield note(folder)


@pytest.fixture
def deploying(ms: Command, tmp_path: Path) -> Iterator[Callable[..., Result]]:
    """`ms` in a folder with tasks; at the end any worker takes new runs again."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/__init__.py").write_text("")
    (tmp_path / "shop/mail.py").write_text("def subject(name):\n    return name.title()\n")
    (tmp_path / "tasks.py").write_text(TASKS)
    yield ms
    nothing = ms("promote", "--none")
    assert (nothing.exit_code, nothing.stdout) == (0, '{"version":""}\n')


def test_a_folder_is_deployed_promoted_and_rolled_back(deploying: Command) -> None:
    result = deploying("deploy", "--external-id", "c1")
    assert result.exit_code == 0, result.output
    first = json.loads(result.stdout)
    assert (first["current"], first["externalId"], first["workers"]) == (True, "c1", 0)
    assert json.loads(deploying("deploy", "--external-id", "c1").stdout)["id"] == first["id"]
    kept = deploying("deploy", "--skip-promotion", "--env", "dev", "-q").stdout.strip()
    assert kept > first["version"]
    listed = [json.loads(line) for line in deploying("deploys", "ls").stdout.splitlines()]
    versions = {one["version"]: one["current"] for one in listed}
    assert (versions[first["version"]], versions[kept]) == (True, False)
    assert deploying("promote", kept, "-q").stdout.strip() == kept
    shown = json.loads(deploying("deploys", "show", kept).stdout)
    assert (shown["tasks"], shown["current"]) == (["greet"], True)
    assert shown["schedules"] == ["greet 0 6 * * *"]
    assert deploying("rollback", "-q").stdout.strip() == first["version"]
    refused = deploying("rollback")
    assert refused.exit_code == 1
    assert "before" in refused.stderr


def test_code_that_cannot_be_imported_is_not_deployed(deploying: Command, tmp_path: Path) -> None:
    before = deploying("deploys", "ls").stdout
    (tmp_path / ".gitignore").write_text("shop/\n")
    result = deploying("deploy")
    assert result.exit_code == 1
    assert "Nothing was deployed. Is it left out of the bundle" in result.stderr
    assert "No module named 'shop'" in result.stderr
    assert str(tmp_path / "tasks.py") in result.stderr
    (tmp_path / "tasks.py").write_text("import requestz\n" + TASKS)
    (tmp_path / ".gitignore").unlink()
    assert "Install requestz here, and name it in requirements.txt" in deploying("deploy").stderr
    assert deploying("deploys", "ls").stdout == before


def test_what_declares_no_task_is_not_deployed(deploying: Command, tmp_path: Path) -> None:
    before = deploying("deploys", "ls").stdout
    (tmp_path / "tasks.py").write_text("PLAIN = 1\n")
    result = deploying("deploy")
    assert (result.exit_code, deploying("deploys", "ls").stdout) == (2, before)
    assert "Put @task on a function" in result.stderr


def test_what_cannot_be_deployed_or_promoted_says_the_way_out(deploying: Command) -> None:
    other = deploying("deploy", "--env", "prod")
    assert other.exit_code == 2
    assert "not of 'prod'" in other.stderr
    gone = deploying("promote", "20010101.1")
    assert gone.exit_code == 3
    assert "mainspring deploys ls" in gone.stderr
    assert deploying("promote").exit_code == 2
    missing = deploying("deploy", "nowhere")
    assert missing.exit_code == 2


FOLLOWED = """
from mainspring import task, wait

@task
async def shout(name: str) -> str:
    return name + "MARK"

@task
async def patient() -> str:
    await wait.event("go")
    return "MARK"
"""


@pytest.mark.timeout(120)
def test_workers_of_deployed_code_follow_promotions(
    deploying: Command, server: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "tasks.py").write_text(FOLLOWED.replace("MARK", "!"))
    ask = {
        "MAINSPRING_URL": server["url"],
        "MAINSPRING_SECRET_KEY": server["key"],
        "XDG_CACHE_HOME": str(tmp_path / ".cache"),
    }
    elsewhere = tmp_path / ".elsewhere"
    elsewhere.mkdir()

    def shouted() -> str:
        result = deploying("tasks", "trigger", "shout", "--payload", '{"name":"a"}', "--wait")
        return str(json.loads(result.stdout.splitlines()[-1])["output"])

    one = deploying("deploy", "-q").stdout.strip()
    sleeper = deploying("tasks", "trigger", "patient", "-q").stdout.strip()
    waiting = json.loads(deploying("runs", "get", sleeper).stdout)
    assert waiting["status"] == "PENDING_VERSION"
    with running("worker", "--deployed", folder=elsewhere, **ask) as worker:
        worker.wait_for("Tasks: patient, shout")
        assert shouted() == "a!"
        (tmp_path / "tasks.py").write_text(FOLLOWED.replace("MARK", "?"))
        two = deploying("deploy", "-q").stdout.strip()
        assert shouted() == "a?"
        assert deploying("rollback", "-q").stdout.strip() == one
        assert shouted() == "a!"
        deploying("promote", two)
        assert deploying("events", "emit", "go").exit_code == 0
        result = deploying("runs", "watch", sleeper, "--json")
        ended = json.loads(result.stdout.splitlines()[-1])
        assert (ended["output"], ended["version"]) == ("!", one)
        worker.wait_for(f"Version {one} has no runs left")
        assert worker.end() == 0


def test_an_image_is_made_where_an_engine_is(
    deploying: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines, image = tmp_path / "bin", "shop:1"
    engines.mkdir()
    monkeypatch.setenv("PATH", str(engines))
    refused = deploying("deploy", "--image", image, "--build")
    assert refused.exit_code == 2
    for part in (
        "neither docker nor podman is on PATH", "nothing was built or deployed",
        "--image shop:1, without --build", "mainspring worker --deployed",
    ):  # fmt: skip
        assert part in refused.output
    (engines / "docker").write_text("#!/bin/sh\necho 'Cannot connect to the daemon' >&2\nexit 1\n")
    (engines / "docker").chmod(0o755)
    refused = deploying("deploy", "--image", image, "--build")
    assert refused.exit_code == 2
    assert "does not answer; start it" in refused.output
    assert "docker version` ended with 1: Cannot connect to the daemon" in refused.output
    (engines / "podman").write_text(
        f"#!{sys.executable}\n"
        "import pathlib, shutil, sys\n"
        "if sys.argv[1] == 'version':\n"
        "    sys.exit(0)\n"
        f"shutil.copytree(sys.argv[-1], {str(tmp_path / 'seen')!r})\n"
        "sys.exit(sys.argv[1:4] != ['build', '--tag', 'shop:1'])\n"
    )
    (engines / "podman").chmod(0o755)
    made = json.loads(deploying("deploy", "--image", image, "--build").stdout)
    assert (made["image"], made["current"]) == (image, False)
    seen = tmp_path / "seen"
    assert (seen / "shop/mail.py").exists()
    assert 'ENTRYPOINT ["mainspring", "worker"]' in (seen / "Dockerfile").read_text()
    early = deploying("promote", made["version"])
    assert early.exit_code == 1
    assert f"mainspring worker --version {made['version']}" in early.output
    assert deploying("deploy", "--build").exit_code == 2
    assert deploying("deploy", "--image", image, "--preflight").exit_code == 2
