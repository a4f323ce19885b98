"""`mainspring server` and `mainspring worker` as processes of their own, on both databases."""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.cli.processes import TASKS, Running, command, running
from tests.cli.test_db import emptied, write

pytestmark = pytest.mark.slow

KEY = re.compile(r"tr_prod_sk_\w{24}")
DEV_KEY = "tr_dev_sk_" + "a1" * 12


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path, postgres_url: str) -> Iterator[str]:
    if request.param == "sqlite":
        yield str(tmp_path / "state.db")
    else:
        with emptied(postgres_url):
            yield postgres_url


def url_of(server: Running) -> str:
    return server.wait_for("Mainspring server at").split()[3].rstrip(",")


def trigger(folder: Path, url: str, key: str, *arguments: str) -> dict[str, object]:
    done = command(folder, "tasks", "trigger", *arguments, "--url", url, "--key", key)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_a_server_and_a_worker_run_a_task(database: str, tmp_path: Path) -> None:
    command(tmp_path, "db", "migrate", "--database", database)
    (tmp_path / "tasks.py").write_text(TASKS)
    with running("server", "--port", "0", "--database", database, folder=tmp_path) as server:
        url, key = url_of(server), KEY.findall(server.wait_for("First key"))[0]
        with running(
            "worker", "--server", url, folder=tmp_path, MAINSPRING_SECRET_KEY=key
        ) as worker:
            worker.wait_for("Tasks: fail, forever, hello")
            assert trigger(tmp_path, url, key, "hello", "--wait")["output"] == "Hello, world!"
            assert worker.end() == 0
            assert "Stopped" in worker.text
        assert server.end() == 0
        assert "Traceback" not in server.text
    with running("server", "--port", "0", "--database", database, folder=tmp_path) as again:
        again.wait_for("Mainspring server at")
        assert not KEY.search(again.text)


def test_the_key_of_the_environment_names_the_environment(database: str, tmp_path: Path) -> None:
    command(tmp_path, "db", "migrate", "--database", database)
    with running(
        *("server", "--port", "0", "--database", database),
        folder=tmp_path,
        MAINSPRING_SECRET_KEY=DEV_KEY,
    ) as server:
        url = url_of(server)
        assert DEV_KEY not in server.text
        done = command(tmp_path, "runs", "ls", "--url", url, "--key", DEV_KEY)
        assert (done.returncode, done.stdout) == (0, "")
        other = command(tmp_path, "runs", "ls", "--url", url, "--key", DEV_KEY[:-1] + "Z")
        assert other.returncode == 4


def test_a_database_of_a_newer_release_is_refused(database: str, tmp_path: Path) -> None:
    command(tmp_path, "db", "migrate", "--database", database)
    write(database, "INSERT INTO schema_version VALUES (9999, '9999_post_future', 'x', 0)")
    with running("server", "--port", "0", "--database", database, folder=tmp_path) as server:
        assert server.wait() == 1
        assert "9999_post_future" in server.text
        assert "[schema_mismatch]" in server.text
        assert "Traceback" not in server.text


def test_postgres_without_a_schema_says_which_command_makes_it(
    postgres_url: str, tmp_path: Path
) -> None:
    with (
        emptied(postgres_url),
        running("server", "--port", "0", "--database", postgres_url, folder=tmp_path) as server,
    ):
        assert server.wait() == 1
        assert "The database is empty. Run `mainspring db migrate` once" in server.text
        assert "[schema_mismatch]" in server.text


def test_a_database_that_does_not_answer_is_said_without_its_password(tmp_path: Path) -> None:
    place = "postgresql://nobody:hidden@127.0.0.1:1/nothing"
    with running("server", "--port", "0", "--database", place, folder=tmp_path) as server:
        assert server.wait() == 5
        assert "[store_unavailable]" in server.text
        assert "hidden" not in server.text


def test_a_worker_with_a_wrong_key_ends_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(TASKS)
    with running("server", "--port", "0", folder=tmp_path) as server:
        url = url_of(server)
        with running(
            "worker", "--server", url, folder=tmp_path, MAINSPRING_SECRET_KEY=DEV_KEY
        ) as worker:
            assert worker.wait() == 4
            assert "MAINSPRING_SECRET_KEY" in worker.text


def test_a_worker_waits_for_its_server(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(TASKS)
    with running(
        *("worker", "--server", "http://127.0.0.1:1"),
        folder=tmp_path,
        MAINSPRING_SECRET_KEY=DEV_KEY,
    ) as worker:
        worker.wait_for("tries again")
        assert worker.end() == 0


def test_a_killed_worker_process_is_replaced_and_its_run_runs_again(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(TASKS + CRASHING)
    with running("server", "--port", "0", folder=tmp_path) as server:
        url, key = url_of(server), KEY.findall(server.wait_for("First key"))[0]
        with running(
            "worker", "--server", url, folder=tmp_path, MAINSPRING_SECRET_KEY=key
        ) as worker:
            worker.wait_for("Tasks:")
            found = trigger(tmp_path, url, key, "dies_once", "--wait", "--timeout", "20")
            assert found["status"] == "COMPLETED"
            assert "was killed by SIGKILL; another one starts" in worker.text
            children = worker.children()
            assert worker.end(signal.SIGKILL) == -signal.SIGKILL
        _, alive = psutil.wait_procs(children, timeout=10)
        assert alive == []


CRASHING = """

@task
async def dies_once() -> None:
    import os
    import pathlib
    import signal

    mark = pathlib.Path("died")
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
"""
