"""Bulk actions of a shard: taken up where they were, done piece after piece, aborted, told of."""

from __future__ import annotations

import asyncio
import logging
from asyncio import Future
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from mainspring.engine import listing
from mainspring.engine.again import again
from mainspring.engine.intake import Prepared, prepare
from mainspring.engine.piece import Begin, CancelPiece, ReplayPiece, Step
from mainspring.engine.reading import Verb
from mainspring.engine.state import State
from mainspring.errors import CallerError, CommitRejected, InvalidOptions, MainspringError
from mainspring.model import limits
from mainspring.model.run import Run, RunFilter
from mainspring.store.objects import Objects
from mainspring.store.operating import BulkRow
from mainspring.store.protocol import Store
from mainspring.wire.operating import StartBulk

CANCELED: Final = 100
REPLAYED: Final = 25
"""Runs in one piece: few enough that other work gets its turn, and payloads fit in memory."""
IDS: Final = 500
KINDS: Final = ("cancel", "replay")

log = logging.getLogger("mainspring.engine")


class Wanted(Struct, omit_defaults=True):
    """Which runs a bulk action is about, as its row keeps it."""

    filter: RunFilter | None = None
    run_ids: tuple[str, ...] = ()


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Wanted).decode


class Bulks:
    """The bulk actions of one shard that have not ended; one piece of each is done in turn."""

    def __init__(
        self, state: State, store: Store, objects: Objects, submit: Callable[[Verb], None]
    ) -> None:
        self._state = state
        self._store = store
        self._objects = objects
        self._submit = submit
        self._rows: dict[str, BulkRow] = {}
        self._loaded = False
        self._stopped = False
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def go_on(self) -> None:
        """Work on what there is, unless that is being done. Returns at once."""
        busy = self._task is not None and not self._task.done()
        if not busy and not self._stopped and (self._rows or not self._loaded):
            self._task = asyncio.get_running_loop().create_task(self._work(), name="bulk")

    async def stop(self) -> None:
        """Leave the rest to the next owner; the piece under way is done or not, but never half."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def idle(self) -> None:
        """Wait until nothing can be done any more (simulation, tests)."""
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    async def start(self, env_id: int, wanted: StartBulk) -> BulkRow:
        """Begin a bulk action; it is durable on return. Raises: InvalidOptions."""
        about = self._about(wanted)
        now, state = self._state.clock.now(), self._state
        row = BulkRow(
            state.ids.new("bulk", now, state.shard_id),
            env_id,
            wanted.kind,
            "pending",
            wanted.name,
            wanted.region,
            _encode(about).decode(),
            "",
            len(about.run_ids),
            0,
            0,
            now,
            None,
        )
        future: Future[str] = asyncio.get_running_loop().create_future()
        self._submit(Begin(row, wanted.request_key, future))
        made = await future
        if made != row.bulk_id:
            return await self._store.operations.bulk(state.shard_id, made) or row
        self._rows[made] = row
        self.go_on()
        return row

    async def abort(self, row: BulkRow) -> BulkRow:
        """Do no more pieces of it; one that has ended stays as it is."""
        async with self._turn:
            row = self._rows.get(row.bulk_id, row)
            if row.status == "pending":
                now = self._state.clock.now()
                row = msgspec.structs.replace(row, status="aborted", completed_at=now)
                await self._done(Step, row)
                self._rows.pop(row.bulk_id, None)
        return row

    def _about(self, wanted: StartBulk) -> Wanted:
        if wanted.kind not in KINDS:
            raise InvalidOptions(f"action {wanted.kind[:40]!r}: {' or '.join(KINDS)} is allowed.")
        for text, name in ((wanted.name, "name"), (wanted.region, "targetRegion")):
            if text is not None:
                limits.check_text(text, name, limits.NAME_LENGTH)
        if (wanted.filter is None) == (wanted.run_ids is None):
            raise InvalidOptions("A bulk action takes exactly one of a filter and run ids.")
        if wanted.filter is not None:
            filter_, now = wanted.filter, self._state.clock.now()
            until = min(now, filter_.created_to if filter_.created_to is not None else now)
            bare = msgspec.structs.replace(filter_, after=None, before=None, created_to=until)
            return Wanted(bare)
        ids = tuple(dict.fromkeys(wanted.run_ids or ()))
        if not 0 < len(ids) <= IDS:
            raise InvalidOptions(f"{len(ids)} run ids; 1 to {IDS} are allowed.")
        for id_ in ids:
            limits.check_text(id_, "run id", limits.NAME_LENGTH)
        return Wanted(None, ids)

    async def _work(self) -> None:
        try:
            if not self._loaded:
                for row in await self._store.operations.pending(self._state.shard_id):
                    self._rows.setdefault(row.bulk_id, row)
                self._loaded = True
            while self._rows:
                for bulk_id in list(self._rows):
                    async with self._turn:
                        left = self._rows.get(bulk_id)
                        if left is not None:
                            await self._piece(left)
        except MainspringError as error:  # the next tick tries again
            log.warning("bulk actions of shard %s: %s", self._state.shard_id, error.message)

    async def _piece(self, old: BulkRow) -> None:
        """Do one piece of an action, or end it."""
        about = _decode(old.wanted)
        size = CANCELED if old.kind == "cancel" else REPLAYED
        row = msgspec.structs.replace(old)
        if about.filter is not None:
            found = await self._matching(row, about.filter, size)
            missing, last = 0, not row.place
        else:
            first = int(row.place or 0)
            ids = about.run_ids[first : first + size]
            found = await self._named(row, ids)
            missing, last = len(ids) - len(found), first + size >= len(about.run_ids)
            row.place = str(first + len(ids))
        if last:
            row.status, row.completed_at = "completed", self._state.clock.now()
            row.place = old.place if about.filter is not None else row.place
        row.failure += missing
        if about.filter is not None:
            row.total += len(found)
        await self._do(row, found)
        if last:
            del self._rows[row.bulk_id]
        else:
            self._rows[row.bulk_id] = row

    async def _do(self, row: BulkRow, found: Sequence[Run]) -> None:
        done = row.success
        try:
            if row.kind == "cancel":
                row.success += len(found)
                await self._done(CancelPiece, row, [run.id for run in found])
            else:
                await self._replay(row, found)
        except CommitRejected as error:  # rows that no database takes must not stop the others
            log.warning("bulk action %s: a piece failed: %s", row.bulk_id, error.message)
            row.failure += row.success - done
            row.success = done
            await self._done(Step, row)

    async def _replay(self, row: BulkRow, found: Sequence[Run]) -> None:
        items: list[Prepared] = []
        for run in found:
            try:
                items += await self._again(row, run)
            except CallerError as error:
                log.info("bulk action %s: run %s: %s", row.bulk_id, run.id, error.message)
        row.success += len(items)
        row.failure += len(found) - len(items)
        await self._done(ReplayPiece, row, items)

    async def _again(self, row: BulkRow, run: Run) -> list[Prepared]:
        """The new run of a replay. Raises: CallerError when its task is gone or refuses it."""
        payload = run.payload
        if run.payload_ref is not None:
            payload = await self._objects.get(run.payload_ref)
        request = again(run, payload)
        request.options.bulk_id = row.bulk_id
        request.options.region = row.region or request.options.region
        return await prepare(self._state, self._objects, row.env_id, [request])

    async def _matching(self, row: BulkRow, filter_: RunFilter, size: int) -> list[Run]:
        """The next runs that match, at most `size`; `row.place` moves on, to "" at the end."""
        wanted = msgspec.structs.replace(filter_, after=row.place or None, limit=size)
        rows = await listing.runs(self._state, self._store, row.env_id, wanted)
        row.place = rows[size - 1].id if len(rows) > size else ""
        fitting = [run.id for run in rows[:size] if listing.fit(run, filter_)]
        return await self._named(row, fitting)

    async def _named(self, row: BulkRow, ids: Sequence[str]) -> list[Run]:
        """Those of these runs that are the environment's, in the order of the ids."""
        storable = [id_ for id_ in ids if id_.isascii()]
        runs = await self._store.runs.many(self._state.shard_id, storable)
        by_id = {run.id: run for run in runs if run.env_id == row.env_id}
        return [by_id[id_] for id_ in ids if id_ in by_id]

    async def _done(self, verb: Callable[..., Verb], *arguments: object) -> None:
        future: Future[None] = asyncio.get_running_loop().create_future()
        self._submit(verb(*arguments, future))
        await future
