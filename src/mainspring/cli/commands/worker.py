"""`mainspring worker`: the user's code, for a server elsewhere."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from mainspring.app.stopping import stop_signals
from mainspring.app.workers import Workers, child_config
from mainspring.cli.connection import find_server
from mainspring.cli.telling import Teller
from mainspring.sdk.settings import ClientSettings
from mainspring.settings import Settings, load


@click.command("worker")
@click.option("--server", "url", metavar="URL", help="Default: MAINSPRING_URL.")
@click.option("--key", help="Its secret key. Default: MAINSPRING_SECRET_KEY.")
@click.option("--processes", type=int, help="Child processes. Default: 1.")
@click.option("--slots", type=int, help="Runs at once in one process. Default: 100.")
@click.option("--drain", "drain_s", type=float, help="Seconds to finish at a stop. Default: 30.")
@click.option("--reload", is_flag=True, help="Replace the processes when a file changes.")
@click.option("--version", default="", help="The version of this code, such as that of an image.")
def command(
    *,
    url: str | None,
    key: str | None,
    processes: int | None,
    slots: int | None,
    drain_s: float | None,
    reload: bool,
    version: str,
) -> None:
    """Run the tasks of this folder for a server.

    On SIGTERM it takes nothing new and lets runs finish; a second signal ends it at once, and its
    runs start again elsewhere. While the server is away it tries again. Where a version is
    promoted, new runs go to workers of that --version only.
    """
    flags = {"worker.processes": processes, "worker.slots": slots, "worker.drain_s": drain_s}
    settings = load(Path.cwd(), os.environ, flags).settings
    asyncio.run(_work(settings, find_server(url, key), reload, version))


async def _work(settings: Settings, server: ClientSettings, reload: bool, version: str) -> None:
    config = child_config(settings, server.url, server.key or "", Path.cwd(), version)
    workers = Workers(config, settings.worker.processes, Teller(), reload=reload)
    click.echo(f"Mainspring worker for {server.url}", err=True)
    with stop_signals(workers.kill) as stop:
        await workers.run(stop)
    click.echo("Stopped.", err=True)
