"""When servers and sessions were heard of, as the rooms above read it: rows, a protocol. No SQL.

Every coroutine may raise `StoreUnavailable`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

from msgspec import Struct


class Beat(Struct, array_like=True, frozen=True):
    """The last beat of a server. `uptime_ms` is what its own monotonic clock showed then; None = it
    keeps no leases, being of an older release.
    """

    server_id: str
    beat: int
    uptime_ms: int | None


class Host(Struct, array_like=True, frozen=True):
    """Where a server is reached by the others ("" = not at all), and which node of a cluster of
    databases it has its statements done by; None = not known, or there is one only.
    """

    server_id: str
    address: str
    node: int | None


class Nodes(NamedTuple):
    """In a cluster of databases the number of the node that we are connected to, and of those that
    have the rows of shards; nothing when the database is one node.
    """

    own: int | None = None
    homes: Mapping[int, int] = MappingProxyType({})


class LeaseRow(Struct, array_like=True, frozen=True):
    """When a session was heard of last, on the monotonic clock of the server that wrote it while it
    owned the shard in that epoch.
    """

    session_id: str
    server_id: str
    epoch: int
    heard_ms: int


class Leases(Protocol):
    """The leases of worker sessions, kept by the owner of their shard for the one that follows."""

    async def rows(self, shard_id: int) -> list[LeaseRow]:
        """Those of a shard that can be believed, by session: written since all its owners have kept
        leases.
        """
        ...

    async def keep(
        self,
        shard_id: int,
        epoch: int,
        server_id: str,
        heard: Sequence[tuple[str, int]],
        over: Sequence[str],
        *,
        whole: bool,
    ) -> None:
        """Write in one durable transaction when these sessions (id, heard_ms) were heard of, and
        remove those that are over; `whole` = there are no others. Raises: FencedOut.
        """
        ...
