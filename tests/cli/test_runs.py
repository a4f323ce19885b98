"""`mainspring tasks` and `mainspring runs` against a server: what they print and how they end."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.cli.processes import lines

Command = Callable[..., Result]
Triggered = Callable[..., str]


def test_a_trigger_prints_the_id_as_the_api_names_it(ms: Command) -> None:
    (item,) = lines(ms("tasks", "trigger", "hello").stdout)
    assert item["id"].startswith("run_")
    assert item["isCached"] is False


def test_waiting_prints_the_whole_run(ms: Command) -> None:
    result = ms("tasks", "trigger", "hello", "--payload", '{"name": "Ada"}', "--wait")
    assert result.exit_code == 0
    (run,) = lines(result.stdout)
    assert (run["status"], run["output"]) == ("COMPLETED", "Hello, Ada!")


def test_a_run_that_fails_is_exit_code_one_with_its_error(ms: Command) -> None:
    result = ms("tasks", "trigger", "fail", "--wait")
    assert result.exit_code == 1
    (run,) = lines(result.stdout)
    assert run["status"] == "FAILED"
    assert run["error"]["message"] == "not today"


def test_waiting_no_longer_than_told_lets_the_run_go_on(ms: Command) -> None:
    result = ms("tasks", "trigger", "forever", "--wait", "--timeout", "0.1")
    assert result.exit_code == 124
    assert "it goes on" in result.stderr
    assert "[result_timeout]" in result.stderr
    (run_id,) = (word for word in result.stderr.split() if word.startswith("run_"))
    assert ms("runs", "cancel", run_id).exit_code == 0


def test_following_prints_states_on_stdout_and_the_log_aside(ms: Command) -> None:
    result = ms("tasks", "trigger", "hello", "--follow")
    assert lines(result.stdout)[-1]["status"] == "COMPLETED"
    assert "INFO  saying hello" in result.stderr
    assert "printed" in result.stderr


def test_an_unknown_task_is_exit_code_three_with_the_nearest_name(ms: Command) -> None:
    for arguments in (["trigger", "helo"], ["show", "helo"]):
        result = ms("tasks", *arguments)
        assert result.exit_code == 3
        assert "'hello'" in result.stderr
        assert "[unknown_task]" in result.stderr


def test_each_bad_field_of_a_payload_is_named(ms: Command) -> None:
    result = ms("tasks", "trigger", "hello", "--payload", '{"name": 7, "nmae": ""}')
    assert result.exit_code == 2
    assert "[invalid_payload]" in result.stderr
    assert "name" in result.stderr
    assert "nmae" in result.stderr


@pytest.mark.parametrize("payload", ["{", "Ada", "@missing.json", "@not-json.txt"])
def test_a_payload_that_is_not_json_is_refused_before_anything_is_sent(
    payload: str, ms: Command, tmp_path: Path
) -> None:
    (tmp_path / "not-json.txt").write_text("name = Ada")
    result = ms("tasks", "trigger", "hello", "--payload", payload)
    assert result.exit_code == 2
    assert "--payload" in result.stderr
    assert "[invalid_options]" in result.stderr


def test_a_payload_comes_from_a_file_or_from_standard_input(ms: Command, tmp_path: Path) -> None:
    (tmp_path / "ada.json").write_text('{"name": "Ada"}')
    from_file = ms("tasks", "trigger", "hello", "--payload", "@ada.json", "--wait")
    piped = ms("tasks", "trigger", "hello", "--payload", "-", "--wait", text='{"name": "Bob"}')
    outputs = [lines(result.stdout)[0]["output"] for result in (from_file, piped)]
    assert outputs == ["Hello, Ada!", "Hello, Bob!"]


def test_the_same_idempotency_key_gives_the_same_run(ms: Command) -> None:
    first, second = (
        lines(ms("tasks", "trigger", "hello", "--idempotency-key", "once").stdout)[0]
        for _ in range(2)
    )
    assert second == {"id": first["id"], "isCached": True}


def test_every_option_of_a_run_arrives(ms: Command, triggered: Triggered) -> None:
    run_id = triggered(
        *("hello", "--delay", "1h", "--ttl", "2h", "--tag", "a", "--tag", "b", "--priority", "10"),
        *("--max-attempts", "7", "--max-duration", "5m", "--concurrency-key", "k", "--test"),
        *("--metadata", '{"from": "shell"}', "--idempotency-key", "all", "--idempotency-ttl", "1h"),
    )
    (run,) = lines(ms("runs", "get", run_id).stdout)
    assert run["status"] == "DELAYED"
    assert sorted(run["tags"]) == ["a", "b"]
    assert run["metadata"] == {"from": "shell"}
    assert (run["ttl"], run["isTest"], run["idempotencyKey"]) == ("2h", True, "all")
    assert ms("runs", "cancel", run_id).exit_code == 0


@pytest.mark.parametrize(
    "option", [["--delay", "soon"], ["--ttl", "-1"], ["--delay", "2026-13-01"], ["--timeout", "x"]]
)
def test_a_bad_option_is_named_with_what_is_allowed(option: list[str], ms: Command) -> None:
    result = ms("tasks", "trigger", "hello", *option)
    assert result.exit_code == 2
    assert option[0] in result.stderr
    assert "[invalid_options]" in result.stderr


def test_runs_are_filtered_and_counted(ms: Command, triggered: Triggered) -> None:
    mine = [triggered("hello", "--delay", "1h", "--tag", "filtered") for _ in range(3)]
    newest_first = list(reversed(mine))

    def found(*filters: str) -> list[str]:
        return ms("runs", "ls", "-q", "--tag", "filtered", *filters).stdout.split()

    assert found() == newest_first
    assert found("--status", "delayed", "--task", "hello", "--queue", "task/hello") == newest_first
    assert found("--status", "completed,failed") == []
    assert found("--limit", "2") == newest_first[:2]
    assert found("--after", newest_first[1]) == newest_first[2:]
    assert found("--before", newest_first[1]) == newest_first[:1]
    assert found("--from", "1h") == newest_first
    assert found("--to", "1h") == []
    assert found("--test") == []
    assert ms("runs", "cancel", *mine).exit_code == 0


def test_an_unknown_state_is_answered_with_the_known_ones(ms: Command) -> None:
    result = ms("runs", "ls", "--status", "done")
    assert result.exit_code == 2
    assert "completed" in result.stderr


def test_an_id_may_be_shortened_to_its_end(ms: Command, triggered: Triggered) -> None:
    run_id = triggered("hello")
    (run,) = lines(ms("runs", "get", run_id[-8:]).stdout)
    assert run["id"] == run_id


def test_a_shortened_id_that_fits_several_runs_names_them(
    ms: Command, triggered: Triggered
) -> None:
    ids = [triggered("hello"), triggered("hello")]
    result = ms("runs", "cancel", "run_0")
    assert result.exit_code == 2
    assert ids[1] in result.stderr


@pytest.mark.parametrize("run_id", ["zzzzzz", "run_00000000000000000000zz"])
def test_an_id_that_nobody_has_is_not_found(run_id: str, ms: Command) -> None:
    result = ms("runs", "get", run_id)
    assert result.exit_code == 3
    assert "[not_found]" in result.stderr
    assert "Next: mainspring runs ls" in result.stderr


def test_a_replay_is_a_new_run_with_the_same_payload(ms: Command, triggered: Triggered) -> None:
    first = triggered("hello", "--payload", '{"name": "Ada"}')
    (made,) = lines(ms("runs", "replay", first).stdout)
    assert made["replayOf"] == first
    assert made["id"] != first
    assert ms("runs", "watch", made["id"], "-q").exit_code == 0
    (run,) = lines(ms("runs", "get", made["id"]).stdout)
    assert run["payload"] == {"name": "Ada"}


def test_explain_says_which_gate_holds_a_run(ms: Command, triggered: Triggered) -> None:
    run_id = triggered("hello", "--delay", "1h")
    (answer,) = lines(ms("runs", "explain", run_id).stdout)
    assert answer["runId"] == run_id
    assert answer["gate"] == "delayed"
    assert answer["text"]
    assert ms("runs", "cancel", run_id).exit_code == 0


def test_the_log_of_a_run_is_printed_line_by_line(ms: Command, triggered: Triggered) -> None:
    run_id = triggered("hello", "--payload", '{"name": "Ada"}')
    logged = lines(ms("runs", "logs", run_id, "--follow").stdout)
    assert [(line["message"], line.get("data")) for line in logged] == [
        ("saying hello", {"name": "Ada"}),
        ("printed", None),
    ]


def test_watching_prints_each_change_of_state(ms: Command, triggered: Triggered) -> None:
    run_id = triggered("fail")
    result = ms("runs", "watch", run_id)
    assert result.exit_code == 1
    states = [line["status"] for line in lines(result.stdout)]
    assert states[-1] == "FAILED"
    assert len(states) == len(set(states))


def test_tasks_are_listed_and_shown_with_file_and_schema(ms: Command) -> None:
    assert ms("tasks", "ls", "-q").stdout.split() == ["fail", "forever", "hello"]
    (task,) = lines(ms("tasks", "show", "hello").stdout)
    assert task["description"] == "Say hello."
    assert task["filePath"].endswith("tasks.py")
    assert task["retry"]["maxAttempts"] == 3
    assert json.dumps(task["payloadSchema"]).count("name") >= 1
    assert task["workers"] == 1


def test_a_wrong_key_is_exit_code_four(ms: Command) -> None:
    result = ms("runs", "ls", "--key", "tr_dev_sk_" + "x" * 24)
    assert result.exit_code == 4
    assert "[unauthorized]" in result.stderr
    assert "Next: mainspring doctor" in result.stderr


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_exit_code_five(ms: Command) -> None:
    result = ms("runs", "ls", "--url", "http://127.0.0.1:1")
    assert result.exit_code == 5
    assert "http://127.0.0.1:1" in result.stderr
    assert "[server_unreachable]" in result.stderr


def test_without_any_server_the_way_to_one_is_shown(
    ms: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAINSPRING_URL")
    monkeypatch.delenv("MAINSPRING_SECRET_KEY")
    result = ms("runs", "ls")
    assert result.exit_code == 5
    assert "Next: mainspring dev" in result.stderr


def test_a_server_without_a_key_is_exit_code_four(
    ms: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAINSPRING_SECRET_KEY")
    result = ms("runs", "ls")
    assert result.exit_code == 4
    assert "MAINSPRING_SECRET_KEY" in result.stderr
