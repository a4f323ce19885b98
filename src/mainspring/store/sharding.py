"""Who owns which shard, and the commits of owners, as the rooms above see them: a protocol. No SQL.

Every coroutine may raise `StoreUnavailable`; nothing is half written then.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from mainspring.store.changes import Changes, Claimed
from mainspring.store.leasing import Beat, Host
from mainspring.telemetry.metrics import Sample


class Shards(Protocol):
    """Ownership and the fenced commit. One commit per shard at a time is the caller's duty."""

    async def commit(self, shard_id: int, epoch: int, changes: Changes) -> list[Claimed]:
        """Write everything in one durable transaction, if `epoch` still holds the shard.

        Returns the claimed runs in no particular order.
        Raises: FencedOut (nothing written), CommitRejected (nothing written: a row count of an
        EXACT list differs, or the database refused a row), UnknownOutcome (may be written).
        """
        ...

    async def take(self, shard_id: int, server_id: str) -> int:
        """Become the owner: waits for every commit in flight, raises the epoch and returns it."""
        ...

    async def take_from(self, shard_id: int, server_id: str, former: str) -> int | None:
        """The same, but only if `former` ("" = nobody) owns it still; None if it does not."""
        ...

    async def give(self, shard_id: int, server_id: str, epoch: int, to: str) -> bool:
        """Make another server the owner of a shard that is held with this epoch; raises the epoch.
        False when it is held no more.
        """
        ...

    async def owners(self) -> list[tuple[int, str, int]]:
        """(shard_id, server_id or "", epoch) of all shards in use."""
        ...

    async def register(self, server_id: str, address: str, uptime_ms: int | None = None) -> None:
        """Write this server's lease row. `uptime_ms`: as in `Beat`."""
        ...

    async def beat(self, server_id: str, uptime_ms: int | None = None) -> None:
        """Raise this server's beat counter."""
        ...

    async def beats(self) -> list[Beat]:
        """What each server has said last, for observing who is alive."""
        ...

    async def hosts(self) -> list[Host]:
        """Where the servers are, by server."""
        ...

    async def homes(self, shard_ids: Collection[int]) -> Mapping[int, int]:
        """By shard, the node of a cluster of databases that has its rows; none when the database
        is one node.
        """
        ...

    async def forget(self, server_id: str, beat: int) -> None:
        """Remove the lease row of a lost server, if it has not beaten since."""
        ...

    async def leave(self, server_id: str) -> None:
        """Remove the lease row and the ownership of its shards (planned stop)."""
        ...

    def figures(self) -> list[Sample]:
        """What went wrong between this process and the database, counted."""
        ...

    async def now(self) -> int:
        """The database's clock, epoch ms (on SQLite the machine's)."""
        ...
