"""The audit log, over the database port: entries are linked and appended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from mainspring.errors import CommitRejected, StoreUnavailable
from mainspring.model.audit import START, Entry, Link, link
from mainspring.store.database import Call, Database

_TRIES: Final = 50


class AuditTable:
    """See `mainspring.store.access.AuditLog`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, chain: bytes, *entries: Entry) -> None:
        await self.change(chain, entries)

    async def page(self, after: int, limit: int) -> list[Link]:
        return await self._database.fetch("audit_page", Link, {"after": after, "most": limit})

    async def head(self) -> Link | None:
        found = await self._database.fetch("audit_last", Link, {})
        return found[0] if found else None

    async def change(self, chain: bytes, entries: Sequence[Entry], *calls: Call) -> None:
        """The calls and the entries that tell of them, in one transaction.

        Two servers may take the same number; the second one's transaction fails, and goes again.
        """
        head = await self.head()
        for _ in range(_TRIES):
            number, former = (head.number, head.hash) if head is not None else (0, START)
            rows = [msgspec.structs.astuple(one) for one in link(chain, number, former, entries)]
            try:
                await self._database.write(("audit_add", {}, rows), *calls)
            except CommitRejected:
                before, head = head, await self.head()
                if head == before:
                    raise
            else:
                return
        raise StoreUnavailable("the audit log is written by too many at once. Repeat.")
