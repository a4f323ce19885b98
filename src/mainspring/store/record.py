"""The record that the rooms above are given: one database and its repositories."""

from __future__ import annotations

from mainspring.store.batches import Batches
from mainspring.store.catalog import Catalog
from mainspring.store.database import Database
from mainspring.store.keyring import Keyring
from mainspring.store.leases import Leases
from mainspring.store.live import Live
from mainspring.store.migrations import Applied, Phase
from mainspring.store.object_rows import ObjectRows
from mainspring.store.operations import Operations
from mainspring.store.past import Past
from mainspring.store.runs import Runs
from mainspring.store.shards import Shards
from mainspring.store.streams import Streams
from mainspring.store.variable_rows import VariableRows
from mainspring.store.waitpoints import Waitpoints
from mainspring.store.waits import Waits


class StoreRecord:
    """The repositories over one database; see `mainspring.store.protocol`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.shards = Shards(database)
        self.leases = Leases(database)
        self.live = Live(database)
        self.waits = Waits(database)
        self.runs = Runs(database)
        self.catalog = Catalog(database)
        self.waitpoints = Waitpoints(database)
        self.operations = Operations(database)
        self.access = Keyring(database)
        self.batches = Batches(database)
        self.objects = ObjectRows(database)
        self.variables = VariableRows(database)
        self.streams = Streams(database)
        self.past = Past(database)

    async def close(self) -> None:
        """Finish what is in flight and disconnect; safe to call twice."""
        await self._database.close()

    async def migrate(self, phase: Phase = "all") -> list[str]:
        """Apply pending migrations and return their names; needs no open store on PostgreSQL."""
        return await self._database.migrate(phase)

    async def schema(self) -> list[Applied]:
        """The migrations that the database has had, in order."""
        return await self._database.schema()
