"""What people see: tables on a terminal, colours only where wanted, moments as words."""

import os
import pty
import select
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from mainspring.cli import moments
from mainspring.cli.output import ago, span
from mainspring.errors import InvalidOptions
from tests.cli.processes import COMMAND, environment

Command = Callable[..., Result]
NOW = 1_700_000_000_000


def on_terminal(server: dict[str, Any], *arguments: str, **extra: str) -> str:
    """What the command writes to a terminal of 120 columns."""
    ours, theirs = pty.openpty()
    variables = environment() | {
        "MAINSPRING_URL": server["url"],
        "MAINSPRING_SECRET_KEY": server["key"],
        "COLUMNS": "120",
        "TERM": "xterm-256color",
    }
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=theirs, stderr=theirs, env=variables | extra
    ) as process:
        os.close(theirs)
        written = b""
        while select.select([ours], [], [], 20)[0]:
            try:
                written += os.read(ours, 65536)
            except OSError:  # Linux says so when the other end is closed
                break
        process.wait(20)
    os.close(ours)
    return written.decode().replace("\r\n", "\n")


@pytest.mark.slow
def test_a_list_is_a_table_on_a_terminal(
    server: dict[str, Any], triggered: Callable[..., str]
) -> None:
    run_id = triggered("hello", "--tag", "seen")
    shown = on_terminal(server, "runs", "ls", "--tag", "seen")
    assert [title for title in ("ID", "TASK", "STATUS", "CREATED") if title not in shown] == []
    assert run_id in shown
    assert "\x1b[" in shown
    assert not shown.startswith("{")


@pytest.mark.slow
def test_of_a_sheet_only_the_names_are_bold(server: dict[str, Any]) -> None:
    shown = on_terminal(server, "environments", "show")
    assert "\x1b[1menvironment  \x1b[0mdev\n" in shown


@pytest.mark.slow
def test_no_color_turns_colours_off(server: dict[str, Any]) -> None:
    shown = on_terminal(server, "queues", "ls", NO_COLOR="1")
    assert "task/hello" in shown
    assert "\x1b[3" not in shown
    wrong = on_terminal(server, "runs", "get", "zzzzzz", NO_COLOR="1")
    assert wrong.startswith("Error: ")


@pytest.mark.slow
def test_a_run_is_a_sheet_with_its_output_and_a_hint_follows_a_trigger(
    server: dict[str, Any],
) -> None:
    shown = on_terminal(server, "tasks", "trigger", "hello", "--wait", NO_COLOR="1")
    assert '"Hello, world!"' in shown
    assert "status" in shown
    assert "Next: mainspring runs watch run_" in on_terminal(server, "tasks", "trigger", "hello")


@pytest.mark.slow
def test_json_is_json_on_a_terminal_too(server: dict[str, Any]) -> None:
    assert on_terminal(server, "queues", "ls", "--json").startswith("{")


@pytest.mark.parametrize(
    "seconds, text",
    [(0.31, "0.3 s"), (12.4, "12 s"), (89, "89 s"), (300, "5 min"), (7200, "2 h"), (2e5, "2 d")],
)
def test_a_span_is_written_in_its_largest_unit(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_a_moment_is_written_from_now() -> None:
    assert ago(NOW - 5_000, NOW) == "5.0 s ago"
    assert ago(NOW + 3_600_000, NOW) == "in 60 min"
    assert ago(None, NOW) == ""


def test_past_and_delay_take_durations_and_dates() -> None:
    assert moments.past("2h", NOW, "--from") == NOW - 7_200_000
    assert moments.past("2026-05-01T09:00:00Z", NOW, "--from") == 1_777_626_000_000
    assert moments.delay("10m", "--delay") == (600_000, None)
    assert moments.delay("2026-05-01T09:00:00+00:00", "--delay") == (None, 1_777_626_000_000)
    assert moments.duration("1.5", "--ttl") == 1_500


@pytest.mark.parametrize("text", ["2026-99-01", "soon", "-5", "nan"])
def test_other_words_are_refused_by_the_name_of_the_option(text: str) -> None:
    with pytest.raises(InvalidOptions, match="--delay"):
        moments.delay(text, "--delay")


def test_init_and_help_write_no_colour_into_a_pipe(ms: Command, tmp_path: Path) -> None:
    assert "\x1b" not in ms("init", str(tmp_path)).output + ms("--help").output
