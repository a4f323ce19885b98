"""`mainspring dev` as a person uses it: real processes in a folder of their own."""

import json
import signal
from pathlib import Path

import psutil
import pytest

from tests.cli.processes import TASKS, command, dev, note, running

pytestmark = pytest.mark.slow


def test_a_newcomer_triggers_lists_cancels_and_stops(tmp_path: Path) -> None:
    with dev(tmp_path) as server:
        assert "fail, forever, hello" in server.text
        done = command(tmp_path, "tasks", "trigger", "hello", "--payload", '{"name": "Ada"}', "-w")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["output"] == "Hello, Ada!"
        endless = command(tmp_path, "tasks", "trigger", "forever", "-q").stdout.strip()
        listed = [json.loads(line) for line in command(tmp_path, "runs", "ls").stdout.splitlines()]
        assert [run["taskIdentifier"] for run in listed] == ["forever", "hello"]
        assert command(tmp_path, "runs", "cancel", endless).returncode == 0
        watched = command(tmp_path, "runs", "watch", endless)
        assert watched.returncode == 1
        assert json.loads(watched.stdout.splitlines()[-1])["status"] == "CANCELED"
        workers = server.children()
        assert server.end(signal.SIGTERM) == 0
        assert not any(worker.is_running() for worker in workers)


def test_server_and_key_are_noted_for_this_user_only(tmp_path: Path) -> None:
    with dev(tmp_path) as server:
        found = note(tmp_path)
        assert found["pid"] == server.process.pid
        assert found["url"] in server.text
        assert found["key"] in server.text
        assert (tmp_path / ".mainspring" / "dev.json").stat().st_mode & 0o777 == 0o600
        below = tmp_path / "below"
        below.mkdir()
        assert command(below, "tasks", "ls", "-q").stdout.split() == ["fail", "forever", "hello"]


def test_key_and_runs_are_the_same_after_a_restart(tmp_path: Path) -> None:
    with dev(tmp_path) as server:
        key = note(tmp_path)["key"]
        run_id = command(tmp_path, "tasks", "trigger", "hello", "-q").stdout.strip()
        assert command(tmp_path, "runs", "watch", run_id).returncode == 0
        assert server.end(signal.SIGINT) == 0
    with dev(tmp_path):
        assert note(tmp_path)["key"] == key
        assert command(tmp_path, "runs", "ls", "-q").stdout.split() == [run_id]


def test_a_killed_server_takes_its_workers_along_and_starts_again_at_once(tmp_path: Path) -> None:
    with dev(tmp_path) as server:
        workers = server.children()
        server.end(signal.SIGKILL)
        _, alive = psutil.wait_procs(workers, timeout=10)
        assert alive == []
    with dev(tmp_path):
        assert command(tmp_path, "tasks", "trigger", "hello", "--wait").returncode == 0


def test_a_file_that_cannot_be_imported_is_shown_and_the_others_work(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("from mainspring import task\n\nboom = 1 / 0\n")
    with dev(tmp_path) as server:
        assert "broken.py cannot be imported: ZeroDivisionError" in server.text
        assert "boom = 1 / 0" in server.text
        assert "mainspring/sdk" not in server.text
        assert "[task_import_failed]" in server.text
        assert command(tmp_path, "tasks", "trigger", "hello", "--wait").returncode == 0
        (tmp_path / "broken.py").write_text(
            "from mainspring import task\n\n\n@task\ndef mended() -> str:\n    return 'yes'\n"
        )
        server.wait_for("Worker reloaded")
        assert command(tmp_path, "tasks", "trigger", "mended", "--wait").returncode == 0


def test_code_that_breaks_later_leaves_the_old_one_at_work(tmp_path: Path) -> None:
    with dev(tmp_path) as server:
        (tmp_path / "tasks.py").write_text("from mainspring import task\n\nboom = 1 / 0\n")
        server.wait_for("the old one keeps running")
        assert command(tmp_path, "tasks", "trigger", "hello", "--wait").returncode == 0


def test_two_tasks_with_one_id_are_told_apart_by_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "again.py").write_text(TASKS)
    with dev(tmp_path) as server:
        assert "[duplicate_task]" in server.text
        assert "again.py" in server.text
        assert "tasks.py" in server.text
        assert command(tmp_path, "tasks", "trigger", "hello", "--wait").returncode == 0


def test_an_empty_folder_is_told_how_to_begin(tmp_path: Path) -> None:
    with dev(tmp_path, tasks=None) as server:
        assert "mainspring init" in server.text
        assert command(tmp_path, "init").returncode == 0
        server.wait_for("Worker reloaded")
        assert command(tmp_path, "tasks", "trigger", "hello", "--wait").returncode == 0


def test_a_taken_port_is_said_with_the_way_out(tmp_path: Path) -> None:
    with dev(tmp_path):
        port = note(tmp_path)["url"].rpartition(":")[2]
        (tmp_path / "other").mkdir()
        with running("dev", "--port", port, folder=tmp_path / "other") as second:
            assert second.wait() == 1
        assert f"Port {port}" in second.text
        assert "[port_taken]" in second.text
        assert "Next: " in second.text
        assert "Traceback" not in second.text


def test_a_second_server_in_the_folder_names_the_first(tmp_path: Path) -> None:
    with dev(tmp_path) as first, running("dev", "--port", "0", folder=tmp_path) as second:
        assert second.wait() == 1
        assert "[store_in_use]" in second.text
        assert str(first.process.pid) in second.text


def test_a_key_of_another_shape_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with running("dev", folder=tmp_path, MAINSPRING_SECRET_KEY="sk_live_1") as server:
        assert server.wait() == 4
        assert "MAINSPRING_SECRET_KEY" in server.text
        assert "sk_live_1" not in server.text
        assert "[unauthorized]" in server.text


def test_a_second_signal_ends_it_while_a_run_goes_on(tmp_path: Path) -> None:
    with dev(tmp_path) as server:
        run_id = command(tmp_path, "tasks", "trigger", "forever", "-q").stdout.strip()
        command(tmp_path, "runs", "watch", run_id, "--timeout", "0.1")
        workers = server.children()
        server.process.send_signal(signal.SIGINT)
        server.wait_for("waits for 1 run")
        assert server.end(signal.SIGINT) == 128 + signal.SIGINT
        _, alive = psutil.wait_procs(workers, timeout=10)
        assert alive == []
