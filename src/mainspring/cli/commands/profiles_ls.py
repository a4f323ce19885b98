"""`mainspring profiles ls`: which logins are kept."""

from __future__ import annotations

import os

import click

from mainspring.cli.output import Output
from mainspring.cli.profiles import PROFILE, shown
from mainspring.settings import profiles


@click.command("ls")
@click.option("--json", "as_json", is_flag=True, help="JSON lines, as when piped.")
@click.option("-q", "--quiet", is_flag=True, help="Only names.")
def command(*, as_json: bool, quiet: bool) -> None:
    """List the kept logins; of their keys only the last four characters."""
    kept = profiles.read(os.environ)
    rows = [shown(name, it, used=name == kept.used) for name, it in sorted(kept.profiles.items())]
    empty = "No logins are kept. To keep one: mainspring login --url URL"
    Output(as_json, quiet).many(rows, PROFILE, ident="profile", empty=empty)
