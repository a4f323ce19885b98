"""The page of the command line, written from what click itself says. Part of `./dev docs`."""

from collections.abc import Iterator

import click

from mainspring.cli.catalog import CATALOG, children
from mainspring.cli.faults import EXIT_CODES
from mainspring.cli.main import root

WIDTH = 100


def cli_page(notice: str) -> str:
    """Every command with its help, and what holds for all of them."""
    rows = [
        notice,
        "",
        "# The command line",
        "",
        "On a terminal lists are tables. When piped, or with `--json`, each thing is one JSON",
        "line with the field names of the HTTP API; `-q` prints ids only. Progress and hints go to",
        "stderr, and only to a terminal. `NO_COLOR` turns colours off. The id of a recent run may",
        "be shortened to its beginning or its end.",
        "",
        "Commands that talk to a server use `--url` and `--key` or `--profile`, else",
        "`MAINSPRING_URL` and `MAINSPRING_SECRET_KEY` or `MAINSPRING_PROFILE`, else the project's",
        "file, else the `mainspring dev` that runs in this folder or one above, else the login in",
        "use. `mainspring login` keeps a server and its key in `profiles.json` in your folder of",
        "settings, which only you may read; the key goes to that server only. `mainspring whoami`",
        "says which server it is, and why.",
        "",
        "| Exit code | Means |",
        "|---|---|",
        *(f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()),
    ]
    for command in ("", *CATALOG):
        rows += ["", *_section(tuple(command.split()))]
    return "\n".join(rows) + "\n"


def _section(path: tuple[str, ...]) -> Iterator[str]:
    name = " ".join(("mainspring", *path))
    command: click.Command = root
    context = _context(root, None, "mainspring")
    for part in path:
        assert isinstance(command, click.Group)
        found = command.get_command(context, part)
        assert found is not None, f"{name} is in the catalog and nowhere else"
        command, context = found, _context(found, context, part)
    yield f"## {name}"
    yield ""
    if path and children(path):
        yield CATALOG[" ".join(path)]
        return
    yield "```text"
    yield command.get_help(context).rstrip()
    yield "```"


def _context(command: click.Command, parent: click.Context | None, name: str) -> click.Context:
    return click.Context(
        command,
        parent,
        info_name=name,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        help_option_names=["-h", "--help"],
    )
