"""The page of the archive's columns, written from them. Part of `./dev docs`."""

from mainspring.store.archived import TABLES, Type

TYPES: dict[Type, str] = {
    "text": "string",
    "json": "string (JSON)",
    "number": "int64",
    "time": "timestamp[ms, UTC]",
    "flag": "bool",
    "texts": "list of string",
}


def archive_page(notice: str) -> str:
    """Every table with its columns."""
    rows = [
        notice,
        "",
        "# Columns of the archive",
        "",
        "Each archive has one Parquet file a table: see",
        "[an archive of old runs](../guides/archive.md). Any column may be null where its meaning",
        "allows for it. Columns are only added to.",
    ]
    for table, columns in TABLES.items():
        rows += ["", f"## {table}", "", "| Column | Type | Meaning |", "|---|---|---|"]
        rows += [f"| `{one.name}` | {TYPES[one.type]} | {one.words} |" for one in columns]
    return "\n".join(rows) + "\n"
