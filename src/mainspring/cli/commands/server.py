"""`mainspring server`: API and scheduler in one process, without workers."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import click

from mainspring.app.hosted import hosted
from mainspring.app.stopping import stop_signals
from mainspring.app.stores import locate
from mainspring.cli.database import DEFAULT
from mainspring.server.serve import runner as serving
from mainspring.settings import Settings, load


@click.command("server")
@click.option("--database", metavar="URL", help="Path or postgresql://… Default: in .mainspring.")
@click.option("--host", help="Address to listen on. Default: 127.0.0.1, this machine only.")
@click.option("--port", type=int, help="Default: 7420; 0 takes a free one.")
@click.option("--address", help="host:port for the other servers of a PostgreSQL database.")
@click.option("--environment", help="Of the key made at the first start. Default: prod.")
def command(
    *,
    database: str | None,
    host: str | None,
    port: int | None,
    address: str | None,
    environment: str | None,
) -> None:
    """Run the server: API and scheduler, on SQLite or PostgreSQL.

    Several servers on one PostgreSQL share the work and take over from each other. The key in
    MAINSPRING_SECRET_KEY is made valid; without it, a new database gets a key that is printed
    once. Workers connect with that key: mainspring worker --server URL.
    """
    flags = {
        "database": database,
        "server.host": host,
        "server.port": port,
        "server.address": address,
        "environment": environment,
    }
    settings = load(Path.cwd(), os.environ, flags).settings
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with serving() as runner:
        runner.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    place = locate(settings.database or DEFAULT)
    with stop_signals(lambda: None) as stop:
        async with hosted(
            place,
            settings.server,
            key=settings.secret_key,
            environment=settings.environment,
        ) as server:
            click.echo(f"Mainspring server at {server.url}, database {place.shown}")
            if server.new_key:
                click.echo(f"First key, shown only now: {server.new_key}")
                click.echo("Next: MAINSPRING_SECRET_KEY=<that key> mainspring worker")
            await stop.wait()
            click.echo("Stopping; a second signal ends it at once.", err=True)
