"""Where payloads and outputs over 64 KiB live, and uploads: the port, and a directory behind it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import time
from collections.abc import AsyncIterator, Sequence
from io import BufferedWriter
from itertools import count
from pathlib import Path
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from mainspring.errors import NotFound
from mainspring.files import sync_folder

Held = tuple[int, int]
"""(shard, epoch): who moves or deletes what others may use does so while it holds that shard."""

UPLOADS: Final = "uploads"
_ASIDE: Final = ".aside"
"""Behind the name of a file that is aside."""
_ABANDONED_S: Final = 24 * 3600
"""The age at which nobody writes to the part of a file any more."""
_REFERENCE: Final = re.compile(r"[0-9a-f]{64}")


class Upload(Struct):
    """What a client has put under a path; `type` is the content type that it named."""

    type: str
    text: str


class Stored(Struct):
    """An object as a page lists it. `aside_at`: when it was laid aside, None = it was not."""

    name: str
    ref: str
    aside_at: int | None


class Objects(Protocol):
    """Immutable text by reference, and uploads by path.

    An object that nobody seems to need is laid aside before it is deleted. There it is still read,
    but a text that is put is a new object beside it. So whoever has put a text, or seen a row that
    refers to it, has as long to write a row of their own as it stays there: see `engine.unused`.
    """

    async def put(self, text: str) -> str:
        """Store the text durably and return its reference; equal texts share one. A row is to
        refer to it soon; one that none refers to for long is deleted.
        """
        ...

    async def get(self, ref: str) -> str:
        """The text, also of what is aside. Raises: NotFound when the object is gone."""
        ...

    async def page(self, after: str, most: int) -> list[Stored]:
        """Objects after that name in an order of their own, both of a reference that is in its
        place and aside. "" is before the first.
        """
        ...

    async def lay_aside(self, refs: Sequence[str], now: int, held: Held) -> None:
        """Lay these aside, in place of older ones that are. Raises: FencedOut."""
        ...

    async def take_back(self, refs: Sequence[str], held: Held) -> None:
        """Put what is aside of these back into its place. Raises: FencedOut."""
        ...

    async def expire(self, refs: Sequence[str], before: int, held: Held) -> None:
        """Delete what was laid aside of these then or earlier. Raises: FencedOut."""
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
            for path in self._places(ref):
                await asyncio.to_thread(path.unlink, missing_ok=True)

    async def page(self, after: str, most: int) -> list[Stored]:
        return await asyncio.to_thread(self._page_blocking, after, most)

    async def lay_aside(self, refs: Sequence[str], now: int, held: Held) -> None:
        await asyncio.to_thread(self._lay_aside_blocking, refs, now)

    async def take_back(self, refs: Sequence[str], held: Held) -> None:
        await asyncio.to_thread(self._take_back_blocking, refs)

    async def expire(self, refs: Sequence[str], before: int, held: Held) -> None:
        await asyncio.to_thread(self._expire_blocking, refs, before)

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
        whole, aside = self._places(ref)
        for path in (whole, aside, whole):  # it may have been put back between the first two
            with contextlib.suppress(FileNotFoundError):
                return path.read_text(encoding="utf-8")
        raise NotFound(f"object {ref} is gone from {self._root}; it was removed.")

    def _places(self, ref: str) -> tuple[Path, Path]:
        """Where the object is, and where it is when it is aside."""
        folder = self._root / ref[:2]
        return folder / ref, folder / f"{ref}{_ASIDE}"

    def _page_blocking(self, after: str, most: int) -> list[Stored]:
        found: list[Stored] = []
        for folder in sorted(self._root.glob("[0-9a-f][0-9a-f]")):
            if folder.name < after[:2]:
                continue
            for name in sorted(os.listdir(folder)):
                ref = name.removesuffix(_ASIDE)
                if not is_reference(ref):
                    _drop_abandoned(folder / name)
                elif name > after:
                    with contextlib.suppress(FileNotFoundError):
                        at = (folder / name).stat().st_mtime_ns // 1_000_000
                        found.append(Stored(name, ref, None if name == ref else at))
                if len(found) == most:
                    return found
        return found

    def _lay_aside_blocking(self, refs: Sequence[str], now: int) -> None:
        for ref in refs:
            whole, aside = self._places(ref)
            with contextlib.suppress(FileNotFoundError):
                # dated first: broken off between the two, it must not have been aside for long
                os.utime(whole, ns=(now * 1_000_000, now * 1_000_000))
                whole.replace(aside)

    def _take_back_blocking(self, refs: Sequence[str]) -> None:
        for ref in refs:
            whole, aside = self._places(ref)
            with contextlib.suppress(FileNotFoundError):
                aside.replace(whole)

    def _expire_blocking(self, refs: Sequence[str], before: int) -> None:
        for ref in refs:
            aside = self._places(ref)[1]
            with contextlib.suppress(FileNotFoundError):
                if aside.stat().st_mtime_ns // 1_000_000 <= before:
                    aside.unlink()


def _drop_abandoned(part: Path) -> None:
    """Remove what a process that died had begun to write."""
    with contextlib.suppress(FileNotFoundError):
        if part.suffix == ".part" and time.time() - part.stat().st_mtime > _ABANDONED_S:
            part.unlink()


def _finish(file: BufferedWriter, part: Path, whole: Path, now: int) -> None:
    """Let an upload be there, dated by the server's clock."""
    file.flush()
    os.fsync(file.fileno())
    os.utime(file.fileno(), ns=(now * 1_000_000, now * 1_000_000))
    part.replace(whole)
    sync_folder(whole.parent)
