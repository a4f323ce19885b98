"""`mainspring config show`: what is set, and where."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from mainspring.cli import columns
from mainspring.cli.item import Columns
from mainspring.cli.output import Output
from mainspring.settings import Origin, load, place

_COLUMNS: Final[Columns] = {
    "SETTING": columns.text("setting"),
    "VALUE": lambda item: columns.short(msgspec.json.encode(item["value"]).decode()),
    "FROM": columns.text("from"),
}


@click.command("show")
@click.option("--set", "only_set", is_flag=True, help="Only what is not at its default.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines, as when piped.")
@click.option("-q", "--quiet", is_flag=True, help="Only the names of settings.")
def command(*, only_set: bool, as_json: bool, quiet: bool) -> None:
    """Show every setting with its value and where it comes from: a variable, a line of a file, or
    its default. Of secrets only that they are set, and no password of an address.
    """
    rows: list[dict[str, Any]] = [
        {"setting": name, "value": value, "from": _from(name, origin), "kind": origin.kind}
        for name, value, origin in load(Path.cwd(), os.environ).shown()
        if not only_set or origin.kind != "default"
    ]
    empty = "Everything is at its default; docs/reference/settings.md names what there is."
    Output(as_json, quiet).many(rows, _COLUMNS, ident="setting", empty=empty)


def _from(name: str, origin: Origin) -> str:
    return place(Path(origin.place), name) if origin.kind in ("user", "project") else origin.place
