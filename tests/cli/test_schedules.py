"""`mainspring schedules` against a server."""

from collections.abc import Callable

from click.testing import Result

from tests.cli.processes import lines

Command = Callable[..., Result]


def test_a_schedule_lives_from_its_making_to_its_end(ms: Command) -> None:
    options = ("--timezone", "Europe/Berlin", "--deduplication-key", "daily", "--missed", "all")
    (made,) = lines(ms("schedules", "create", "hello", "0 9 * * *", *options).stdout)
    assert (made["task"], made["timezone"], made["catchUp"]) == ("hello", "Europe/Berlin", "all")
    assert made["nextRun"].endswith(":00:00.000Z")
    (changed,) = lines(ms("schedules", "update", made["id"], "--cron", "@every 1h").stdout)
    assert (changed["generator"]["expression"], changed["catchUp"]) == ("@every 1h", "all")
    assert made["id"] in ms("schedules", "ls", "-q").stdout.split()
    (off,) = lines(ms("schedules", "deactivate", made["id"]).stdout)
    assert (off["active"], lines(ms("schedules", "next", made["id"]).stdout)) == (False, [])
    (on,) = lines(ms("schedules", "activate", made["id"]).stdout)
    ticks = lines(ms("schedules", "next", made["id"], "--count", "3").stdout)
    assert ticks[0]["at"] == on["nextRun"]
    assert len(ticks) == 3
    ms("schedules", "delete", made["id"])
    assert ms("schedules", "next", made["id"]).exit_code == 3


def test_a_schedule_makes_a_run_at_once(ms: Command) -> None:
    (made,) = lines(ms("schedules", "create", "hello", "0 0 1 1 *").stdout)
    (run,) = lines(ms("schedules", "run", made["id"]).stdout)
    (found,) = lines(ms("runs", "get", run["id"]).stdout)
    assert (found["id"], found["taskIdentifier"]) == (run["id"], "hello")
    ms("schedules", "delete", made["id"])


def test_an_expression_is_tried_out_before_there_is_a_schedule(ms: Command) -> None:
    answer = ms("schedules", "next", "0 9 * * *", "--timezone", "Europe/Berlin", "--count", "1")
    (tick,) = lines(answer.stdout)
    assert "T09:00:00+0" in tick["local"]
    bad = ms("schedules", "next", "60 9 * * *")
    assert bad.exit_code == 2
    assert "the minute '60' cannot be read; allowed are 0-59" in bad.stderr
