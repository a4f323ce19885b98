"""`mainspring queues` against a server."""

from collections.abc import Callable

from click.testing import Result

from tests.cli.processes import lines

Command = Callable[..., Result]
Triggered = Callable[..., str]


def test_queues_show_their_limits(ms: Command) -> None:
    by_name = {queue["queue"]: queue for queue in lines(ms("queues", "ls").stdout)}
    assert by_name["narrow"]["type"] == "custom"
    assert by_name["narrow"]["concurrencyLimit"] == 2
    assert by_name["task/hello"]["name"] == "hello"
    assert by_name["task/hello"]["concurrencyLimit"] is None


def test_a_paused_queue_starts_nothing_until_it_is_resumed(
    ms: Command, triggered: Triggered
) -> None:
    (paused,) = lines(ms("queues", "pause", "fail").stdout)
    assert paused["paused"] is True
    run_id = triggered("fail")
    (answer,) = lines(ms("runs", "explain", run_id).stdout)
    assert answer["gate"] == "queue_paused"
    (resumed,) = lines(ms("queues", "resume", "task/fail").stdout)
    assert resumed["paused"] is False
    assert ms("runs", "watch", run_id, "-q").stdout.strip() == run_id


def test_a_limit_is_overridden_and_given_back(ms: Command) -> None:
    (queue,) = lines(ms("queues", "set", "narrow", "--limit", "5").stdout)
    assert (queue["concurrencyLimit"], queue["concurrency"]["base"]) == (5, 2)
    (queue,) = lines(ms("queues", "set", "narrow", "--reset").stdout)
    assert queue["concurrencyLimit"] == 2
    assert queue["concurrency"]["override"] is None


def test_a_limit_and_its_reset_exclude_each_other(ms: Command) -> None:
    for options in ([], ["--limit", "1", "--reset"]):
        result = ms("queues", "set", "narrow", *options)
        assert result.exit_code == 2
        assert "--limit and --reset" in result.stderr


def test_an_unknown_queue_is_answered_with_the_nearest(ms: Command) -> None:
    result = ms("queues", "pause", "narow")
    assert result.exit_code == 3
    assert "'narrow'" in result.stderr
