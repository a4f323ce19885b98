"""What the rules of a turn must know; read while no commit is in flight, so that it holds."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Iterable
from typing import Any, Protocol

from mainspring.engine.batch import Batch, Facts, KeyId, Wanted
from mainspring.engine.due import Due
from mainspring.engine.state import State
from mainspring.engine.trigger import TriggerCall
from mainspring.store.protocol import Live


class Verb(Protocol):
    """A change that somebody asked for."""

    future: Future[Any]

    def want(self, wanted: Wanted) -> None:
        """Name what has to be looked up."""

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Write the rows; False = another turn, because this one has changed a run it needs."""
        ...


async def read(live: Live, shard_id: int, work: list[Verb], due: Due) -> Facts:
    """Look up what the verbs and timers of a turn want; nothing is read that nobody wants."""
    wanted, facts = Wanted(), Facts()
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
    return facts


async def _read_debounces(live: Live, shard_id: int, wanted: Iterable[KeyId], facts: Facts) -> None:
    for row in await live.debounces(shard_id, sorted(wanted)):
        facts.debounces[row.env_id, row.task, row.key] = row
