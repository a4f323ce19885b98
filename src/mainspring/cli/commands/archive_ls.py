"""`mainspring archive ls`: what was written to the archive."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import click

from mainspring.app import stores
from mainspring.app.stores import Location
from mainspring.cli import columns
from mainspring.cli.database import database_option
from mainspring.cli.item import Columns
from mainspring.cli.output import Output
from mainspring.engine.archiving import name_of
from mainspring.errors import ConfigurationError
from mainspring.ids import time_of
from mainspring.store.archives import ArchiveRow
from mainspring.wire.moments import iso

_PAGE: Final = 1_000
_COLUMNS: Final[Columns] = {
    "NAME": columns.text("name"),
    "KIND": columns.text("kind"),
    "STATE": columns.text("state"),
    "FROM": columns.text("from"),
    "TO": columns.text("to"),
    "COUNT": columns.text("count"),
    "ROWS": columns.text("rows"),
    "BYTES": columns.text("bytes"),
}


@click.command("ls")
@click.option("--json", "as_json", is_flag=True, help="JSON lines, as when piped.")
@click.option("-q", "--quiet", is_flag=True, help="Only the names.")
@database_option
def command(place: Location, *, as_json: bool, quiet: bool) -> None:
    """List the archives of old runs and batches, with their files.

    Each name stands for one file in each folder of the archive, such as run/NAME.parquet. FROM and
    TO are when the oldest and the newest of what it holds were made. The state is writing, then
    written, and dropped once the database does not have it any more.
    """
    if place.is_missing:
        raise ConfigurationError(f"There is no database {place.shown}; name it with --database.")
    rows = asyncio.run(_read(place))
    items = sorted((_item(row) for row in rows), key=lambda item: str(item["name"]))
    Output(as_json, quiet).many(items, _COLUMNS, ident="name", empty="No archives.")


async def _read(place: Location) -> list[ArchiveRow]:
    store = stores.store_at(place, owner=False)
    await store.open()
    try:
        found: list[ArchiveRow] = []
        for shard_id, _, _ in await store.shards.owners():
            after = ""
            while page := await store.past.archives.page(shard_id, after, _PAGE):
                found += page
                after = page[-1].archive_id
        return found
    finally:
        await store.close()


def _item(row: ArchiveRow) -> dict[str, Any]:
    files = row.shown
    return {
        "name": name_of(row),
        "kind": row.kind,
        "state": row.state,
        "from": _when(row.first_id),
        "to": _when(row.last_id),
        "count": files[0].rows if files else 0,
        "rows": sum(file.rows for file in files),
        "bytes": sum(file.bytes for file in files),
        "place": row.place,
        "archivedAt": iso(row.created_at),
        "files": [
            {"name": file.name, "rows": file.rows, "bytes": file.bytes, "sha256": file.sha256}
            for file in files
        ],
    }


def _when(id_: str) -> str:
    return iso(time_of(id_))
