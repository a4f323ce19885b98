"""`mainspring deploy`: a folder becomes a new version of the code."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from mainspring.app.deploying import send, variables_of
from mainspring.cli import deployments
from mainspring.cli.connection import Talk, talking
from mainspring.settings import load
from mainspring.wire.deploying import Promote


@click.command("deploy")
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--env", "slug", metavar="ENV", help="The environment. Default: that of the key.")
@click.option("--skip-promotion", is_flag=True, help="Keep the version, and promote it later.")
@click.option("--external-id", metavar="ID", help="An id of your own, such as the commit.")
@talking
async def command(
    talk: Talk, path: Path, *, slug: str | None, skip_promotion: bool, external_id: str | None
) -> None:
    """Keep the code of a folder on the server as a new version, and let new runs get it.

    All files below PATH are packed but hidden ones (so .env is not), what .gitignore and
    .mainspringignore name, and what looks like a secret. The copy is imported first; code that
    cannot be imported is not deployed. The same --external-id with the same code makes no second
    version. `mainspring worker --deployed` runs what is deployed.
    """
    settings = load(path, os.environ, {}).settings
    async with deployments.of_environment(talk, slug) as there:
        key = there.settings.key or ""
        talk.out.note(f"Packing {path} for {there.settings.environment} …")
        variables = await asyncio.to_thread(variables_of, there.settings.url, key)
        made = await send(
            there.ask,
            path,
            settings,
            secret=key,
            external_id=external_id,
            variables=variables,
        )
        if not skip_promotion:
            made = await there.ask(Promote(made.version))
    talk.out.one(deployments.item(made), deployments.COLUMNS, ident="version")
