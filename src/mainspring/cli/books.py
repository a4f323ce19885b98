"""What the commands for keys and people work on: the database itself, on the server's machine."""

from __future__ import annotations

import asyncio
import functools
import getpass
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import click

from mainspring.app.peppers import pepper_of
from mainspring.app.stores import locate, store_at
from mainspring.cli.database import DEFAULT
from mainspring.cli.output import Output
from mainspring.clock import SystemClock
from mainspring.errors import ConfigurationError, NotFound
from mainspring.model.pepper import Pepper
from mainspring.server.keybook import KeyBook
from mainspring.server.peoplebook import PeopleBook
from mainspring.settings import load
from mainspring.store.protocol import EnvironmentRow, Store

Rest = ParamSpec("Rest")


@dataclass(frozen=True)
class Books:
    """An open database, and what is changed in it."""

    store: Store
    pepper: Pepper
    out: Output
    now: int

    @property
    def keys(self) -> KeyBook:
        """The keys."""
        return KeyBook(self.store.access, self.pepper, self.now, _who(), socket.gethostname())

    @property
    def people(self) -> PeopleBook:
        """The people."""
        return PeopleBook(self.store.access, self.pepper, self.now, _who(), socket.gethostname())

    async def environment(self, slug: str) -> EnvironmentRow:
        """The environment. Raises: NotFound with those that exist."""
        found = {env.slug: env for env in await self.store.catalog.environments()}
        if slug not in found:
            raise NotFound(
                f"There is no environment {slug!r}, only {', '.join(sorted(found)) or 'none'}. A "
                "server makes one when it starts with a key of it."
            )
        return found[slug]

    async def slugs(self) -> dict[int, str]:
        """The environments by number."""
        return {env.env_id: env.slug for env in await self.store.catalog.environments()}

    async def environment_of_key(self, key_id: str) -> EnvironmentRow:
        """Whose key that is. Raises: NotFound."""
        envs = {env.env_id: env for env in await self.store.catalog.environments()}
        for row in await self.store.access.keys(0):
            if row.key_id == key_id and row.env_id in envs:
                return envs[row.env_id]
        raise NotFound(f"There is no key {key_id[:80]!r}; `mainspring keys ls` lists all.")


def keeping(
    function: Callable[Concatenate[Books, Rest], Awaitable[int | None]],
) -> Callable[..., int | None]:
    """Give a command the database of the server, with the options --database, --json and -q."""

    @click.option(
        "--database", metavar="URL", help="Path or postgresql://… Default: in .mainspring."
    )
    @click.option("--json", "as_json", is_flag=True, help="JSON lines, as when piped.")
    @click.option("-q", "--quiet", is_flag=True, help="Only ids, or what was made.")
    @functools.wraps(function)
    def command(
        *args: Any, database: str | None, as_json: bool, quiet: bool, **rest: Any
    ) -> int | None:
        async def work() -> int | None:
            settings = load(Path.cwd(), os.environ, {"database": database}).settings
            place = locate(settings.database or DEFAULT)
            if place.is_missing:
                raise ConfigurationError(
                    f"There is no database {place.shown}. Keys and people are kept on the server's "
                    "machine: run this there, or name the database with --database."
                )
            store = store_at(place, owner=False)
            await store.open()
            try:
                pepper = await pepper_of(place, settings.server.pepper, store.access)
                books = Books(store, pepper, Output(as_json, quiet), SystemClock().now())
                return await function(books, *args, **rest)
            finally:
                await store.close()

        return asyncio.run(work())

    return command


def _who() -> str:
    """The account on this machine."""
    try:
        return f"account {getpass.getuser()}"
    except (OSError, KeyError):
        return "account unknown"
