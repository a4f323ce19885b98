"""What differs between the two databases' SQL, as a few fragments. No statements here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

Name = Literal["sqlite", "postgres", "citus"]
Columns = Sequence[tuple[str, str]]
"""(name, type) of declared columns; the types are text, bigint and double."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one database writes what the other writes differently.

    `rows` gives the FROM item of a batch whose columns are the parameters from `first` on,
    `parameter` a scalar; `position` counts parameters from 1, the columns before the scalars.
    `probe` and `maybe` join a table that is looked up by index once for each row so far, never
    walked; `among` is the WHERE of a shard's rows whose columns are those of the batch.
    """

    name: Name
    fragments: dict[str, str]
    rows: Callable[[Columns, int], str]
    parameter: Callable[[str, str, int], str]
    probe: Callable[[str, str, str], str]
    maybe: Callable[[str, str, str], str]
    among: Callable[[str, list[str], str], str]


def _sqlite_rows(columns: Columns, _first: int) -> str:
    # jsonb_each hands out each row already parsed; json_each would have it parsed again per column
    picked = ", ".join(f"value->>{at} AS {name}" for at, (name, _type) in enumerate(columns))
    return f"(SELECT {picked} FROM jsonb_each(:rows)) AS r"


def _postgres_rows(columns: Columns, first: int) -> str:
    arrays = ", ".join(  # literals, made by `store.arrays`
        f"CAST(CAST(${at} AS text) AS {_POSTGRES[type_]}[])"
        for at, (_name, type_) in enumerate(columns, first)
    )
    return f"unnest({arrays}) AS r({', '.join(name for name, _type in columns)})"


def _sqlite_parameter(name: str, _type: str, _position: int) -> str:
    return f":{name}"


def _postgres_parameter(_name: str, type_: str, position: int) -> str:
    return f"CAST(${position} AS {_POSTGRES[type_]})"


def _sqlite_probe(table: str, alias: str, condition: str) -> str:
    return f"CROSS JOIN {table} {alias} ON {condition}"  # CROSS JOIN keeps the order of the text


def _postgres_probe(table: str, alias: str, condition: str) -> str:
    # A plain join starts at the wrong end when statistics call the table empty, and they often do:
    # live tables are vacuumed between two bursts. OFFSET 0 leaves the planner no choice.
    return f"CROSS JOIN LATERAL ({_fenced(table, alias, condition)}) {alias}"


def _sqlite_maybe(table: str, alias: str, condition: str) -> str:
    return f"LEFT JOIN {table} {alias} ON {condition}"


def _postgres_maybe(table: str, alias: str, condition: str) -> str:
    return f"LEFT JOIN LATERAL ({_fenced(table, alias, condition)}) {alias} ON true"


def _fenced(table: str, alias: str, condition: str) -> str:
    return f"SELECT {alias}.ctid, {alias}.* FROM {table} {alias} WHERE {condition} OFFSET 0"


def _sqlite_among(_table: str, columns: list[str], rows: str) -> str:
    wanted = ", ".join(f"r.{column}" for column in columns)
    return f"shard_id = :shard AND ({', '.join(columns)}) IN (SELECT {wanted} FROM {rows})"


def _postgres_among(table: str, columns: list[str], rows: str) -> str:
    equal = " AND ".join(f"t.{column} = r.{column}" for column in columns)
    probe = _postgres_probe(table, "t", f"t.shard_id = :shard AND {equal}")
    return f"ctid = ANY (ARRAY(SELECT t.ctid FROM {rows} {probe}))"


def _citus_among(table: str, columns: list[str], rows: str) -> str:
    # The shard says to which node this goes. Beside it, an index would lead a planner that thinks
    # the table empty to walk the shard; the place of a row is cheaper than that for one row only,
    # so it is told, by a test that is always true and thought to be rare, that there is one.
    equal = " AND ".join(f"t.{column} = r.{column}" for column in columns)
    probe = _postgres_probe(table, "t", f"t.shard_id = :shard AND {equal}")
    rare = f"CAST(r.{columns[0]} AS text) || '' = CAST(r.{columns[0]} AS text)"
    return f"shard_id = :shard AND ctid IN (SELECT t.ctid FROM {rows} {probe} WHERE {rare})"


_POSTGRES: Final = {"text": "text", "bigint": "bigint", "double": "double precision"}

SQLITE: Final = Dialect(
    name="sqlite",
    fragments={
        "text": "TEXT",
        "bigint": "INTEGER",
        "double": "REAL",
        "end": " STRICT",
        "end_keyed": " STRICT, WITHOUT ROWID",
        "end_live": " STRICT, WITHOUT ROWID",
        "end_hot": " STRICT, WITHOUT ROWID",
        "now": "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
        "for_update": "",
        "greatest": "max",
        "json_array": "json_array",
        "json_group": "json_group_array",
    },
    rows=_sqlite_rows,
    parameter=_sqlite_parameter,
    probe=_sqlite_probe,
    maybe=_sqlite_maybe,
    among=_sqlite_among,
)

# Live tables are emptied as fast as they fill: vacuum often, by a count and not by a share of the
# table, and never sleep in it. Rows that are updated in place keep half of each page free (HOT).
_VACUUM: Final = (
    "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, "
    "autovacuum_vacuum_insert_scale_factor = 0.2, autovacuum_vacuum_cost_delay = 0"
)

POSTGRES: Final = Dialect(
    name="postgres",
    fragments={
        "text": 'text COLLATE "C"',
        "bigint": "bigint",
        "double": "double precision",
        "end": "",
        "end_keyed": "",
        "end_live": f" WITH ({_VACUUM})",
        "end_hot": f" WITH (fillfactor = 50, {_VACUUM})",
        "now": "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)",
        "for_update": "FOR UPDATE",
        "greatest": "greatest",
        "json_array": "json_build_array",
        "json_group": "json_agg",
    },
    rows=_postgres_rows,
    parameter=_postgres_parameter,
    probe=_postgres_probe,
    maybe=_postgres_maybe,
    among=_postgres_among,
)

CITUS: Final = replace(POSTGRES, name="citus", among=_citus_among)
"""PostgreSQL with run data distributed over nodes: statements say at the outside, too, which shard
they are about. It serves a database of one node as well, only slower.
"""
