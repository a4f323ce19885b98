"""`mainspring tokens`, `events`, and journals and inputs of `runs`, against a server."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner, Result

from mainspring.cli.main import root
from tests.cli.processes import dev, lines, note

TASKS = """
from mainspring import Retry, step, streams, task, wait


@step
async def price(item: str) -> int:
    return len(item)


@step
async def charge(amount: int) -> str:
    if amount > 10:
        raise ValueError("too expensive")
    return f"charged {amount}"


@task(retry=Retry(max_attempts=1))
async def buy(item: str) -> str:
    return await charge(await price(item))


@task
async def approved(token: str) -> object:
    return await wait.token(token)


@task
async def chat() -> list[object]:
    messages = streams.input("messages")
    return [await messages.wait(), await messages.wait()]


@task
async def paid(order: int) -> object:
    return await wait.event("order.paid", match={"order": order})
"""
Command = Callable[..., Result]


@pytest.fixture(scope="module")
def durable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A running `mainspring dev` with these tasks: url and key."""
    folder = tmp_path_factory.mktemp("durable")
    with dev(folder, tasks=TASKS):
        yield note(folder)


@pytest.fixture
def ms(durable: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run `mainspring` with these arguments, as in a shell that knows the server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAINSPRING_URL", durable["url"])
    monkeypatch.setenv("MAINSPRING_SECRET_KEY", durable["key"])

    def run(*arguments: str, text: str | None = None) -> Result:
        return CliRunner().invoke(root, arguments, input=text)

    return run


def one(result: Result) -> dict[str, Any]:
    """The only item that a command printed."""
    assert result.exit_code == 0, result.stderr
    (item,) = lines(result.stdout)
    return item


def triggered(ms: Command, task: str, payload: Any) -> str:
    return str(one(ms("tasks", "trigger", task, "--payload", json.dumps(payload)))["id"])


def output(ms: Command, run_id: str) -> Any:
    """What the run returned, once it has."""
    assert ms("runs", "watch", run_id, "-q").exit_code == 0
    return one(ms("runs", "get", run_id))["output"]


def entries(ms: Command, run_id: str) -> list[dict[str, Any]]:
    result = ms("runs", "journal", run_id)
    assert result.exit_code == 0, result.stderr
    return lines(result.stdout)


def test_a_token_is_made_shown_and_listed(ms: Command) -> None:
    made = one(ms("tokens", "create", "--timeout", "1h", "--tag", "a", "--idempotency-key", "k"))
    again = one(ms("tokens", "create", "--idempotency-key", "k"))
    assert (again["id"], again["isCached"]) == (made["id"], True)
    token = one(ms("tokens", "get", made["id"]))
    assert (token["status"], token["tags"], token["idempotencyKey"]) == ("WAITING", ["a"], "k")
    assert "timeoutAt" in token
    assert token["url"] == made["url"]
    assert ms("tokens", "ls", "--tag", "a", "-q").stdout.split() == [made["id"]]
    assert ms("tokens", "ls", "--tag", "a", "--status", "completed").stdout == ""
    assert ms("tokens", "ls", "--idempotency-key", "k", "--from", "1h", "-q").stdout.split() == [
        made["id"]
    ]


def test_completing_a_token_lets_the_run_go_on(ms: Command) -> None:
    token_id = one(ms("tokens", "create"))["id"]
    run_id = triggered(ms, "approved", {"token": token_id})
    done = one(ms("tokens", "complete", token_id, '{"by": "Ada"}'))
    assert (done["status"], done["output"]) == ("COMPLETED", {"by": "Ada"})
    assert one(ms("tokens", "complete", token_id, "-", text="1"))["output"] == {"by": "Ada"}
    assert output(ms, run_id) == {"by": "Ada"}


def test_the_address_that_is_printed_completes_the_token(ms: Command) -> None:
    made = one(ms("tokens", "create"))
    response = httpx2.post(made["url"], json={"by": "web"})
    assert response.json() == {"success": True}
    assert one(ms("tokens", "get", made["id"]))["output"] == {"by": "web"}


def test_a_token_that_nobody_has_is_exit_code_three(ms: Command) -> None:
    for arguments in (["get", "waitpoint_x"], ["complete", "waitpoint_x"]):
        result = ms("tokens", *arguments)
        assert result.exit_code == 3
        assert "tokens ls" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["tokens", "create", "--timeout", "soon"],
        ["tokens", "complete", "waitpoint_x", "{"],
        ["tokens", "ls", "--status", "done"],
        ["runs", "send", "run_x", "s", "{"],
        ["runs", "restart", "run_x", "--edit", "a"],
        ["runs", "restart", "run_x", "--edit", "a={"],
        ["runs", "settle", "run_x", "pin"],
        ["runs", "settle", "run_x", "forget"],
        ["events", "emit", "e", "{"],
    ],
)
def test_what_makes_no_sense_is_exit_code_two(arguments: list[str], ms: Command) -> None:
    assert ms(*arguments).exit_code == 2


def test_records_are_sent_to_a_stream_of_a_run(ms: Command) -> None:
    run_id = triggered(ms, "chat", {})
    assert one(ms("runs", "send", run_id, "messages", '"hi"'))["number"] == 1
    assert ms("runs", "send", run_id[-8:], "messages", "2", "-q").stdout.strip() == "2"
    assert output(ms, run_id) == ["hi", 2]
    ended = ms("runs", "send", run_id, "messages", "3")
    assert ended.exit_code == 1
    assert "takes no more inputs" in ended.stderr


def test_an_event_ends_the_waits_that_it_fits(ms: Command) -> None:
    assert one(ms("events", "emit", "order.paid")) == {"event": "order.paid", "waits": 0}
    run_id = triggered(ms, "paid", {"order": 7})
    while not any(entry["status"] == "PENDING" for entry in entries(ms, run_id)):
        continue
    assert ms("events", "emit", "order.paid", '{"order": 8}', "-q").stdout.strip() == "0"
    assert ms("events", "emit", "order.paid", '{"order": 7}', "-q").stdout.strip() == "1"
    assert output(ms, run_id) == {"order": 7}


def test_a_run_that_failed_is_restarted_from_a_step_with_another_result(ms: Command) -> None:
    run_id = triggered(ms, "buy", {"item": "a large machine"})
    assert ms("runs", "watch", run_id, "-q").exit_code == 1
    shown = entries(ms, run_id)
    assert [(entry["key"], entry["status"]) for entry in shown] == [
        ("price", "COMPLETED"),
        ("charge!1", "FAILED"),
    ]
    assert (shown[0]["kind"], shown[0]["data"]) == ("step", 15)
    assert "too expensive" in json.dumps(shown[1]["data"])
    assert ms("runs", "journal", run_id, "-q").stdout.split() == ["price", "charge!1"]
    made = one(ms("runs", "restart", run_id, "--from", "charge", "--edit", "price=3"))
    assert made["restartOf"] == run_id
    assert output(ms, made["id"]) == "charged 3"
    whole = one(ms("runs", "restart", run_id, "--payload", '{"item": "pen"}'))
    assert output(ms, whole["id"]) == "charged 3"
    unknown = ms("runs", "restart", run_id, "--from", "chrage")
    assert unknown.exit_code == 2
    assert "price, charge" in unknown.stderr


def test_a_run_that_has_not_diverged_waits_for_no_decision(ms: Command) -> None:
    run_id = triggered(ms, "buy", {"item": "pen"})
    assert output(ms, run_id) == "charged 3"
    result = ms("runs", "settle", run_id, "accept")
    assert result.exit_code == 1
    assert "[conflict]" in result.stderr
