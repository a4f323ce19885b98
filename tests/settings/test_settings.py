"""Where settings come from, which wins, and what a wrong one says."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from mainspring.errors import ConfigurationError
from mainspring.settings import Settings, load
from mainspring.settings.values import every_setting

ENV = "MAINSPRING_SERVER_PORT"


def write(folder: Path, text: str, name: str = "mainspring.toml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_nothing_set_is_the_default_of_everything(tmp_path: Path) -> None:
    loaded = load(tmp_path, {})
    assert loaded.settings == Settings()
    assert {origin.kind for origin in loaded.origins.values()} == {"default"}


def test_flags_win_over_environment_over_project_over_user(tmp_path: Path) -> None:
    home, project = tmp_path / "home", tmp_path / "project"
    environ = {"HOME": str(home)}
    user_file = write(home, "[server]\nport = 1\n", ".config/mainspring/config.toml")
    project.mkdir()
    loaded = load(project, environ)
    assert (loaded.settings.server.port, loaded.origins["server.port"].place) == (1, str(user_file))
    project_file = write(project, "server.port = 2\n")
    loaded = load(project, environ)
    assert loaded.settings.server.port == 2
    assert loaded.origins["server.port"].place == str(project_file)
    environ[ENV] = "3"
    loaded = load(project, environ)
    assert (loaded.settings.server.port, loaded.origins["server.port"].place) == (3, ENV)
    loaded = load(project, environ, {"server.port": 4, "server.host": None})
    assert (loaded.settings.server.port, loaded.origins["server.port"].place) == (4, "--port")
    assert loaded.origins["server.host"].kind == "default"


def test_every_setting_can_be_set_in_every_place(tmp_path: Path) -> None:
    for setting in every_setting():
        value: Any = "x"
        if isinstance(setting.default, bool):
            value = not setting.default
        elif isinstance(setting.default, int | float):
            value = 7
        elif isinstance(setting.default, tuple):
            value = ["a", "b"]
        spelled = ",".join(value) if isinstance(value, list) else str(value).lower()
        toml = repr(value).lower().replace("'", '"')
        expected = tuple(value) if isinstance(value, list) else value
        folder = tmp_path / setting.name
        write(folder, f"{setting.name} = {toml}\n")
        for loaded in (
            load(folder, {}),
            load(tmp_path, {setting.variable: spelled}),
            load(tmp_path, {}, {setting.name: spelled}),
        ):
            found: Any = loaded.settings
            for part in setting.name.split("."):
                found = getattr(found, part)
            assert found == expected, setting.name
            assert loaded.origins[setting.name].kind != "default"


def test_names_of_variables_are_those_that_the_docs_name() -> None:
    variables = {setting.variable for setting in every_setting()}
    assert {
        "MAINSPRING_URL",
        "MAINSPRING_SECRET_KEY",
        "MAINSPRING_ENVIRONMENT",
        "MAINSPRING_DATABASE_URL",
    } <= variables
    assert len(variables) == len(list(every_setting()))


def test_the_nearest_project_file_above_is_taken(tmp_path: Path) -> None:
    write(tmp_path, "[tool.mainspring.server]\nport = 5\n", "pyproject.toml")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    write(below, "[tool.other]\nx = 1\n", "pyproject.toml")
    assert load(below, {}).settings.server.port == 5
    write(tmp_path / "a", "server.port = 6\n")
    assert load(below, {}).settings.server.port == 6


def test_two_project_files_in_one_folder_are_one_too_many(tmp_path: Path) -> None:
    write(tmp_path, "server.port = 6\n")
    write(tmp_path, "[project]\nname = 'x'\n", "pyproject.toml")
    assert load(tmp_path, {}).settings.server.port == 6
    write(tmp_path, "[tool.mainspring]\nurl = 'x'\n", "pyproject.toml")
    with pytest.raises(ConfigurationError, match="keep one"):
        load(tmp_path, {})


@pytest.mark.parametrize(
    "text, said",
    [
        ("server.prot = 1\n", r"no setting 'server.prot'. Did you mean 'server.port'\?"),
        ("[servers]\nport = 1\n", r"no setting 'servers'. Did you mean 'server'\?"),
        ("zzz = 1\n", "There are: url, secret_key"),
        ("server = 1\n", "no setting 'server'"),
        ("server.port = 'x'\n", r"server.port is 'x', from .*mainspring.toml:1: Expected `int`"),
        ("server.port = 70000\n", "Expected `int` <= 65535"),
        ("worker.slots = 0\n", "Expected `int` >= 1"),
        ("tasks.dirs = 'tasks'\n", "tasks.dirs is 'tasks'"),
        ("server.access_log = 1\n", "Expected `bool`"),
        ("secret_key = 5\n", "secret_key is a secret"),
        ("server = [\n", "cannot be read"),
    ],
)
def test_a_wrong_file_says_what_where_and_what_instead(
    tmp_path: Path, text: str, said: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigurationError, match=said) as refused:
        load(tmp_path, {})
    assert str(path) in refused.value.message


def test_a_wrong_name_is_found_on_its_line(tmp_path: Path) -> None:
    text = '[project]\nname = """\n[tool.mainspring]\n"""\n\n# ours\n[tool.mainspring]\nurl = "x"\n'
    path = write(tmp_path, text + "\n[tool.mainspring.server]\nprot = 1\n", "pyproject.toml")
    with pytest.raises(ConfigurationError, match=r"Did you mean 'server\.port'") as refused:
        load(tmp_path, {})
    assert refused.value.message.startswith(f"{path}:11: there is no setting 'server.prot'")
    path = write(tmp_path, text + "tasks.dirs = [\n  'a',\n  5,\n]\n", "pyproject.toml")
    with pytest.raises(ConfigurationError, match="Expected `str`") as refused:
        load(tmp_path, {})
    assert f"from {path}:9: " in refused.value.message


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "mainspring.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"mainspring\.toml cannot be read"):
        load(tmp_path, {})


def test_a_wrong_variable_or_flag_is_named_as_it_was_given(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"from {ENV}"):
        load(tmp_path, {ENV: "many"})
    with pytest.raises(ConfigurationError, match="from --slots"):
        load(tmp_path, {}, {"worker.slots": -1})
    with pytest.raises(ConfigurationError, match=r"Did you mean 'worker.slots'\?"):
        load(tmp_path, {}, {"worker.slot": 1})


def test_a_misspelt_variable_is_not_silently_without_effect(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Did you mean MAINSPRING_SECRET_KEY"):
        load(tmp_path, {"MAINSPRING_SECRETKEY": "x"})
    load(tmp_path, {"MAINSPRING_TEST_POSTGRES": "x", "MAINSPRING_RUN_ID": "x", ENV: ""})


def test_what_is_shown_hides_secrets(tmp_path: Path) -> None:
    environ = {
        "MAINSPRING_SECRET_KEY": "tr_dev_sk_hidden",
        "MAINSPRING_DATABASE_URL": "postgresql://me:hidden@host/db",
    }
    rows = {name: value for name, value, _ in load(tmp_path, environ).shown()}
    assert "hidden" not in str(rows)
    assert rows["database"] == "postgresql://me:…@host/db"
    assert rows["secret_key"] == "(set)"
    assert list(rows) == [setting.name for setting in every_setting()]


def test_settings_do_not_change_once_they_are_read() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().url = "x"  # type: ignore[misc]
