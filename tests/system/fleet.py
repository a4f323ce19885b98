"""Several servers of one PostgreSQL as real processes, behind a balancer, and who of them owns."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import asyncpg

from tests.system.cluster import Cluster


@dataclass
class Fleet(Cluster):
    """A cluster with several servers; its own port is that of the balancer.

    Attributes:
        members: servers by port.
    """

    members: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start_member(self) -> int:
        """Another server; its port."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        self.members[port] = self._start("server", "--database", self.database, "--port", str(port))
        return port

    def kill_member(self, port: int) -> None:
        """SIGKILL one server."""
        member = self.members.pop(port)
        self.kill(member.pid)
        member.wait()

    async def owner(self) -> int | None:
        """The port of the server that owns the first shard, if it lives."""
        connection = await asyncpg.connect(self.database)
        try:
            name = await connection.fetchval("SELECT owner FROM shard ORDER BY shard_id LIMIT 1")
        finally:
            await connection.close()
        pids = {member.pid: port for port, member in self.members.items()}
        return pids.get(int(name.split("-")[-2])) if name else None

    @contextlib.asynccontextmanager
    async def balanced(self, chance: random.Random) -> AsyncIterator[None]:
        """Lead each connection to a server that takes it, as long as the block runs."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there = None
            for port in chance.sample(sorted(self.members), len(self.members)):
                with contextlib.suppress(OSError):
                    there = await asyncio.open_connection("127.0.0.1", port)
                    break
            if there is None:
                writer.transport.abort()
                return
            ways = [
                asyncio.create_task(_forward(reader, there[1])),
                asyncio.create_task(_forward(there[0], writer)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, there[1]):
                end.transport.abort()

        server = await asyncio.start_server(serve, "127.0.0.1", self.port)
        try:
            yield
        finally:
            server.close()

    async def stop(self) -> None:
        """End everything in order."""
        await super().stop()
        for member in self.members.values():
            member.terminate()
        for member in self.members.values():
            await asyncio.to_thread(member.wait, 120)

    def abandon(self) -> None:
        """End at once what still runs."""
        super().abandon()
        for port in list(self.members):
            self.kill_member(port)


async def _forward(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            to.write(data)
            await to.drain()
