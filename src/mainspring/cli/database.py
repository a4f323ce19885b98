"""The database that a command works on without a server: its option and its defaults."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, Final

import click

from mainspring.app.stores import FOLDER, Location, locate

VARIABLE: Final = "MAINSPRING_DATABASE_URL"
DEFAULT: Final = str(FOLDER / "state.db")


def found(option: str | None) -> Location:
    """The database of --database, else of the environment, else of this folder's `.mainspring`.

    Raises: ConfigurationError.
    """
    return locate(option or os.environ.get(VARIABLE) or DEFAULT)


def database_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option --database; it receives a `Location` named `place`."""

    @click.option(
        "--database",
        metavar="URL",
        help=f"Path or postgresql://… Environment: {VARIABLE}. Default: {DEFAULT}.",
    )
    @functools.wraps(function)
    def command(*args: Any, database: str | None, **rest: Any) -> Any:
        return function(*args, place=found(database), **rest)

    return command
