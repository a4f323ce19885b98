"""`mainspring doctor`: is everything in place?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

from mainspring.cli.checks import every_check
from mainspring.cli.database import found
from mainspring.cli.faults import FAILED
from mainspring.cli.item import Columns
from mainspring.cli.output import Output
from mainspring.settings import load

_COLUMNS: Final[Columns] = {
    "CHECK": lambda item: str(item["check"]),
    "STATE": lambda item: str(item["state"]),
    "FOUND": lambda item: str(item["text"]),
    "NEXT": lambda item: str(item["next"]),
}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="JSON lines, as when piped.")
@click.option("-q", "--quiet", is_flag=True, help="Only the names of checks that failed.")
def command(*, as_json: bool, quiet: bool) -> int:
    """Check Python, SQLite, folder, database, tasks, port, server, key and clock.

    Each line is ok, warn or fail, with what to do next. The exit code is 1 if one failed.
    """
    settings = load(Path.cwd(), os.environ).settings
    items = [
        {"check": check.name, "state": check.state, "text": check.text, "next": check.then}
        for check in every_check(settings, found(None))
    ]
    failed = [item for item in items if item["state"] == "fail"]
    Output(as_json, quiet).many(failed if quiet else items, _COLUMNS, ident="check", empty="")
    return FAILED if failed else 0
