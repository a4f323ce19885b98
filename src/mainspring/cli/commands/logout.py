"""`mainspring logout`: forget a kept login."""

from __future__ import annotations

import os

import click

from mainspring.errors import ConfigurationError
from mainspring.settings import profiles


@click.command("logout")
@click.option("--profile", help="Which one. Default: MAINSPRING_PROFILE, else the one in use.")
def command(*, profile: str | None) -> None:
    """Forget a kept login and print its name. The key goes on to work, here it is only forgotten.

    To end the key itself: mainspring keys revoke, on the server's machine.
    """
    kept = profiles.read(os.environ)
    name = profile or os.environ.get(profiles.VARIABLE) or kept.used
    if name is None:
        raise ConfigurationError("No profile is in use; name one: mainspring logout --profile P")
    if name not in kept.profiles:
        kept.named(name)
    del kept.profiles[name]
    if kept.used == name:
        kept.used = None
    profiles.write(os.environ, kept)
    click.echo(name)
