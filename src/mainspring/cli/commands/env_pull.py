"""`mainspring env pull`: write the variables into a file of the developer."""

from __future__ import annotations

import os

import click

from mainspring.cli.connection import Talk, talking
from mainspring.settings import dotenv
from mainspring.wire.calls import ListVariables


@click.command("pull")
@click.argument("file", default=".env")
@click.option("--force", is_flag=True, help="Replace the file if there is one.")
@talking
async def command(talk: Talk, file: str, *, force: bool) -> None:
    """Write the variables to a file, .env unless another one is named; - is standard output.

    Secrets are left out and named in comments: their values do not leave the server.
    """
    answer = await talk.ask(ListVariables())
    shown = {found.name: found.value for found in answer.variables if not found.is_secret}
    secret = [found.name for found in answer.variables if found.is_secret]
    text = dotenv.write(shown) + "".join(f"# {name} is a secret\n" for name in secret)
    if file == "-":
        click.echo(text, nl=False)
        return
    _write(file, text, force=force)
    talk.out.note(f"Variables in {file}: {len(shown)}; secrets left out: {len(secret)}.")


def _write(file: str, text: str, *, force: bool) -> None:
    try:
        kind = os.O_TRUNC if force else os.O_EXCL
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | kind, 0o600)
    except FileExistsError as error:
        told = f"{file} exists; give --force to replace it, or another name."
        raise click.UsageError(told) from error
    with open(descriptor, "w", encoding="utf-8") as written:
        written.write(text)
