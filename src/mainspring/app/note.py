"""`.mainspring/dev.json`: where the dev server of a folder is, and its key. Only files."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from mainspring.errors import ConfigurationError


class DevNote(msgspec.Struct):
    """What commands in the folder read; `sdk.settings` reads url and key."""

    url: str
    key: str
    pid: int


def write(path: Path, note: DevNote) -> None:
    """Replace the note in one step; only its owner may read it.

    Raises: ConfigurationError when the folder cannot be written.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(note) + b"\n")
        part.replace(path)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error}. Start in a folder of your own."
        ) from error


def read(path: Path) -> DevNote | None:
    """The note, or None when there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=DevNote)
    except (OSError, msgspec.MsgspecError):
        return None
