"""The blocking client over real connections: forks, threads, and what it leaves behind."""

import asyncio
import os
import socketserver
import threading
from collections.abc import Iterator

import msgspec
import pytest

from mainspring import Client, SyncClient
from mainspring.wire import calls
from tests.sdk.conftest import finished

KEY = "tr_dev_sk_" + "k" * 24


class Answering(socketserver.StreamRequestHandler):
    """Answers every request of a connection with a finished run, and notes whose it was."""

    def handle(self) -> None:
        while head := self.head():
            length = int(head["content-length"])
            request = msgspec.msgpack.decode(self.rfile.read(length), type=calls.Retrieve)
            assert isinstance(self.server, Server)
            self.server.seen.append((self.client_address[1], request.run_id))
            body = msgspec.msgpack.encode(finished(request.run_id, "null"))
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)

    def head(self) -> dict[str, str]:
        lines = []
        while line := self.rfile.readline().strip():
            lines.append(line.decode().lower())
        return dict(line.split(": ", 1) for line in lines[1:])


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.seen: list[tuple[int, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def in_child(work: object) -> bytes:
    """What a forked child that does the work says of it."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, work().encode())  # type: ignore[operator]
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as said:
        found = said.read()
    os.waitpid(child, 0)
    return found


def test_after_a_fork_parent_and_child_have_connections_of_their_own(server: Server) -> None:
    with SyncClient(server.url, KEY) as client:
        client.runs.retrieve("before")
        assert in_child(lambda: client.runs.retrieve("child").id) == b"child"
        assert client.runs.retrieve("after").id == "after"
    ports = {name: port for port, name in server.seen}
    assert ports["before"] == ports["after"] != ports["child"]


def test_a_client_made_before_a_fork_and_unused_serves_the_children(server: Server) -> None:
    client = SyncClient(server.url, KEY)
    names = [f"child-{n}" for n in range(3)]
    said = [in_child(lambda name=name: client.runs.retrieve(name).id) for name in names]
    assert [text.decode() for text in said] == names


def test_threads_share_one_pool_of_connections(server: Server) -> None:
    with SyncClient(server.url, KEY) as client:
        use = [
            threading.Thread(target=lambda: [client.runs.retrieve("x") for _ in range(20)])
            for _ in range(6)
        ]
        for thread in use:
            thread.start()
        for thread in use:
            thread.join()
    assert len(server.seen) == 120
    assert len({port for port, _ in server.seen}) <= 6


def test_an_async_client_outlives_the_loops_that_used_it(server: Server) -> None:
    # warnings are errors here, that of a socket left open among them
    client = Client(server.url, KEY)
    for name in ("one", "two"):
        assert asyncio.run(client.runs.retrieve(name)).id == name
    assert len({port for port, _ in server.seen}) == 2
