"""Named SQL statements: read from `sql/*.sql`, put into one database's words. Nothing is run here.

A statement is a `-- name:` line, what it takes, a comment that says why it is shaped so, and one
SQL text for both databases:

    -- name: drop_active
    -- rows: run_id text, epoch bigint
    -- takes: shard bigint
    DELETE FROM active WHERE {among active: run_id, epoch};

`{rows}` is the whole batch as a FROM item named `r`, so that a commit of a thousand rows is one
statement. `{probe table alias ON condition}` looks a table up by index for each row so far,
`{maybe …}` the same as a left join. `{among table: columns}` is the WHERE of the rows whose columns
are in the batch. The same name in the folder of a dialect, such as `sql/sqlite/`, overrides; such a
text begins with a comment that says why.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

from mainspring.store.arrays import literals
from mainspring.store.dialect import CITUS, POSTGRES, SQLITE, Dialect

ROOT: Final = files("mainspring.store") / "sql"
COMPOSED: Final = 256
"""How many composed texts are kept."""
_FRAGMENT: Final = re.compile(r"\{(\w+)(?:\s+([^{}]+))?\}")
_JOIN: Final = re.compile(r"(\w+) (\w+)\s+ON\s+(.*)", re.DOTALL)
_SCALAR: Final = re.compile(r"(?<![:\w]):([a-z_]\w*)")
_HEADER: Final = re.compile(r"^-- (name|rows|takes): *(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement in the words of one database.

    `columns` are those of its batch, `parameters` its scalars in the order of the call.
    """

    name: str
    sql: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    parameters: tuple[str, ...]

    def arguments(self, rows: Sequence[Sequence[Any]], scalars: Mapping[str, Any]) -> list[Any]:
        """Positional arguments: an array literal for each column of the batch, then the scalars.

        Raises: CommitRejected for a value of another type than its column's.
        """
        batch: list[Any] = []
        if self.columns:
            columns = zip(*rows, strict=True) if rows else [()] * len(self.columns)
            batch = list(literals(columns, self.types))
        return batch + [scalars[name] for name in self.parameters]


class Statements:
    """The statements of one database, by name."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._texts = texts(dialect)
        self._compiled: dict[str, Statement] = {}
        self._composed: set[str] = set()

    def __getitem__(self, name: str) -> Statement:
        found = self._compiled.get(name)
        if found is None:
            found = self._compiled[name] = compiled(self._texts[name], self.dialect, name)
        return found

    def __contains__(self, name: str) -> bool:
        return name in self._texts

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def add(self, name: str, text: str) -> None:
        """Make a text that the program put together from fixed parts known by `name`, for a while:
        callers choose how many values a filter has, and shapes must not pile up.
        """
        if len(self._composed) == COMPOSED:
            for old in self._composed:
                del self._texts[old]
                self._compiled.pop(old, None)
            self._composed.clear()
        self._texts[name] = text
        self._composed.add(name)


@cache
def _shared(dialect: str) -> dict[str, str]:
    folder = ROOT / dialect
    return dict(_read(ROOT)) | (dict(_read(folder)) if folder.is_dir() else {})


def texts(dialect: Dialect) -> dict[str, str]:
    """Every statement's text by name, overrides applied, fragments not."""
    return dict(_shared(dialect.name))


def overrides() -> list[tuple[str, str, str]]:
    """(database, name, text) of each statement that one database has for itself."""
    return [
        (dialect.name, name, text)
        for dialect in (SQLITE, POSTGRES, CITUS)
        if (folder := ROOT / dialect.name).is_dir()
        for name, text in _read(folder)
    ]


def _read(folder: Traversable) -> Iterator[tuple[str, str]]:
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".sql"):
            for part in file.read_text(encoding="utf-8").split("-- name:")[1:]:
                name, _, body = part.partition("\n")
                yield name.strip(), body.strip()


def compiled(text: str, dialect: Dialect, name: str = "") -> Statement:
    """The text in the words of that database. Raises: KeyError for an undeclared parameter."""
    columns, scalars, body = parsed(text)
    order = {scalar: len(columns) + at for at, scalar in enumerate(scalars, 1)}
    sql = numbered(expanded(body, dialect, columns), dialect, scalars, order)
    names, types = tuple(name for name, _ in columns), tuple(type_ for _, type_ in columns)
    return Statement(name, sql, names, types, tuple(scalars))


def parsed(text: str) -> tuple[list[tuple[str, str]], dict[str, str], str]:
    """Columns of the batch, types of the scalars, and the SQL without its comments."""
    headers = dict(_HEADER.findall(text))
    body = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    return (
        _declared(headers.get("rows", "")),
        dict(_declared(headers.get("takes", ""))),
        body.strip().removesuffix(";"),
    )


def numbered(
    sql: str, dialect: Dialect, scalars: Mapping[str, str], order: Mapping[str, int]
) -> str:
    """The SQL with its scalars as parameters. Raises: KeyError for an undeclared one."""
    return _SCALAR.sub(
        lambda match: (
            match[0]
            if match[1] == "rows"
            else dialect.parameter(match[1], scalars[match[1]], order[match[1]])
        ),
        sql,
    )


def expanded(
    text: str, dialect: Dialect, columns: Sequence[tuple[str, str]] = (), first: int = 1
) -> str:
    """The text with its `{fragments}` filled in; the batch's parameters begin at `first`.

    Raises: KeyError for an unknown fragment.
    """

    def fill(match: re.Match[str]) -> str:
        word, rest = match[1], match[2] or ""
        if word == "rows":
            return dialect.rows(columns, first)
        if word == "among":
            table, _, wanted = rest.partition(":")
            return dialect.among(
                table, wanted.replace(",", " ").split(), dialect.rows(columns, first)
            )
        if word in {"probe", "maybe"}:
            join = _JOIN.fullmatch(rest)
            assert join is not None, f"expected `table alias ON condition`, found {rest!r}"
            make = dialect.probe if word == "probe" else dialect.maybe
            return make(join[1], join[2], join[3])
        return dialect.fragments[word]

    return _FRAGMENT.sub(fill, text)


def _declared(header: str) -> list[tuple[str, str]]:
    return [(name, type_) for name, type_ in (item.split() for item in header.split(",") if item)]
