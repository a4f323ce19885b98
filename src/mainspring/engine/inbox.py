"""Triggers that callers wrote inside their own transactions: taken over into runs, none lost."""

from __future__ import annotations

import asyncio

import msgspec

from mainspring.engine import intake
from mainspring.engine.owner import Owner
from mainspring.engine.trigger import TriggerCall
from mainspring.errors import MainspringError
from mainspring.model.run import TriggerAnswer, TriggerOptions, TriggerRequest
from mainspring.model.task import TaskSpec, default_queue
from mainspring.store.protocol import InboxRow

MOST = 500

_decode_options = msgspec.json.Decoder(TriggerOptions).decode


async def drain(owner: Owner) -> int:
    """Turn the oldest inbox rows into runs; returns how many. Row and run change in one commit."""
    rows = await owner.store.live.inbox(owner.state.shard_id, MOST)
    loop = asyncio.get_running_loop()
    futures = []
    for row in rows:
        future: asyncio.Future[list[TriggerAnswer]] = loop.create_future()
        item = await _prepare(owner, row)
        owner.submit(TriggerCall(row.env_id, [item], future, [row.inbox_id]))
        futures.append(future)
    if futures:
        await asyncio.gather(*futures)
    return len(rows)


async def _prepare(owner: Owner, row: InboxRow) -> intake.Prepared:
    """The row as a checked trigger. Its caller is gone, so what is wrong is left to the worker.

    A task that is not registered yet makes the run wait for it.
    """
    try:
        options = _decode_options(row.options)
    except msgspec.MsgspecError:
        options = TriggerOptions()
    options.run_id = row.run_id
    options.checked = True
    request = TriggerRequest(row.task, row.payload, options)
    try:
        prepared = await intake.prepare(owner.state, owner.objects, row.env_id, [request])
        item = prepared[0]
    except MainspringError:
        spec = TaskSpec(row.task, default_queue(row.task))
        plain = TriggerOptions(run_id=row.run_id)
        item = intake.assemble(row.env_id, spec, TriggerRequest(row.task, row.payload, plain))
        item.known_task = (row.env_id, row.task) in owner.state.tasks
    item.repeat = True
    return item
