"""`mainspring dev`: everything for one person, on one port."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import click

from mainspring import __version__
from mainspring.app.dev import NOTE, Dev, develop
from mainspring.app.stopping import stop_signals
from mainspring.cli.telling import Teller
from mainspring.server.serve import runner as serving
from mainspring.settings import Loaded, load
from mainspring.worker.supervise import News

_DRAIN_S: Final = 5.0


@click.command("dev")
@click.option("--host", help="Address to listen on. Default: 127.0.0.1, this machine only.")
@click.option("--port", type=int, help="Default: 7420; 0 takes a free one.")
@click.option("--database", metavar="URL", help="Default: .mainspring/state.db.")
@click.option("--processes", type=int, help="Child processes for tasks. Default: 1.")
@click.option("--no-reload", is_flag=True, help="Keep the code that was loaded first.")
def command(
    *,
    host: str | None,
    port: int | None,
    database: str | None,
    processes: int | None,
    no_reload: bool,
) -> None:
    """Run everything here: server, workers, SQLite, reload on change.

    Tasks are found in this folder and below. Other commands in the folder find the server by
    themselves. A task file that cannot be imported is shown and tried again when it changes.
    Ctrl-C lets runs finish for 5 s; a second one ends at once.
    """
    flags = {
        "server.host": host,
        "server.port": port,
        "database": database,
        "worker.processes": processes,
    }
    with serving() as runner:
        runner.run(_develop(_loaded(flags), reload=not no_reload))


async def _develop(loaded: Loaded, *, reload: bool) -> None:
    teller = Teller()
    said = False

    def news(news: News) -> None:
        nonlocal said
        teller(news)
        if news.kind == "connected" and not said:
            said = True
            _ready(teller)

    kill: list[Callable[[], None]] = []
    with stop_signals(lambda: [end() for end in kill]) as stop:
        async with develop(loaded.settings, Path.cwd(), news, reload=reload) as dev:
            kill.append(dev.workers.kill)
            _banner(dev)
            await dev.run(stop)
    click.echo("Stopped.", err=True)


def _loaded(flags: Mapping[str, Any]) -> Loaded:
    """The settings, with a short time to drain unless somebody set another one."""
    loaded = load(Path.cwd(), os.environ, flags)
    if loaded.origins["worker.drain_s"].kind != "default":
        return loaded
    return load(Path.cwd(), os.environ, {**flags, "worker.drain_s": _DRAIN_S})


def _banner(dev: Dev) -> None:
    click.echo(f"Mainspring {__version__} at {dev.url}")
    click.echo(f"  key       {dev.key}  (also in {NOTE})")
    click.echo(f"  database  {dev.place.shown}")


def _ready(teller: Teller) -> None:
    if teller.tasks:
        first = teller.tasks[0]
        click.echo(f"Ready. In a second terminal: mainspring tasks trigger {first} --wait")
    else:
        click.echo(f"Ready, but there is no task in {Path.cwd()}. Write one: mainspring init")
