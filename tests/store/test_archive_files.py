"""Files of the archive, in a folder and in a bucket: whole and verified, or not there."""

import io
import os
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from pyarrow import parquet

from mainspring.errors import ArchiveFailed, ConfigurationError
from mainspring.store import parquet as files
from mainspring.store.parquet import ParquetDepot

LINES = [("run_1", n, n * 1000, "info", f"line {n}", None) for n in range(10)]
BEGUN = "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
EMPTY = "<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>"
COMPLETE = (
    "<CompleteMultipartUploadResult><Key>k</Key><ETag>e</ETag></CompleteMultipartUploadResult>"
)


def chunks(file: IO[bytes]) -> Iterator[bytes]:
    """What was sent in chunks, without what follows them."""
    while size := int(file.readline().split(b";")[0], 16):
        yield file.read(size)
        file.readline()
    while file.readline().strip():
        continue


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    bucket: "Bucket"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def answer(self, status: int, data: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    @property
    def key(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix("/jobs/")

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.path).query, keep_blank_values=True)

    def body(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        sent = b"".join(chunks(self.rfile))
        return b"".join(chunks(io.BytesIO(sent)))  # what a client signs is chunked once more

    def do_PUT(self) -> None:
        data = self.body()
        if self.bucket.refuses:
            return self.answer(403)
        if "partNumber" in self.query:
            self.bucket.parts[int(self.query["partNumber"][0])] = data
        else:
            self.bucket.put(self.key, data)
        return self.answer(200, ETag='"e"')

    def do_POST(self) -> None:
        self.body()
        if self.bucket.refuses:
            return self.answer(403)
        if "uploads" in self.query:
            self.bucket.parts.clear()
            return self.answer(200, BEGUN.encode())
        self.bucket.put(
            self.key,
            b"".join(self.bucket.parts[n] for n in sorted(self.bucket.parts)),
        )
        return self.answer(200, COMPLETE.encode())

    def do_HEAD(self) -> None:
        data = self.bucket.objects.get(self.key)
        if data is None:
            return self.answer(404)
        return self.answer(
            200,
            Content_Length=str(len(data)),
            Last_Modified="Sat, 21 Nov 2026 10:00:00 GMT",
        )

    def do_GET(self) -> None:
        if "list-type" in self.query:
            return self.answer(200, EMPTY.encode())
        data = self.bucket.objects.get(self.key)
        if data is None:
            return self.answer(404)
        wanted = self.headers.get("range")
        if wanted is None:
            return self.answer(200, data)
        first, last = wanted.removeprefix("bytes=").split("-")
        part = data[int(first) : int(last) + 1]
        return self.answer(206, part, Content_Range=f"bytes {first}-{last}/{len(data)}")

    def do_DELETE(self) -> None:
        self.bucket.objects.pop(self.key, None)
        self.answer(204)


class Bucket:
    """What a bucket holds, and what is wrong with it: as a server that speaks enough of S3."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.parts: dict[int, bytes] = {}
        self.refuses = False
        self.spoils = False
        self.server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Mine", (Handler,), {"bucket": self})
        )

    @property
    def url(self) -> str:
        at = f"127.0.0.1:{self.server.server_port}"
        return f"s3://id:hush@jobs/old?endpoint_override={at}&scheme=http&region=eu"

    def put(self, key: str, data: bytes) -> None:
        self.objects[key] = data[:-1] + b"?" if self.spoils else data


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    made = Bucket()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture(params=["folder", "bucket"])
def depot(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ParquetDepot]:
    folder = str(tmp_path / "a" / "b")
    place = folder if request.param == "folder" else request.getfixturevalue("bucket").url
    with closing(ParquetDepot(place)) as made:
        yield made


@pytest.fixture
def in_bucket(bucket: Bucket) -> Iterator[ParquetDepot]:
    with closing(ParquetDepot(bucket.url)) as made:
        yield made


async def parts(*found: Sequence[Any]) -> AsyncIterator[Sequence[Any]]:
    for part in found:
        yield part


async def test_what_was_written_is_read_back_and_removed(depot: ParquetDepot) -> None:
    file = await depot.write("log", "one", parts(LINES[:4], [], LINES[4:]))
    assert file is not None
    assert (file.table, file.name, file.rows) == ("log", "log/one.parquet", 10)
    assert await depot.ids("log", "one") == ["run_1"] * 10
    assert await depot.ids("log", "two") is None
    await depot.remove("log", "one")
    await depot.remove("log", "one")
    assert await depot.ids("log", "one") is None
    await depot.check()


async def test_a_file_without_rows_is_none(depot: ParquetDepot) -> None:
    assert await depot.write("log", "one", parts([])) is None
    assert await depot.ids("log", "one") is None


async def test_what_breaks_off_leaves_nothing(depot: ParquetDepot, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[Sequence[Any]]:
        yield LINES
        raise ValueError("the source is gone")

    with pytest.raises(ValueError, match="source"):
        await depot.write("log", "one", broken())
    assert await depot.ids("log", "one") is None
    assert [name for _, _, names in os.walk(tmp_path) for name in names] == []


async def test_row_groups_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "GROUP_ROWS", 3)
    monkeypatch.setattr(files, "GROUP_BYTES", 1 << 30)
    await ParquetDepot(str(tmp_path)).write("log", "one", parts(*([line] for line in LINES)))
    found = parquet.ParquetFile(tmp_path / "log" / "one.parquet")
    assert [found.metadata.row_group(n).num_rows for n in range(4)] == [3, 3, 3, 1]
    assert found.metadata.row_group(0).column(0).compression == "ZSTD"
    assert found.schema_arrow.metadata[b"mainspring.format"] == b"1"
    assert found.read().to_pylist()[9]["message"] == "line 9"


async def test_a_large_file_comes_to_a_bucket_in_parts(
    bucket: Bucket, in_bucket: ParquetDepot
) -> None:
    noise = [("run_1", n, 0, "info", os.urandom(600_000).hex(), None) for n in range(20)]
    file = await in_bucket.write("log", "one", parts(noise))
    assert file is not None
    assert len(bucket.objects["old/log/one.parquet"]) == file.bytes > 10_000_000
    assert await in_bucket.ids("log", "one") == ["run_1"] * 20


async def test_a_bucket_that_refuses_or_spoils_is_an_error(
    bucket: Bucket, in_bucket: ParquetDepot
) -> None:
    depot = in_bucket
    bucket.spoils = True
    with pytest.raises(ArchiveFailed, match="does not hold what was written"):
        await depot.write("log", "one", parts(LINES))
    bucket.spoils, bucket.refuses = False, True
    with pytest.raises(ArchiveFailed) as refused:
        await depot.check()
    assert "hush" not in refused.value.message
    assert depot.place == "s3://…@jobs/old"
    bucket.refuses = False
    await depot.check()


async def test_a_disk_without_room_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    depot = ParquetDepot(str(tmp_path))
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "one.parquet.part").symlink_to("/dev/full")  # every write fails: ENOSPC
    with pytest.raises(ArchiveFailed, match="No space left"):
        await depot.write("log", "one", parts(LINES))
    await depot.remove("log", "one")
    assert os.listdir(tmp_path / "log") == []


def test_a_url_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="Expected a folder, s3:"):
        ParquetDepot("ftp://host/path")
