"""`mainspring worker`: the user's code, for a server elsewhere."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click
import msgspec

from mainspring.app.deployed import Deployed
from mainspring.app.prepared import Prepared, cache_folder
from mainspring.app.stopping import stop_signals
from mainspring.app.workers import Workers, child_config
from mainspring.cli.connection import find_server
from mainspring.cli.telling import Teller
from mainspring.sdk.http import HttpTransport
from mainspring.sdk.settings import ClientSettings
from mainspring.settings import Settings, load
from mainspring.worker.channel import ChildConfig


@click.command("worker")
@click.option("--server", "url", metavar="URL", help="Default: MAINSPRING_URL.")
@click.option("--key", help="Its secret key. Default: MAINSPRING_SECRET_KEY.")
@click.option("--processes", type=int, help="Child processes. Default: 1.")
@click.option("--slots", type=int, help="Runs at once in one process. Default: 100.")
@click.option("--drain", "drain_s", type=float, help="Seconds to finish at a stop. Default: 30.")
@click.option("--reload", is_flag=True, help="Replace the processes when a file changes.")
@click.option("--version", default="", help="The version of this code, such as that of an image.")
@click.option("--deployed", is_flag=True, help="Run what is deployed, not this folder.")
def command(
    *,
    url: str | None,
    key: str | None,
    processes: int | None,
    slots: int | None,
    drain_s: float | None,
    reload: bool,
    version: str,
    deployed: bool,
) -> None:
    """Run the tasks of this folder for a server.

    On SIGTERM it takes nothing new and lets runs finish; a second signal ends it at once, and its
    runs start again elsewhere. While the server is away it tries again. Where a version is
    promoted, new runs go to workers of that --version only.

    --deployed fetches the promoted version from the server, verifies and unpacks it, and runs it;
    if it has a requirements.txt, in a virtual environment of its own. It follows promotions:
    processes of the new version start, those of one before stay while it has runs left.
    """
    flags = {"worker.processes": processes, "worker.slots": slots, "worker.drain_s": drain_s}
    settings = load(Path.cwd(), os.environ, flags).settings
    server = find_server(url, key)
    if not deployed:
        asyncio.run(_work(settings, server, reload, version))
    elif reload or version:
        raise click.UsageError("--deployed takes neither --reload nor --version.")
    else:
        asyncio.run(_deployed(settings, server))


async def _work(settings: Settings, server: ClientSettings, reload: bool, version: str) -> None:
    config = child_config(
        settings, server.url, server.key or "", Path.cwd(), version, server.environment
    )
    workers = Workers(config, settings.worker.processes, Teller(), reload=reload)
    click.echo(f"Mainspring worker for {server.url}", err=True)
    with stop_signals(workers.kill) as stop:
        await workers.run(stop)
    click.echo("Stopped.", err=True)


async def _deployed(settings: Settings, server: ClientSettings) -> None:
    """Run what is deployed; the folder's settings say how many processes and slots."""

    def configure(prepared: Prepared) -> ChildConfig:
        own = load(prepared.root, {}).settings.tasks
        root, version = prepared.root, prepared.version
        config = child_config(
            settings, server.url, server.key or "", root, version, server.environment
        )
        return msgspec.structs.replace(
            config, dirs=own.dirs, ignore=own.ignore, python=prepared.python, folder=str(root)
        )

    transport = HttpTransport(server.url, server.key or "", environment=server.environment)
    fleet = Deployed(
        transport.call,
        configure,
        settings.worker.processes,
        cache_folder(),
        Teller(),
        lambda text: click.echo(text, err=True),
    )
    click.echo(f"Mainspring worker of deployed code for {server.url}", err=True)
    try:
        with stop_signals(fleet.kill) as stop:
            await fleet.run(stop)
    finally:
        await transport.close()
    click.echo("Stopped.", err=True)
