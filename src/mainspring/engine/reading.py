"""What the rules of a turn must know; read while no commit is in flight, so that it holds."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Iterable
from typing import Any, Protocol

from mainspring.engine.batch import Batch, Facts, KeyId, Wanted
from mainspring.engine.document import Document
from mainspring.engine.due import Due
from mainspring.engine.state import State
from mainspring.engine.trigger import TriggerCall
from mainspring.store.protocol import Live, Runs, Store, Waitpoints


class Verb(Protocol):
    """A change that somebody asked for."""

    future: Future[Any]

    def want(self, wanted: Wanted) -> None:
        """Name what has to be looked up."""

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Write the rows; False = another turn, because this one has changed a run it needs."""
        ...


async def read(store: Store, shard_id: int, work: list[Verb], due: Due) -> Facts:
    """Look up what the verbs and timers of a turn want; nothing is read that nobody wants."""
    wanted, facts, live = Wanted(), Facts(), store.live
    for verb in work:
        verb.want(wanted)
    due.want(wanted)
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
    if wanted.tokens or wanted.inputs or wanted.records:
        await _read_waitpoints(store.waitpoints, shard_id, wanted, facts)
    if wanted.documents:
        await _read_documents(store.runs, shard_id, wanted.documents, facts)
        above = {
            id_
            for run_id in wanted.relatives
            if (found := facts.documents.get(run_id)) is not None
            for id_ in (found.parent_id, found.root_id)
            if id_ is not None and id_ not in facts.documents
        }
        await _read_documents(store.runs, shard_id, above, facts)
    return facts


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


async def _read_documents(runs: Runs, shard_id: int, wanted: set[str], facts: Facts) -> None:
    if wanted:
        for row in await runs.documents(shard_id, sorted(wanted)):
            facts.documents[row.run_id] = Document(row)


async def _read_debounces(live: Live, shard_id: int, wanted: Iterable[KeyId], facts: Facts) -> None:
    for row in await live.debounces(shard_id, sorted(wanted)):
        facts.debounces[row.env_id, row.task, row.key] = row
