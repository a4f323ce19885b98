"""The database that a command works on without a server: its option and its defaults."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from mainspring.app.stores import FOLDER, Location, locate
from mainspring.settings import load

DEFAULT: Final = str(FOLDER / "state.db")


def found(option: str | None) -> Location:
    """The database of --database, else of the settings, else of this folder's `.mainspring`.

    Raises: ConfigurationError.
    """
    settings = load(Path.cwd(), os.environ, {"database": option}).settings
    return locate(settings.database or DEFAULT)


def database_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option --database; it receives a `Location` named `place`."""

    @click.option(
        "--database",
        metavar="URL",
        help="Path or postgresql://… Default: in .mainspring.",
    )
    @functools.wraps(function)
    def command(*args: Any, database: str | None, **rest: Any) -> Any:
        return function(*args, place=found(database), **rest)

    return command
