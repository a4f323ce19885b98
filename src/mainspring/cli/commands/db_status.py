"""`mainspring db status`: which schema a database has."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import click

from mainspring.app import stores
from mainspring.app.stores import Location
from mainspring.cli.database import database_option
from mainspring.cli.item import Columns
from mainspring.cli.output import Output
from mainspring.wire.moments import iso

_COLUMNS: Final[Columns] = {
    "STEP": lambda item: str(item["name"]),
    "STATE": lambda item: "applied" if item["appliedAt"] else "pending",
    "AT": lambda item: str(item["appliedAt"] or ""),
}


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="JSON lines, as when piped.")
@click.option("-q", "--quiet", is_flag=True, help="Only the names of pending steps.")
@database_option
def command(place: Location, *, as_json: bool, quiet: bool) -> int:
    """Say which steps the schema has had and which are pending.

    The exit code is 0 when nothing is pending and 1 otherwise.
    """
    applied = asyncio.run(stores.schema(place))
    stores.script(place, applied)  # a database of a newer release is an error, not a status
    had = {row.number: row.applied_at for row in applied}
    items: list[dict[str, Any]] = [
        {
            "number": step.number,
            "name": step.name,
            "phase": step.phase,
            "appliedAt": iso(had[step.number]) if step.number in had else None,
        }
        for step in stores.steps(place)
    ]
    pending = [item for item in items if item["appliedAt"] is None]
    out = Output(as_json, quiet)
    out.many(pending if quiet else items, _COLUMNS, ident="name", empty="")
    if pending:
        out.note("Next: mainspring db migrate")
    return 1 if pending else 0
