"""Where payloads and outputs over 64 KiB live: an object store port, and a directory behind it."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path
from typing import Protocol

from mainspring.errors import NotFound


class Objects(Protocol):
    """Immutable text by reference."""

    async def put(self, text: str) -> str:
        """Store the text durably and return its reference; equal texts share one."""
        ...

    async def get(self, ref: str) -> str:
        """The text. Raises: NotFound when the object is gone."""
        ...


class DirectoryObjects:
    """Content-addressed files in one directory; a file is whole or absent after any crash."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, text: str) -> str:
        return await asyncio.to_thread(self._put_blocking, text.encode())

    async def get(self, ref: str) -> str:
        return await asyncio.to_thread(self._get_blocking, ref)

    def _put_blocking(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        path = self._root / name[:2] / name
        if path.exists():
            return name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{name}.{os.getpid()}.part")
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return name

    def _get_blocking(self, ref: str) -> str:
        try:
            return (self._root / ref[:2] / ref).read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise NotFound(f"object {ref} is gone from {self._root}; it was removed.") from error


class MemoryObjects:
    """Objects in memory, for a database in memory."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    async def put(self, text: str) -> str:
        name = hashlib.sha256(text.encode()).hexdigest()
        self._texts[name] = text
        return name

    async def get(self, ref: str) -> str:
        if ref not in self._texts:
            raise NotFound(f"object {ref} is not in memory any more.")
        return self._texts[ref]
