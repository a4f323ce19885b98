"""`mainspring login`: keep a server and its key under a name."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from mainspring.cli.profiles import ask, last_four, print_profile
from mainspring.errors import ConfigurationError, Forbidden
from mainspring.model.key import PERSONAL, check_key
from mainspring.settings import load, profiles
from mainspring.settings.profiles import Profile


@click.command("login")
@click.option("--profile", help="The name to keep it under. Default: default.")
@click.option("--url", help="The server. Default: that of the profile, else the one that is set.")
@click.option("--key", help="A secret key or personal token; without it, it is asked for.")
@click.option("--environment", help="For a personal token: dev, stg, prod, preview-….")
@click.option("--json", "as_json", is_flag=True, help="JSON lines, as when piped.")
@click.option("-q", "--quiet", is_flag=True, help="Only the name.")
def command(
    *,
    profile: str | None,
    url: str | None,
    key: str | None,
    environment: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Try a key at a server, and keep both for later commands, in a file that only you may read.

    The login is used where no option, variable, file or `mainspring dev` names a server. Without
    --key it is asked for, or read from standard input, and stays out of the shell's history.
    """
    name = profile or os.environ.get(profiles.VARIABLE) or profiles.DEFAULT
    profiles.check_name(name)
    kept = profiles.read(os.environ)
    former = kept.profiles.get(name, Profile(""))
    where = url or former.url or load(Path.cwd(), os.environ).settings.url
    found = _key(key, name)
    slug = environment or (former.environment if found.startswith(PERSONAL) else "")
    new = Profile(where.rstrip("/"), found, slug)
    try:
        ask(new)
    except Forbidden:
        click.echo(f"The key …{last_four(found)} works, but may not list tasks.", err=True)
    kept.profiles[name] = new
    kept.used = name
    place = profiles.write(os.environ, kept)
    print_profile(name, new, as_json=as_json, quiet=quiet, note=f"Kept in {place}")


def _key(given: str | None, name: str) -> str:
    """The key as it was given or typed. Raises: ConfigurationError, Unauthorized."""
    if given is None and sys.stdin.isatty():
        given = click.prompt("Key", hide_input=True, default="", show_default=False)
    key = (sys.stdin.read() if given is None else given).strip()
    if not key:
        raise ConfigurationError(
            f"A profile without a key reaches no server. Give {name!r} one with --key or on "
            "standard input; on the server's machine, mainspring keys create makes one."
        )
    if not key.startswith(PERSONAL):
        check_key(key)
    return key
