"""Which engine a request goes to, and with which settings."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainspring import ServerUnreachable, Unauthorized, configure, task
from mainspring.errors import ConfigurationError, MainspringError
from mainspring.sdk import transport
from mainspring.sdk.http import HttpTransport
from mainspring.sdk.settings import ClientSettings, load
from mainspring.wire import calls
from tests.sdk.conftest import Recorder, finished

KEY = "tr_prod_sk_" + "x" * 24
DEV_KEY = "tr_dev_sk_" + "y" * 24


def write_dev_file(folder: Path, url: str = "http://127.0.0.1:9999") -> None:
    (folder / ".mainspring").mkdir()
    text = json.dumps({"url": url, "key": DEV_KEY, "pid": 1})
    (folder / ".mainspring" / "dev.json").write_text(text)


@pytest.fixture(autouse=True)
def blank(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in ("MAINSPRING_URL", "MAINSPRING_SECRET_KEY", "MAINSPRING_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    yield
    transport.install(None)
    transport._process.settings = None


def test_without_anything_the_server_is_on_loopback_and_no_key_is_known(tmp_path: Path) -> None:
    assert load({}, tmp_path) == ClientSettings("http://127.0.0.1:7420", None, "dev")


def test_variables_name_server_key_and_environment(tmp_path: Path) -> None:
    environ = {"MAINSPRING_URL": "https://jobs.example/", "MAINSPRING_SECRET_KEY": KEY}
    assert load(environ, tmp_path) == ClientSettings("https://jobs.example", KEY, "prod")
    environ["MAINSPRING_ENVIRONMENT"] = "preview-x"
    assert load(environ, tmp_path).environment == "preview-x"


def test_a_dev_server_is_found_here_and_in_folders_above(tmp_path: Path) -> None:
    write_dev_file(tmp_path)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    found = ClientSettings("http://127.0.0.1:9999", DEV_KEY, "dev")
    assert load({}, tmp_path) == load({}, below) == found
    assert load({"MAINSPRING_SECRET_KEY": KEY}, below).key == KEY


def test_the_key_of_a_dev_server_goes_to_no_other_server(tmp_path: Path) -> None:
    write_dev_file(tmp_path)
    assert load({"MAINSPRING_URL": "https://jobs.example"}, tmp_path).key is None
    assert load({"MAINSPRING_URL": "http://127.0.0.1:9999/"}, tmp_path).key == DEV_KEY


def test_an_unreadable_dev_file_is_named(tmp_path: Path) -> None:
    write_dev_file(tmp_path)
    (tmp_path / ".mainspring" / "dev.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"dev\.json is not readable"):
        load({}, tmp_path)


def test_the_context_comes_before_the_process_and_the_process_before_settings() -> None:
    configure(url="http://127.0.0.1:1", key=DEV_KEY)
    built = transport.current()
    assert isinstance(built, HttpTransport)
    assert transport.current() is built
    process, context = Recorder("stg"), Recorder("prod")
    assert transport.install(process) is built
    assert transport.current() is process
    with transport.using(context):
        assert transport.current() is context
        assert transport.environment() == "prod"
    assert transport.environment() == "stg"
    assert transport.install(None) is process
    assert transport.current() is not built


def test_configure_names_the_server_and_the_environment_by_the_key() -> None:
    configure(url="https://jobs.example/", key=KEY)
    assert transport.environment() == "prod"
    assert transport._process.settings == ClientSettings("https://jobs.example", KEY, "prod")
    configure(environment="stg")
    assert transport.environment() == "stg"


async def test_without_a_server_the_first_trigger_says_how_to_start_one() -> None:
    @task
    async def work() -> None: ...

    with pytest.raises(ServerUnreachable, match=r"start `mainspring dev`.*127\.0\.0\.1:7420"):
        await work.trigger()
    configure(url="https://jobs.example")
    with pytest.raises(Unauthorized, match=r"key for https://jobs\.example.*SECRET_KEY"):
        await work.trigger()


async def test_an_answer_of_another_kind_is_a_clear_error(engine: Recorder) -> None:
    engine.answers[calls.Retrieve] = lambda _: calls.TaskList([])
    with pytest.raises(MainspringError, match="Retrieve was answered with TaskList"):
        await transport.ask(calls.Retrieve("run_a"), type(finished("run_a", None)))
