"""Runs that wait with a journal, as the code of another version would be given them. Reads only."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from mainspring.engine import deployments, journal, query
from mainspring.engine.owner import Owner
from mainspring.model.run import Run, RunFilter, Status
from mainspring.store.protocol import EnvironmentRow
from mainspring.store.waiting import JournalRow
from mainspring.wire.deploying import ListWaiting, WaitingPage, WaitingRun
from mainspring.wire.orders import order_of
from mainspring.wire.worker import Entry, Execute

PAGE_LIMIT: Final = 100


async def page(owner: Owner, env: EnvironmentRow, wanted: ListWaiting) -> WaitingPage:
    """One page, newest first; it may be short of runs and have a next one all the same.

    Raises: NotFound for a version that is none.
    """
    version = (await deployments.found(owner, env, wanted.version)).version
    asked = RunFilter(
        status=(Status.WAITING, Status.EXECUTING),
        after=wanted.after,
        limit=max(1, min(wanted.limit, PAGE_LIMIT)),
    )
    listed = await query.page(owner, env, asked)
    ids = [run.id for run in listed.runs if waits(run) and run.version != version]
    return WaitingPage(await _runs(owner, ids), listed.next)


def waits(run: Run) -> bool:
    """Whether the run has started, and nobody executes it at the moment."""
    return run.status is Status.WAITING or run.retry_at is not None


async def _runs(owner: Owner, ids: list[str]) -> list[WaitingRun]:
    if not ids:
        return []
    shard_id, waits, live = owner.state.shard_id, owner.store.waits, owner.store.live
    rows = {row.run_id: row for row in await live.locate(shard_id, ids)}
    history: dict[str, list[JournalRow]] = defaultdict(list)
    for row in await waits.history(shard_id, ids):
        history[row.run_id].append(row)
    edges: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for edge in await waits.of_runs(shard_id, ids):
        edges[edge.run_id].append((edge.key, edge.kind))
    found = []
    for run in await owner.store.runs.many(shard_id, ids):
        place = rows.get(run.id)
        if place is not None and place.place == "parked":
            order = await _order(owner, run, place.epoch + 1, history[run.id])
            open_ = sorted(set(edges[run.id]))
            found.append(WaitingRun(run.version, run.status.value, order, open_))
    return sorted(found, key=lambda one: one.order.run_id, reverse=True)


async def _order(owner: Owner, run: Run, epoch: int, rows: list[JournalRow]) -> Execute:
    """The order that would let the run go on."""
    start = next((row for row in rows if row.key == journal.START), None)
    entries = [
        journal.entry_of(row)
        for row in rows
        if row.kind not in journal.OWN and row.key != journal.START
    ]
    first = journal.entry_of(start) if start is not None else Entry("", 0, "")
    await journal.fetch_data(owner.objects, [*entries, first])
    payload = first.data if first.data is not None else run.payload
    if payload is None:
        payload = await owner.objects.get(run.payload_ref) if run.payload_ref else "null"
    order = order_of(run, epoch, payload)
    order.attempt, order.journal, order.machine = max(run.attempt, 1), entries, run.machine
    if start is not None:
        order.generation = start.generation
    return order
