"""Files that are whole or absent, whatever crashes."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def make_once(path: Path, text: str) -> None:
    """Make a file that only its owner can read, durably. One that another process has made
    meanwhile stays. Raises: OSError.
    """
    made = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(made, path)
    made.unlink()
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Let the names in a folder outlast a crash: those that came, and those that went."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
