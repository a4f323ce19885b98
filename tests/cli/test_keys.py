"""`mainspring keys`, `people` and `audit`, on the database of a running server."""

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import httpx2
import pytest
from click.testing import CliRunner, Result

from mainspring.cli.main import root
from tests.cli.processes import dev, note

TASKS = """
from mainspring import task


@task
async def hello() -> str:
    return "hi"
"""
Command = Callable[..., Result]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("access")
    with dev(folder, tasks=TASKS):
        yield folder


@pytest.fixture
def ms(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(folder)

    def run(*arguments: str, typed: str = "") -> Result:
        return CliRunner().invoke(root, arguments, input=typed)

    return run


def made(result: Result) -> str:
    assert result.exit_code == 0, result.stderr
    return result.stdout.strip()


def rows(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_forgotten_password_is_set_anew(ms: Command, folder: Path) -> None:
    made(ms("people", "add", "otto", "--role", "viewer", "-q"))
    assert "characters" in ms("people", "password", "otto", typed="short").stderr
    assert ms("people", "password", "nobody", typed="correct horse battery").exit_code == 3
    made(ms("people", "password", "otto", typed="correct horse battery\n"))
    url = f"{note(folder)['url']}/api/mainspring/v1/session"
    words = {"name": "otto", "password": "correct horse battery"}
    answer = httpx2.post(url, json=words, headers={"origin": note(folder)["url"]})
    assert (answer.status_code, answer.json()["name"]) == (200, "person otto")
    made(ms("people", "rm", "otto"))


def status(
    folder: Path, key: str, method: str = "GET", path: str = "/api/v1/runs", **more: Any
) -> int:
    headers = {"authorization": f"Bearer {key}"} | more.pop("headers", {})
    url: str = note(folder)["url"]
    return httpx2.request(method, url + path, headers=headers, **more).status_code


def test_a_key_is_made_replaced_and_ended(ms: Command, folder: Path) -> None:
    (first,) = rows(ms("keys", "ls"))
    assert (first["label"], first["state"], first["environment"]) == ("first key", "works", "dev")
    assert first["lastFour"] == note(folder)["key"][-4:]
    key = made(ms("keys", "create", "--environment", "dev", "--label", "ci", "-q"))
    assert status(folder, key) == 200
    (_, second) = rows(ms("keys", "ls"))
    newer = made(ms("keys", "rotate", second["id"], "-q"))
    assert (status(folder, key), status(folder, newer)) == (200, 200)
    (_, old, new) = rows(ms("keys", "ls"))
    assert old["id"] == second["id"]
    assert "expiresAt" in old
    assert "expiresAt" not in new
    newest = made(ms("keys", "rotate", new["id"], "--grace", "0s", "-q"))
    made(ms("keys", "revoke", rows(ms("keys", "ls"))[-1]["id"]))
    assert status(folder, newest) == 401  # never asked for before, so nothing is remembered
    states = [row["state"] for row in rows(ms("keys", "ls", "--all"))]
    assert states == ["works", "works", "expired", "revoked"]
    again = ms("keys", "revoke", new["id"])
    assert again.exit_code != 0
    assert "keys ls" in again.stderr


def test_a_limited_key_does_no_more_than_it_says(ms: Command, folder: Path) -> None:
    scopes = ("--scope", "read:runs", "--scope", "trigger:tasks:hello")
    key = made(ms("keys", "create", "--environment", "dev", *scopes, "--expires-in", "1d", "-q"))
    assert status(folder, key) == 200
    assert status(folder, key, "POST", "/api/v1/tasks/hello/trigger", json={}) == 200
    assert status(folder, key, "POST", "/api/v1/tasks/other/trigger", json={}) == 403
    assert status(folder, key, "POST", "/api/v1/queues/task%2Fhello/pause", json={}) == 403
    bad = ms("keys", "create", "--environment", "dev", "--scope", "everything")
    assert "action:type" in bad.stderr
    assert "only dev" in ms("keys", "create", "--environment", "prod").stderr


def test_people_have_tokens_that_do_what_their_role_says(
    ms: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = made(ms("people", "add", "vera", "--role", "viewer", "-q"))
    admin = made(ms("people", "add", "ada", "--role", "admin", "--environment", "dev", "-q"))
    assert viewer.startswith("tr_pat_")
    assert ms("people", "add", "vera", "--role", "admin").exit_code != 0
    assert ms("people", "add", "a b", "--role", "admin").exit_code != 0
    named = {"headers": {"x-mainspring-environment": "dev"}}
    assert status(folder, viewer) == 200  # there is one environment only
    assert status(folder, viewer, **named) == 200
    assert status(folder, viewer, "POST", "/api/v1/tasks/hello/trigger", json={}) == 403
    assert status(folder, viewer, path="/api/mainspring/v1/keys") == 403
    assert status(folder, admin, path="/api/mainspring/v1/keys") == 200
    assert status(folder, admin, headers={"x-mainspring-environment": "prod"}) == 403
    monkeypatch.setenv("MAINSPRING_URL", note(folder)["url"])
    monkeypatch.setenv("MAINSPRING_SECRET_KEY", admin)
    assert ms("queues", "pause", "hello").exit_code == 0
    assert ms("queues", "resume", "hello").exit_code == 0
    monkeypatch.setenv("MAINSPRING_SECRET_KEY", viewer)
    assert ms("queues", "ls").exit_code == 0
    refused = ms("queues", "pause", "hello")
    assert refused.exit_code != 0
    assert "viewer" in refused.stderr
    monkeypatch.delenv("MAINSPRING_SECRET_KEY")
    people = {row["name"]: row for row in rows(ms("people", "ls"))}
    assert (people["vera"]["environment"], people["ada"]["environment"]) == ("all", "dev")
    second = made(ms("people", "token", "vera", "-q"))
    assert status(folder, second) == 200
    made(ms("people", "token", "vera", "--revoke"))
    fresh = made(ms("people", "token", "vera", "--expires-in", "1h", "-q"))
    assert status(folder, fresh) == 200
    made(ms("people", "role", "vera", "none"))
    made(ms("people", "rm", "ada"))
    assert [row["role"] for row in rows(ms("people", "ls"))] == [None]
    assert ms("people", "rm", "ada").exit_code != 0


def test_the_audit_log_tells_it_and_breaks_when_an_entry_goes(
    ms: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = made(ms("keys", "create", "--environment", "dev", "-q"))
    assert status(folder, key, "POST", "/api/v1/queues/task%2Fhello/pause", json={
        "type": "custom", "action": "pause"}) in (200, 404)  # fmt: skip
    entries = rows(ms("audit", "ls"))
    whats = [entry["what"] for entry in entries]
    assert whats[0] == "keys.admit"
    assert "keys.create" in whats
    assert entries[-1]["number"] == len(entries)
    assert {entry["who"].split()[0] for entry in entries} <= {"server", "account", "key", "person"}
    (whole,) = rows(ms("audit", "verify"))
    assert whole["state"] == "whole"
    assert rows(ms("audit", "verify", "--head", whole["head"]))[0]["state"] == "whole"

    copy = tmp_path / "copy.db"
    source, target = (
        apsw.Connection(str(folder / ".mainspring/state.db")),
        apsw.Connection(str(copy)),
    )
    with target.backup("main", source, "main") as backup:
        backup.step()
    source.close()
    (tmp_path / "copy.db.pepper").write_text((folder / ".mainspring/state.db.pepper").read_text())
    verify = ("audit", "verify", "--database", str(copy))
    assert rows(ms(*verify))[0]["state"] == "whole"
    target.execute("DELETE FROM audit WHERE number = (SELECT max(number) FROM audit)")
    assert (
        ms(*verify).exit_code == 0
    )  # the end alone cannot be missed, but for a head kept elsewhere
    assert ms(*verify, "--head", whole["head"]).exit_code == 1
    target.execute("UPDATE audit SET who = 'nobody' WHERE number = 2")
    assert ms(*verify).exit_code == 1
    target.execute("DELETE FROM audit WHERE number = 2")
    broken = ms(*verify)
    assert broken.exit_code == 1
    assert json.loads(broken.stdout)["brokenAt"] == 2
    target.close()


def test_the_pepper_is_readable_by_its_owner_only(folder: Path) -> None:
    file = folder / ".mainspring/state.db.pepper"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_text()) == 64


def test_without_a_database_the_command_says_where_to_run_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(root, ["keys", "ls"])
    assert result.exit_code != 0
    assert "server's machine" in result.stderr.replace("\n", " ")
    assert list(tmp_path.iterdir()) == []
