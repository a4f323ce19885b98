"""What the repositories need of a database: four verbs over named statements. No SQL here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

from mainspring.store.changes import EXACT, PLAN, Changes, Claimed, Row
from mainspring.store.leasing import Nodes
from mainspring.store.migrations import Applied, Phase
from mainspring.store.statements import Statements
from mainspring.telemetry.metrics import Sample

T = TypeVar("T")
Scalars = Mapping[str, Any]
Call = tuple[str, Scalars, Sequence[Row]]
"""A statement's name, its scalars and the rows of its batch."""

Faults = Callable[[str, int], None]
"""Called around each fenced commit with a point and the shard: "before" (nothing has begun),
"inside" (every statement has run), "after" (durable, not yet answered). What it raises reaches the
caller of the commit as it is; raised at the first two points, nothing is written. On a SQLite file
it runs on the writer's thread.
"""


class Database(Protocol):
    """One database behind named statements."""

    statements: Statements

    async def open(self, *, migrate: bool) -> None:
        """Connect. Raises: StoreUnavailable, StoreInUse, SchemaMismatch."""
        ...

    async def close(self) -> None:
        """Finish what is in flight and disconnect; safe to call twice."""
        ...

    async def fetch(
        self, name: str, into: type[T], scalars: Scalars, rows: Sequence[Row] = ()
    ) -> list[T]:
        """Read: each row as `into`, an array-like struct or a tuple type."""
        ...

    async def write(
        self, *calls: Call, fence: tuple[int, int] | None = None
    ) -> list[tuple[Any, ...]]:
        """Run the calls in one durable transaction; returns what the last one gives. With a
        `fence` (shard, epoch) only while that epoch holds the shard. Raises: FencedOut.
        """
        ...

    async def commit(self, shard_id: int, epoch: int, changes: Changes) -> list[Claimed]:
        """As `store.protocol.Shards.commit`."""
        ...

    async def migrate(self, phase: Phase = "all") -> list[str]:
        """Apply what is pending and return the names; waits for another process that does so."""
        ...

    async def schema(self) -> list[Applied]:
        """The migrations that this database has had, in order."""
        ...

    async def nodes(self, shard_ids: Collection[int] = ()) -> Nodes:
        """Which nodes of a cluster we are connected to, and have the rows of these shards."""
        ...

    def figures(self) -> list[Sample]:
        """What went wrong between us and the database, counted."""
        ...


def steps(changes: Changes) -> Iterator[tuple[str, list[Row], int | None]]:
    """The statements of a commit in order: name, rows, and how many rows each must touch."""
    for name in PLAN:
        rows: list[Row] = getattr(changes, name)
        if rows:
            yield name, rows, len(rows) if name in EXACT else None
            if name == "claim":
                yield "claim_leave", rows, len(rows)


def scalars(shard_id: int, changes: Changes) -> dict[str, int]:
    """The scalars that statements of a commit may take."""
    return {"shard": shard_id, "now": changes.now, "change": changes.change}


FENCED_OUT: Final = (
    "shard {shard} is not held by epoch {epoch} any more: another owner has taken it; nothing was "
    "written. Take the shard again or leave it to its owner."
)
MISCOUNTED: Final = (
    "{name} touched {found} rows where {wanted} were given, in shard {shard}; nothing was written. "
    "The owner's memory and the rows disagree: reload what the commit touched."
)
REFUSED: Final = (
    "the database refused a row of {name}: {reason}. Nothing was written; the rows of that "
    "statement are at fault."
)
UNKNOWN: Final = (
    "the commit of shard {shard} may or may not have been written: {reason}. Take the shard again, "
    "which waits for it, and reload what it touched."
)
