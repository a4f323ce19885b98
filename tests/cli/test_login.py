"""Kept logins: which server commands talk to, and where the keys are."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mainspring.cli.main import root
from mainspring.errors import ConfigurationError
from mainspring.settings import profiles
from mainspring.settings.profiles import Profile, Profiles
from tests.cli.processes import lines

Command = Callable[..., Result]


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run `mainspring` as in the shell of somebody whom nothing leads to a server."""
    for name in [name for name in os.environ if name.startswith("MAINSPRING_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(*arguments: str, text: str | None = None) -> Result:
        return CliRunner().invoke(root, arguments, input=text)

    return run


def kept(tmp_path: Path) -> Path:
    return tmp_path / "config" / "mainspring" / "profiles.json"


def test_a_login_is_used_by_later_commands_until_it_is_forgotten(
    mine: Command, server: dict[str, Any], tmp_path: Path
) -> None:
    made = mine("login", "--url", server["url"], text=f"{server['key']}\n")
    assert made.exit_code == 0, made.stderr
    (shown,) = lines(made.stdout)
    assert shown["profile"] == "default"
    assert kept(tmp_path).stat().st_mode & 0o777 == 0o600
    assert kept(tmp_path).parent.stat().st_mode & 0o777 == 0o700
    assert "hello" in mine("tasks", "ls", "-q").stdout.split()
    (who,) = lines(mine("whoami").stdout)
    assert (who["url"], who["from"]) == (server["url"], "profile default")
    assert who["key"].endswith(server["key"][-4:])
    (row,) = lines(mine("profiles", "ls").stdout)
    assert (row["profile"], row["inUse"]) == ("default", True)
    everything = made.output + str(who) + str(row)
    assert server["key"] not in everything
    assert mine("logout").stdout == "default\n"
    assert server["key"] not in kept(tmp_path).read_text()
    alone = mine("tasks", "ls")
    assert alone.exit_code == 5
    assert "mainspring login" in alone.stderr


def test_one_of_several_is_chosen_by_option_variable_or_use(
    mine: Command, server: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        mine("login", "--profile", name, "--url", server["url"], "--key", server["key"])
    assert [row["inUse"] for row in lines(mine("profiles", "ls").stdout)] == [False, True]
    mine("profiles", "use", "one")

    def chosen(*options: str) -> str:
        return str(lines(mine("whoami", *options).stdout)[0]["from"])

    assert chosen() == "profile one"
    monkeypatch.setenv("MAINSPRING_PROFILE", "two")
    assert chosen() == "profile two"
    assert chosen("--profile", "one") == "profile one"
    monkeypatch.setenv("MAINSPRING_URL", server["url"])
    monkeypatch.setenv("MAINSPRING_SECRET_KEY", server["key"])
    assert chosen() == "MAINSPRING_URL"
    assert chosen("--profile", "one") == "profile one"
    both = mine("whoami", "--profile", "one", "--url", server["url"])
    assert both.exit_code == 2
    assert "--url or --profile" in both.stderr


def test_the_file_of_the_project_names_the_server(mine: Command, server: dict[str, Any]) -> None:
    Path("mainspring.toml").write_text(f'url = "{server["url"]}"\n')
    found = mine("whoami", "--key", server["key"])
    assert lines(found.stdout)[0]["from"] == str(Path("mainspring.toml").resolve())
    assert "mainspring login" in mine("whoami").stderr


def test_the_key_of_a_profile_goes_to_no_other_server(
    mine: Command, server: dict[str, Any]
) -> None:
    mine("login", "--url", server["url"], "--key", server["key"])
    Path("mainspring.toml").write_text('url = "http://127.0.0.1:9"\n')
    elsewhere = mine("tasks", "ls")
    assert elsewhere.exit_code == 4
    assert "No key for http://127.0.0.1:9 is known" in elsewhere.stderr
    Path("mainspring.toml").write_text(f'url = "{server["url"]}/"\n')
    assert mine("tasks", "ls").exit_code == 0


def test_a_login_without_a_key_or_with_a_wrong_one_is_not_kept(
    mine: Command, server: dict[str, Any], tmp_path: Path
) -> None:
    none = mine("login", "--url", server["url"], text="\n")
    assert none.exit_code == 2
    assert "mainspring keys create" in none.stderr
    wrong = mine("login", "--url", server["url"], "--key", "tr_dev_sk_" + "x" * 24)
    assert wrong.exit_code == 4
    assert "x" * 24 not in wrong.output
    assert mine("login", "--url", server["url"], "--key", "secret-typo").exit_code == 4
    assert mine("login", "--profile", "no such", "--key", "k").exit_code == 2
    assert not kept(tmp_path).exists()


def test_a_profile_that_is_unknown_or_has_no_key_says_the_way_out(
    mine: Command, tmp_path: Path
) -> None:
    profiles.write(
        {"XDG_CONFIG_HOME": str(tmp_path / "config")},
        Profiles(None, {"staging": Profile("http://127.0.0.1:9")}),
    )
    unknown = mine("tasks", "ls", "--profile", "stagin")
    assert (unknown.exit_code, "Did you mean 'staging'?" in unknown.stderr) == (2, True)
    bare = mine("tasks", "ls", "--profile", "staging")
    assert bare.exit_code == 4
    assert "mainspring login --profile staging" in bare.stderr
    assert mine("profiles", "use", "staging").exit_code == 4
    assert mine("logout", "--profile", "stagin").exit_code == 2


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    path = profiles.write(environ, Profiles("a", {"a": Profile("http://x", "k")}))
    assert profiles.read(environ).named("a").key == "k"
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        profiles.read(environ)
    path.write_text("{")
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="cannot be read as profiles"):
        profiles.read(environ)
    with pytest.raises(ConfigurationError, match="HOME"):
        profiles.write({}, Profiles())
