"""What the rules of a turn must know; read while no commit is in flight, so that it holds."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from mainspring.engine import finish, requests, ticks
from mainspring.engine.batch import Batch, Facts, KeyId, Wanted
from mainspring.engine.document import Document
from mainspring.engine.due import Due
from mainspring.engine.finish import Loss
from mainspring.engine.link import Arrived
from mainspring.engine.state import State
from mainspring.engine.trigger import TriggerCall
from mainspring.store.batching import Batches
from mainspring.store.protocol import Live, Runs, Store
from mainspring.store.waiting import Waitpoints, Waits


class Verb(Protocol):
    """A change that somebody asked for."""

    future: Future[Any]

    def want(self, wanted: Wanted) -> None:
        """Name what has to be looked up."""

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Write the rows; False = another turn, because this one has changed a run it needs."""
        ...


async def read(
    state: State,
    store: Store,
    arrived: Sequence[Arrived],
    losing: Sequence[Loss],
    work: Sequence[Verb],
    due: Due,
    facts: Facts,
) -> None:
    """Look up what a turn's work wants; nothing is read that nobody wants."""
    wanted = Wanted()
    for message in arrived:
        message.want(state, wanted)
    for lost, _ in losing:
        finish.want_lost(state, wanted, lost)
    for verb in work:
        verb.want(wanted)
    due.want(wanted)
    await _read_triggers(store.live, state.shard_id, work, due, wanted, facts)
    if wanted.requests or wanted.batches:
        await _read_batches(store.batches, state, wanted, facts)
    if wanted.tokens or wanted.inputs or wanted.records:
        await _read_waitpoints(store.waitpoints, state.shard_id, wanted, facts)
    if wanted.documents:
        await _read_documents(store.runs, state.shard_id, wanted, facts)
    if wanted.ending:
        _want_ends(state, wanted, facts)
    if wanted.edges or wanted.points:
        await _read_edges(state, store, wanted, facts)
    if wanted.journal or wanted.ends or wanted.generations or wanted.losses:
        await _read_journals(store.waits, state.shard_id, wanted, facts)
    if wanted.heads or wanted.schedules:
        await _read_apart(state, store, wanted, facts)


def needs_nothing(state: State, arrived: Arrived) -> bool:
    """Whether a frame can be planned without a look at the database."""
    if arrived.unknown is not None:
        return False
    wanted = Wanted()
    arrived.want(state, wanted)
    return wanted.is_empty


async def _read_apart(state: State, store: Store, wanted: Wanted, facts: Facts) -> None:
    """What stands beside runs: ends of streams, and schedules."""
    if wanted.heads:
        for head in await store.streams.heads(state.shard_id, sorted(wanted.heads)):
            facts.heads[head.run_id, head.stream, head.writer] = (head.next, head.place)
    if wanted.schedules:
        await ticks.read(state, store, wanted.schedules, facts)


async def _read_triggers(
    live: Live, shard_id: int, work: Sequence[Verb], due: Due, wanted: Wanted, facts: Facts
) -> None:
    """Keys, debounces, and where runs are."""
    if wanted.debounces:
        await _read_debounces(live, shard_id, wanted.debounces, facts)
        for verb in work:
            if isinstance(verb, TriggerCall):
                verb.want_again(facts, wanted)
    if wanted.located:
        for row in await live.locate(shard_id, sorted(wanted.located)):
            facts.located[row.run_id] = row
    pending = due.pending(facts)
    if pending:
        await _read_debounces(live, shard_id, pending, facts)
    if wanted.keys:
        for key in await live.keys(shard_id, sorted(wanted.keys)):
            facts.keys[key.env_id, key.task, key.key] = key
    if wanted.known:
        facts.known = await live.known(shard_id, sorted(wanted.known))


def _want_ends(state: State, wanted: Wanted, facts: Facts) -> None:
    """Ask about the waits of and for runs that may end, but not where there cannot be any."""
    for run_id in wanted.ending:
        live = state.lives.get(run_id)
        if live is not None:
            parent_id, waited = live.parent_id, live.waited or live.epoch > 1
        elif (row := facts.located.get(run_id)) is not None:
            parent_id, waited = row.parent_id, row.epoch > 0
        else:
            continue
        if parent_id is not None or run_id in state.awaited:
            wanted.points.add(run_id)
        if waited:
            wanted.edges.add(run_id)


async def _read_edges(state: State, store: Store, wanted: Wanted, facts: Facts) -> None:
    """Who waits for what, and where those are who do."""
    shard_id = state.shard_id
    if wanted.edges:
        facts.edges.load(await store.waits.of_runs(shard_id, sorted(wanted.edges)))
    if wanted.points:
        found = await store.waits.on(shard_id, sorted(wanted.points))
        facts.edges.load_found(found)
        away = {
            row.run_id
            for row in found
            if row.run_id not in state.lives and row.run_id not in facts.located
        }
        if away:
            for located in await store.live.locate(shard_id, sorted(away)):
                facts.located[located.run_id] = located


async def _read_journals(waits: Waits, shard_id: int, wanted: Wanted, facts: Facts) -> None:
    if wanted.journal:
        for row in await waits.entries(shard_id, sorted(wanted.journal)):
            facts.journal[row.run_id, row.key, row.generation] = row
    if wanted.ends:
        for end in await waits.ends(shard_id, sorted(wanted.ends)):
            facts.ends[end.run_id] = end
    if wanted.generations:
        facts.generations = await waits.generations(shard_id, sorted(wanted.generations))
    if wanted.losses:
        facts.losses = await waits.losses(shard_id, sorted(wanted.losses))


async def _read_batches(batches: Batches, state: State, wanted: Wanted, facts: Facts) -> None:
    """What requests have led to, batches, and items of them."""
    shard_id = state.shard_id
    if wanted.requests:
        await requests.read(batches, shard_id, wanted, state.clock.now(), facts)
    if wanted.batches:
        for row in await batches.many(shard_id, sorted(wanted.batches)):
            facts.batches[row.batch_id] = row
        for item in await batches.items(shard_id, sorted(wanted.items)):
            facts.items[item.batch_id, item.number] = item


async def _read_waitpoints(
    waitpoints: Waitpoints, shard_id: int, wanted: Wanted, facts: Facts
) -> None:
    if wanted.tokens:
        for token in await waitpoints.many(shard_id, sorted(wanted.tokens)):
            facts.tokens[token.waitpoint_id] = token
    if wanted.inputs:
        facts.inputs = await waitpoints.last_inputs(shard_id, sorted(wanted.inputs))
    if wanted.records:
        for row in await waitpoints.inputs(shard_id, sorted(wanted.records)):
            facts.records[row.run_id, row.stream, row.number] = row


async def _read_documents(runs: Runs, shard_id: int, wanted: Wanted, facts: Facts) -> None:
    for row in await runs.documents(shard_id, sorted(wanted.documents)):
        facts.documents[row.run_id] = Document(row)
    above = {
        id_
        for run_id in wanted.relatives
        if (found := facts.documents.get(run_id)) is not None
        for id_ in (found.parent_id, found.root_id)
        if id_ is not None and id_ not in facts.documents
    }
    if above:
        for row in await runs.documents(shard_id, sorted(above)):
            facts.documents[row.run_id] = Document(row)


async def _read_debounces(live: Live, shard_id: int, wanted: Iterable[KeyId], facts: Facts) -> None:
    for row in await live.debounces(shard_id, sorted(wanted)):
        facts.debounces[row.env_id, row.task, row.key] = row
