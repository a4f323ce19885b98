"""Errors as people read them, what, why and the next command, and as exit codes. No recovery."""

from __future__ import annotations

import os
import sys
from typing import Final

import click

from mainspring.cli.catalog import CATALOG
from mainspring.errors import (
    CallerError,
    ConfigurationError,
    MainspringError,
    NotFound,
    ResultTimeout,
    ServerUnreachable,
    StoreUnavailable,
    TaskImportFailed,
    Unauthorized,
    UnknownTask,
)

FAILED: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
AUTH: Final = 4
UNREACHABLE: Final = 5
UNEXPECTED: Final = 70
TIMED_OUT: Final = 124
INTERRUPTED: Final = 130

EXIT_CODES: Final = {
    0: "done; for a run that was waited for: it completed",
    FAILED: "the run ended without success, or the request was refused",
    USAGE: "the command, an option, a payload or a setting is wrong",
    NOT_FOUND: "no such run, task or queue",
    AUTH: "the key is missing or wrong",
    UNREACHABLE: "the server or the database does not answer",
    UNEXPECTED: "a bug in mainspring; `mainspring --debug …` shows the traceback",
    TIMED_OUT: "the time given with --timeout is over; the run goes on",
    INTERRUPTED: "interrupted with Ctrl-C",
}

# The first class that fits decides.
_CODES: Final[tuple[tuple[type[MainspringError], int], ...]] = (
    (NotFound, NOT_FOUND),
    (UnknownTask, NOT_FOUND),
    (Unauthorized, AUTH),
    (ServerUnreachable, UNREACHABLE),
    (StoreUnavailable, UNREACHABLE),
    (ResultTimeout, TIMED_OUT),
)
_USAGE_CODES: Final = {"bad_request", "invalid_payload", "payload_too_large", "invalid_options"}

_NEXT: Final = {
    "invalid_payload": "mainspring tasks show TASK",
    "unknown_task": "mainspring tasks ls",
    "unauthorized": "mainspring doctor",
    "server_unreachable": "mainspring dev, or name a server with --url",
    "store_unavailable": "mainspring doctor",
    "schema_mismatch": "mainspring db status",
    "store_in_use": "stop the other process, or give this one its own --database",
    "port_taken": "the same command with --port and a free port",
    "result_timeout": "mainspring runs watch ID",
}


def exit_code(error: MainspringError) -> int:
    """The exit code that scripts see for this error."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    wrong_input = isinstance(error, CallerError) and error.code in _USAGE_CODES
    return USAGE if wrong_input or isinstance(error, ConfigurationError) else FAILED


def tell(error: MainspringError, group: str = "") -> None:
    """Print the error: its message and code, each bad field, and the next command. `group` is the
    first word of the command that was run.
    """
    why = [f"  {path}: {text}" for path, text in _fields(error)]
    if isinstance(error, TaskImportFailed) and isinstance(error.details, str):
        why.append(error.details.rstrip())
    say(f"{error.message} [{error.code}]", "\n".join(why), next_command(error, group))


def next_command(error: MainspringError, group: str = "") -> str:
    """What to type next; text that the error brought along wins."""
    listing = f"{group} ls"
    if error.code == "not_found" and listing in CATALOG:
        return f"mainspring {listing}"
    return getattr(error, "next_command", None) or _NEXT.get(error.code, "")


def say(what: str, why: str = "", then: str = "") -> None:
    """Three parts on stderr; the empty ones are left out."""
    click.echo(f"{_red('Error:')} {what}", err=True)
    if why:
        click.echo(why, err=True)
    if then:
        click.echo(f"Next: {then}", err=True)


def tell_usage(problem: click.ClickException) -> None:
    """What click found wrong with the command line, in the same three parts."""
    context = getattr(problem, "ctx", None)
    path = context.command_path if isinstance(context, click.Context) else "mainspring"
    say(problem.format_message(), "", f"{path} --help")


def _fields(error: MainspringError) -> list[tuple[str, str]]:
    """The bad fields that the message does not name itself."""
    found = error.details if isinstance(error.details, list) else []
    return [
        (str(entry.get("path") or "payload"), str(entry.get("message", "")))
        for entry in found
        if isinstance(entry, dict) and str(entry.get("message", "")) not in error.message
    ]


def _red(text: str) -> str:
    plain = "NO_COLOR" in os.environ or not sys.stderr.isatty()
    return text if plain else click.style(text, fg="red", bold=True)
