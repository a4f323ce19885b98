"""Schema migrations as values: which exist, which are pending, what they say. No connection."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from msgspec import Struct

from mainspring.errors import SchemaMismatch
from mainspring.store.dialect import POSTGRES, Dialect
from mainspring.store.statements import ROOT, expanded

Phase = Literal["pre", "post", "all"]
_NAME: Final = re.compile(r"(\d{4})_(pre|post)_\w+\.sql")
_PRE: Final = "_pre_"
_ONLY: Final = re.compile(r"^-- only: (\w+)\n", re.MULTILINE)

TABLE: Final = """CREATE TABLE IF NOT EXISTS schema_version (
  number {bigint} NOT NULL PRIMARY KEY,
  name {text} NOT NULL,
  checksum {text} NOT NULL,
  applied_at {bigint} NOT NULL
){end}"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step forward. `pre` runs before the code of its release, and only adds what the release
    before does not notice; `post` after the last server of the release before is gone.
    """

    number: int
    phase: str
    name: str
    checksum: str
    sql: str


class Applied(Struct, array_like=True):
    """A row of `schema_version`."""

    number: int
    name: str
    checksum: str
    applied_at: int


@cache
def _texts() -> tuple[tuple[str, str], ...]:
    folder = ROOT / "migrations"
    found = sorted(file.name for file in folder.iterdir() if _NAME.fullmatch(file.name))
    return tuple((name, (folder / name).read_text(encoding="utf-8")) for name in found)


def known(dialect: Dialect) -> list[Migration]:
    """Every migration of this release in the words of that database, in order."""
    return [_migration(name, text, dialect) for name, text in _texts()]


def _migration(name: str, text: str, dialect: Dialect) -> Migration:
    number, phase = _parts(name)
    kept, parts = [], _ONLY.split(f"-- only: both\n{text}")
    for who, body in zip(parts[1::2], parts[2::2], strict=True):
        if who in {"both", dialect.name}:
            kept.append(body)
    checksum = hashlib.sha256(text.encode()).hexdigest()
    return Migration(
        number, phase, name.removesuffix(".sql"), checksum, expanded("".join(kept), dialect)
    )


def _parts(name: str) -> tuple[int, str]:
    match = _NAME.fullmatch(name)
    assert match is not None, f"{name}: a migration is named 0001_pre_words.sql"
    return int(match[1]), match[2]


def pending(
    migrations: Sequence[Migration], applied: Sequence[Applied], phase: Phase = "all"
) -> list[Migration]:
    """What is still to be applied. Steps `pre` of later releases are of no matter: servers of the
    release before go on beside them, and start again.

    Raises:
        SchemaMismatch: a later release has finished its upgrade, or the text was another one.
    """
    had = {row.number: row for row in applied}
    by_number = {migration.number: migration for migration in migrations}
    for row in applied:
        mine = by_number.get(row.number)
        if mine is None and _PRE in row.name:
            continue
        if mine is None:
            raise SchemaMismatch(
                f"The database has migration {row.name}, which this release does not know (its "
                f"newest is {migrations[-1].name}). Upgrade mainspring to the release that made "
                "it, or use another database."
            )
        if mine.checksum != row.checksum:
            raise SchemaMismatch(
                f"Migration {row.name} was applied with another text (checksum "
                f"{row.checksum[:12]}, here {mine.checksum[:12]}). A released migration never "
                "changes: install the release that made this database, or use another database."
            )
    return [
        migration
        for migration in migrations
        if migration.number not in had and phase in ("all", migration.phase)
    ]


def check(migrations: Sequence[Migration], applied: Sequence[Applied]) -> None:
    """Raises: SchemaMismatch when the database is not ready for this release's code."""
    missing = pending(migrations, applied, "pre")
    if missing:
        names = ", ".join(migration.name for migration in missing)
        what = f"lacks {names}" if applied else "is empty"
        raise SchemaMismatch(
            f"The database {what}. Run `mainspring db migrate` once, then start again."
        )


def script(dialect: Dialect, applied: Sequence[Applied] = (), phase: Phase = "all") -> str:
    """The pending migrations as one SQL script, for people who apply it by hand."""
    todo = pending(known(dialect), applied, phase)
    body = "\n".join(
        [f"{expanded(TABLE, dialect)};"]
        + [f"-- {one.name}\n{one.sql.strip()}\n{record(one, dialect)};" for one in todo]
    )
    begin = "BEGIN;" if dialect is POSTGRES else "BEGIN IMMEDIATE;"
    return f"{begin}\n{body}\nCOMMIT;\n"


def record(migration: Migration, dialect: Dialect) -> str:
    """The statement that notes the migration as applied."""
    now = dialect.fragments["now"]
    return (
        "INSERT INTO schema_version (number, name, checksum, applied_at) VALUES "
        f"({migration.number}, '{migration.name}', '{migration.checksum}', {now})"
    )
