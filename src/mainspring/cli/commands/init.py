"""`mainspring init`: first files of a project and their test. Existing files are never touched."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from mainspring.cli.templates import ci
from mainspring.errors import ConfigurationError

TEMPLATES = ("plain", "fastapi", "django", "agent", "webhook")


@click.command("init")
@click.argument("folder", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--template",
    type=click.Choice(TEMPLATES),
    default=TEMPLATES[0],
    show_default=True,
    help="Tasks alone, inside FastAPI or Django, an agent, or an endpoint for webhooks.",
)
@click.option(
    "--ci",
    "host",
    type=click.Choice(tuple(ci.FILES)),
    help="Also the file of a pipeline that tests and deploys.",
)
def command(folder: Path, *, template: str, host: str | None) -> None:
    """Write first tasks and a test of them into FOLDER (default: here).

    A file that exists is kept as it is.
    """
    chosen = importlib.import_module(f"mainspring.cli.templates.{template}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in chosen.FILES.items():
            _write(folder / name, text)
        if host is not None:
            name, text = ci.FILES[host]
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            _write(folder / name, text)
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be written: {error}. Choose a folder of your own."
        ) from error
    step = "" if folder == Path() else f"cd {folder} && "
    click.echo(f"Next: {step}{chosen.NEXT}")
    click.echo("Then, in a second terminal:")
    click.echo(f"  {chosen.THEN}")


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        click.echo(f"kept   {path} (it exists)")
    else:
        click.echo(f"wrote  {path}")
