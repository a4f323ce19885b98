"""From a database's URL or path to a store and its object directory. The only chooser."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from mainspring.errors import ConfigurationError
from mainspring.store import migrations
from mainspring.store.dialect import POSTGRES, SQLITE
from mainspring.store.migrations import Applied, Migration, Phase
from mainspring.store.objects import DirectoryObjects, Objects
from mainspring.store.protocol import Store

FOLDER: Final = Path(".mainspring")
"""Where everything lives that a project keeps on this machine."""
MEMORY: Final = ":memory:"
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]+://")
_DIALECTS: Final = {"sqlite": SQLITE, "postgres": POSTGRES}
_POSTGRES: Final = ("postgresql", "postgres")


@dataclass(frozen=True)
class Location:
    """A database: `kind` is sqlite or postgres, `target` a path, `:memory:` or a URL, and `shown`
    the same without a password.
    """

    kind: str
    target: str
    shown: str

    @property
    def on_disk(self) -> bool:
        """Whether it is a file of this machine."""
        return self.kind == "sqlite" and self.target != MEMORY

    @property
    def is_missing(self) -> bool:
        """Whether it is a file that does not exist yet."""
        return self.on_disk and not Path(self.target).exists()

    @property
    def folder(self) -> Path:
        """Where files beside the database go: its own folder, else `.mainspring`."""
        return Path(self.target).parent if self.on_disk else FOLDER


def locate(text: str) -> Location:
    """Read `sqlite:///path`, a path, `:memory:` or `postgresql://…`.

    `sqlite:///jobs.db` is relative and `sqlite:////var/jobs.db` absolute, as elsewhere in Python.
    Raises: ConfigurationError for other URLs.
    """
    found = _SCHEME.match(text)
    if text in ("sqlite://", f"sqlite:///{MEMORY}", MEMORY):
        return Location("sqlite", MEMORY, MEMORY)
    if text.startswith("sqlite:///") and len(text) > len("sqlite:///"):
        path = unquote(text.removeprefix("sqlite:///"))
        return Location("sqlite", path, path)
    if not found and text and not text.endswith("/"):
        return Location("sqlite", text, text)
    if found and urlsplit(text).scheme in _POSTGRES:
        return Location("postgres", text, _without_password(text))
    raise ConfigurationError(
        f"{_without_password(text)!r} is not a database: expected a path, sqlite:///jobs.db, "
        ":memory: or postgresql://user@host/name. It comes from --database or "
        "MAINSPRING_DATABASE_URL."
    )


def store_at(place: Location, *, owner: bool = True) -> Store:
    """The store there, not yet open. `owner=False` leaves a SQLite file to the process that owns
    it.

    Raises: ConfigurationError when the driver for PostgreSQL is not installed.
    """
    return _store(place, owner=owner)  # type: ignore[no-any-return]


def objects_of(store: Store, place: Location) -> Objects:
    """Where large texts of the store go: files in `objects` beside a SQLite file; else rows, since
    the servers of one PostgreSQL share no directory.
    """
    return DirectoryObjects(place.folder / "objects") if place.on_disk else store.objects


async def migrate(place: Location, phase: Phase = "all") -> list[str]:
    """Bring the schema up to date and answer the names of the steps that were taken.

    Raises: StoreUnavailable, StoreInUse, SchemaMismatch.
    """
    if place.on_disk:
        make_folder(place.folder)
    store = _store(place, owner=True)
    names: list[str] = await store.migrate(phase)
    return names


async def distribute(place: Location, parts: int, *, apply: bool) -> list[str]:
    """What spreads run data over a Citus cluster, as SQL in order; with `apply` it is done. Nothing
    when all of it is spread already.

    Raises: ConfigurationError for SQLite and without Citus, SchemaMismatch, StoreUnavailable.
    """
    if place.kind != "postgres":
        raise ConfigurationError(
            f"{place.shown} is a SQLite database, which is one file. Run data is distributed over "
            "the nodes of PostgreSQL with Citus: give its postgresql://… URL as --database."
        )
    statements: list[str] = await _store(place, owner=True).database.distribute(parts, apply=apply)
    return statements


async def schema(place: Location) -> list[Applied]:
    """The steps that the schema has had; none when there is no file yet.

    Raises: StoreUnavailable.
    """
    if place.is_missing:
        return []
    store = _store(place, owner=False)
    applied: list[Applied] = await store.schema()
    return applied


def make_folder(folder: Path) -> None:
    """Make the folder, readable by its owner only; `.mainspring` also hides itself from git.

    Raises: ConfigurationError.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.name == FOLDER.name and not (folder / ".gitignore").exists():
            (folder / ".gitignore").write_text("*\n")
    except OSError as error:
        raise ConfigurationError(
            f"The folder {folder} cannot be made: {error}. Start in a folder of your own."
        ) from error


def steps(place: Location) -> list[Migration]:
    """Every step that this release knows for that kind of database, in order."""
    return migrations.known(_DIALECTS[place.kind])


def script(place: Location, applied: Sequence[Applied], phase: Phase = "all") -> str:
    """The steps that are missing, as one SQL script for people who apply it by hand.

    Raises: SchemaMismatch when the database is newer than this release.
    """
    return migrations.script(_DIALECTS[place.kind], applied, phase)


def _store(place: Location, *, owner: bool) -> Any:
    # by name, so that a SQLite process neither needs nor loads the other driver
    if place.kind == "sqlite":
        return importlib.import_module("mainspring.store.sqlite").SqliteStore(
            place.target, owner=owner
        )
    try:
        return importlib.import_module("mainspring.store.postgres").PostgresStore(place.target)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("mainspring"):
            raise
        raise ConfigurationError(
            "PostgreSQL needs a driver that is not installed. Run: pip install "
            "'mainspring[postgres]'"
        ) from error


def _without_password(text: str) -> str:
    return re.sub(r"(?<=://)([^:/@]*):[^@/]*@", r"\1:…@", text)
