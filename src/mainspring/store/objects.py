"""Where payloads and outputs over 64 KiB live, and uploads: the port, and a directory behind it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
from collections.abc import AsyncIterator
from io import BufferedWriter
from itertools import count
from pathlib import Path
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from mainspring.errors import NotFound
from mainspring.files import sync_folder

UPLOADS: Final = "uploads"
_REFERENCE: Final = re.compile(r"[0-9a-f]{64}")


class Upload(Struct):
    """What a client has put under a path; `type` is the content type that it named."""

    type: str
    text: str


class Objects(Protocol):
    """Immutable text by reference, and uploads by path."""

    async def put(self, text: str) -> str:
        """Store the text durably and return its reference; equal texts share one."""
        ...

    async def get(self, ref: str) -> str:
        """The text. Raises: NotFound when the object is gone."""
        ...

    async def drop(self, ref: str) -> None:
        """Delete the text, if it is there. Only for one that nobody else can have put."""
        ...

    async def keep(
        self, place: tuple[int, int], path: str, type_: str, parts: AsyncIterator[str], now: int
    ) -> None:
        """Store an upload of `place` (shard, environment), in place of an earlier one under that
        path. It is there as a whole or not at all; what `parts` raises is passed on.
        """
        ...

    async def kept(self, place: tuple[int, int], path: str) -> Upload | None:
        """The upload under that path."""
        ...

    async def sweep(self, before: int) -> None:
        """Remove the uploads that are older (epoch ms)."""
        ...


def is_reference(text: str) -> bool:
    """Whether the text has the form that `put` gives; any other one is no reference."""
    return _REFERENCE.fullmatch(text) is not None


class _Head(Struct):
    """The first line of an upload's file."""

    type: str


class DirectoryObjects:
    """Content-addressed files in one directory; a file is whole or absent after any crash."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._numbers = count()

    async def put(self, text: str) -> str:
        return await asyncio.to_thread(self._put_blocking, text.encode())

    async def get(self, ref: str) -> str:
        return await asyncio.to_thread(self._get_blocking, ref)

    async def drop(self, ref: str) -> None:
        if is_reference(ref):
            await asyncio.to_thread((self._root / ref[:2] / ref).unlink, missing_ok=True)

    async def keep(
        self, place: tuple[int, int], path: str, type_: str, parts: AsyncIterator[str], now: int
    ) -> None:
        whole = self._upload(place, path)
        await asyncio.to_thread(whole.parent.mkdir, parents=True, exist_ok=True)
        part = self._part(whole)
        with part.open("wb") as file:
            try:
                file.write(msgspec.json.encode(_Head(type_)) + b"\n")
                async for text in parts:
                    await asyncio.to_thread(file.write, text.encode())
                await asyncio.to_thread(_finish, file, part, whole, now)
            except BaseException:
                part.unlink(missing_ok=True)
                raise

    async def kept(self, place: tuple[int, int], path: str) -> Upload | None:
        try:
            data = await asyncio.to_thread(self._upload(place, path).read_bytes)
        except FileNotFoundError:
            return None
        head, _, text = data.partition(b"\n")
        return Upload(msgspec.json.decode(head, type=_Head).type, text.decode())

    async def sweep(self, before: int) -> None:
        await asyncio.to_thread(self._sweep_blocking, before / 1000)

    def _upload(self, place: tuple[int, int], path: str) -> Path:
        name = hashlib.sha256(path.encode()).hexdigest()
        return self._root / UPLOADS / str(place[1]) / name

    def _part(self, whole: Path) -> Path:
        """A name for a file that is being written; two of equal content are two."""
        return whole.with_name(f"{whole.name}.{os.getpid()}-{next(self._numbers)}.part")

    def _sweep_blocking(self, before_s: float) -> None:
        for file in (self._root / UPLOADS).glob("*/*"):
            with contextlib.suppress(FileNotFoundError):
                if file.stat().st_mtime < before_s:
                    file.unlink()

    def _put_blocking(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        path = self._root / name[:2] / name
        if path.exists():
            return name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = self._part(path)
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)
        return name

    def _get_blocking(self, ref: str) -> str:
        if not is_reference(ref):
            raise NotFound(f"object {ref[:80]!r} is none: a reference has 64 hexadecimal digits.")
        try:
            return (self._root / ref[:2] / ref).read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise NotFound(f"object {ref} is gone from {self._root}; it was removed.") from error


def _finish(file: BufferedWriter, part: Path, whole: Path, now: int) -> None:
    """Let an upload be there, dated by the server's clock."""
    file.flush()
    os.fsync(file.fileno())
    os.utime(file.fileno(), ns=(now * 1_000_000, now * 1_000_000))
    part.replace(whole)
    sync_folder(whole.parent)
