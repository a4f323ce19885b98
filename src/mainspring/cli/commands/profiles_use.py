"""`mainspring profiles use`: choose a kept login."""

from __future__ import annotations

import os

import click

from mainspring.cli.profiles import print_profile
from mainspring.settings import profiles


@click.command("use")
@click.argument("profile")
@click.option("--json", "as_json", is_flag=True, help="JSON lines, as when piped.")
@click.option("-q", "--quiet", is_flag=True, help="Only the name.")
def command(profile: str, *, as_json: bool, quiet: bool) -> None:
    """Choose the login that commands take where nothing else names a server."""
    kept = profiles.read(os.environ)
    found = kept.named(profile)
    kept.used = profile
    profiles.write(os.environ, kept)
    print_profile(profile, found, as_json=as_json, quiet=quiet, note="In use from now on.")
