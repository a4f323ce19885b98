"""Archives as Parquet files, in a folder or a bucket. The only module that knows pyarrow.

Files are written and looked at by one thread, so that a server that archives has the others free.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import pyarrow as pa
from pyarrow import fs, parquet

from mainspring.errors import ArchiveFailed, ConfigurationError
from mainspring.files import sync_folder
from mainspring.store.archived import FORMAT, TABLES, ArchiveFile
from mainspring.store.changes import Row

GROUP_BYTES: Final = 16 * 1024 * 1024
GROUP_ROWS: Final = 50_000
"""A row group ends at either; so much of a table is in memory."""
PIECE: Final = 1024 * 1024
SUFFIX: Final = ".parquet"
_PROBE: Final = "doctor"
_PASSWORD: Final = re.compile(r"(?<=://)[^@/?]*@")
_TYPES: Final = {
    "text": pa.string(),
    "json": pa.string(),
    "number": pa.int64(),
    "time": pa.timestamp("ms", tz="UTC"),
    "flag": pa.bool_(),
    "texts": pa.list_(pa.string()),
}
_SCHEMAS: Final = {
    table: pa.schema(
        [(column.name, _TYPES[column.type]) for column in columns],
        metadata={"mainspring.table": table, "mainspring.format": FORMAT},
    )
    for table, columns in TABLES.items()
}
R = TypeVar("R")


class Target(Protocol):
    """Where files go. Everything may raise OSError and pyarrow's own."""

    def scratch(self, name: str) -> Path:
        """Where a file is written before it is published; always the same for a name."""
        ...

    def publish(self, path: Path, name: str, sha256: str) -> None:
        """Let a written file be there, durably and as a whole, or raise."""
        ...

    def open(self, name: str) -> Any:
        """A file as pyarrow reads it. Raises: FileNotFoundError."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        ...

    def close(self) -> None:
        """Leave nothing of ours on this machine but archives."""
        ...


class ParquetDepot:
    """See `mainspring.store.archives.Depot`. `text` is a folder or the URL of a bucket.

    Raises: ConfigurationError for a URL of which pyarrow knows nothing.
    """

    def __init__(self, text: str) -> None:
        self._place = _PASSWORD.sub("…@", text).partition("?")[0]
        self._target: Target = _Bucket(text, self._place) if "://" in text else _Folder(Path(text))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mainspring-archive")

    @property
    def place(self) -> str:
        return self._place

    def close(self) -> None:
        """End after what is under way; returns at once."""
        self._thread.submit(self._target.close)
        self._thread.shutdown(wait=False)

    async def write(
        self, table: str, name: str, parts: AsyncIterator[Sequence[Row]]
    ) -> ArchiveFile | None:
        name = _path(table, name)
        sheet = _Sheet(self._target, name, table)
        try:
            async for rows in parts:
                if rows:
                    await self._do(lambda rows=rows: sheet.add(rows))  # type: ignore[misc]
            return await self._do(sheet.publish) if sheet.rows else None
        except BaseException:
            # behind what the thread is at, and not waited for: whoever stops us may be in a hurry
            self._thread.submit(sheet.discard)
            raise

    async def ids(self, table: str, name: str) -> list[str] | None:
        column = TABLES[table][0].name

        def read() -> list[str] | None:
            try:
                source = self._target.open(_path(table, name))
            except FileNotFoundError:
                return None
            with source:
                found: list[str] = parquet.read_table(source, columns=[column])[column].to_pylist()
            return found

        return await self._do(read)

    async def remove(self, table: str, name: str) -> None:
        def remove() -> None:
            self._target.scratch(_path(table, name)).unlink(missing_ok=True)
            self._target.remove(_path(table, name))

        await self._do(remove)

    async def check(self) -> None:
        def check() -> None:
            name = f"{_PROBE}-{os.getpid()}"
            path = self._target.scratch(name)
            try:
                path.write_bytes(b"mainspring")
                self._target.publish(path, name, _sha256(path))
            finally:
                path.unlink(missing_ok=True)
            self._target.remove(name)

        await self._do(check)

    async def _do(self, work: Callable[[], R]) -> R:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (OSError, pa.ArrowException) as error:
            raise ArchiveFailed(
                f"The archive at {self._place} failed: {error}. Nothing is deleted before it is "
                "written there; `mainspring doctor` tries the place."
            ) from error


class _Sheet:
    """One file on its way. Its methods run on the depot's thread."""

    def __init__(self, target: Target, name: str, table: str) -> None:
        self.rows = 0
        self._target = target
        self._name = name
        self._table = table
        self._schema = _SCHEMAS[table]
        self._path: Path | None = None
        self._writer: Any = None
        self._held: list[Any] = []

    def add(self, rows: Sequence[Row]) -> None:
        """Put rows behind the others."""
        if self._writer is None:
            self._path = self._target.scratch(self._name)
            self._writer = parquet.ParquetWriter(
                self._path, self._schema, compression="zstd", write_page_checksum=True
            )
        columns = zip(*rows, strict=True)
        arrays = [
            pa.array(column, field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        self._held.append(pa.Table.from_arrays(arrays, schema=self._schema))
        self.rows += len(rows)
        if (
            sum(held.nbytes for held in self._held) >= GROUP_BYTES
            or sum(held.num_rows for held in self._held) >= GROUP_ROWS
        ):
            self._flush()

    def publish(self) -> ArchiveFile:
        """End the file and let it be there."""
        assert self._path is not None
        self._flush()
        self._writer.close()
        found = parquet.read_metadata(self._path).num_rows
        if found != self.rows:
            raise OSError(f"{self._path} has {found} rows where {self.rows} were written")
        size, sha256 = self._path.stat().st_size, _sha256(self._path)
        self._target.publish(self._path, self._name, sha256)
        return ArchiveFile(self._table, self._name, self.rows, size, sha256)

    def discard(self) -> None:
        """Leave nothing of it, published or not."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._target.remove(self._name)

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(pa.concat_tables(self._held))
            self._held.clear()


class _Folder:
    """A directory; a file is whole or absent after any crash."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def scratch(self, name: str) -> Path:
        path = self._root / f"{name}.part"
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(exist_ok=True)
        return path

    def publish(self, path: Path, name: str, sha256: str) -> None:
        whole = self._root / name
        with path.open("rb") as file:
            os.fsync(file.fileno())
        path.replace(whole)
        for folder in {whole.parent, self._root, self._root.parent}:
            sync_folder(folder)

    def open(self, name: str) -> Any:
        return pa.OSFile(str(self._root / name))

    def remove(self, name: str) -> None:
        (self._root / name).unlink(missing_ok=True)

    def close(self) -> None:
        """There is nothing else."""


class _Bucket:
    """An object store as pyarrow reaches it: s3://, gs://, abfs://. Files are written on this
    machine first, and read back once they are there.
    """

    def __init__(self, text: str, shown: str) -> None:
        try:
            self._files, path = fs.FileSystem.from_uri(text)
        except (ValueError, pa.ArrowException) as error:
            raise ConfigurationError(
                f"server.archive is {shown!r}: {error}. Expected a folder, s3://bucket/path, "
                "gs://bucket/path or abfs://container@account/path."
            ) from error
        self._root = path.rstrip("/")
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    def scratch(self, name: str) -> Path:
        if self._scratch is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="mainspring-archive-")
        return Path(self._scratch.name) / name.replace("/", "-")

    def publish(self, path: Path, name: str, sha256: str) -> None:
        there = f"{self._root}/{name}"
        with path.open("rb") as file, self._files.open_output_stream(there) as out:
            while piece := file.read(PIECE):
                out.write(piece)
        digest = hashlib.sha256()
        with self._files.open_input_stream(there) as back:
            while piece := back.read(PIECE):
                digest.update(piece)
        if digest.hexdigest() != sha256:
            raise OSError(f"{there} does not hold what was written")
        path.unlink()

    def open(self, name: str) -> Any:
        return self._files.open_input_file(f"{self._root}/{name}")

    def remove(self, name: str) -> None:
        there = f"{self._root}/{name}"
        if self._files.get_file_info(there).type != fs.FileType.NotFound:
            self._files.delete_file(there)

    def close(self) -> None:
        if self._scratch is not None:
            self._scratch.cleanup()


def _path(table: str, name: str) -> str:
    return f"{table}/{name}{SUFFIX}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
