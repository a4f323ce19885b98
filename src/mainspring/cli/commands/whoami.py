"""`mainspring whoami`: which server commands talk to, and as whom."""

from __future__ import annotations

import click

from mainspring.cli import columns
from mainspring.cli.connection import find
from mainspring.cli.output import Output
from mainspring.cli.profiles import ask, last_four
from mainspring.errors import Forbidden
from mainspring.model.key import PERSONAL
from mainspring.settings.profiles import Profile

_ROWS = ("url", "environment", "key", "from")


@click.command("whoami")
@click.option("--url", help="The server. Environment: MAINSPRING_URL.")
@click.option("--key", help="Its secret key. Environment: MAINSPRING_SECRET_KEY.")
@click.option("--profile", help="A kept login. Environment: MAINSPRING_PROFILE.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines, as when piped.")
@click.option("-q", "--quiet", is_flag=True, help="Only the address.")
def command(
    *, url: str | None, key: str | None, profile: str | None, as_json: bool, quiet: bool
) -> None:
    """Say which server commands talk to from here, with which key, and what named it.

    It asks the server whether the key works.
    """
    found = find(url, key, profile)
    text = found.settings.key or ""
    tried = Profile(found.settings.url, text, found.settings.environment)
    try:
        ask(tried)
    except Forbidden:
        click.echo("The key works, but may not list tasks.", err=True)
    kind = "personal token" if text.startswith(PERSONAL) else "secret key"
    item = {
        "url": tried.url,
        "environment": tried.environment,
        "key": f"{kind} …{last_four(text)}",
        "from": found.place,
    }
    Output(as_json, quiet).one(item, {row: columns.text(row) for row in _ROWS}, ident="url")
