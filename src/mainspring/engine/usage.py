"""What a run has used: time, attempts, bytes, and calls of models. It only reads."""

from __future__ import annotations

from typing import Final

from mainspring.engine.owner import Owner
from mainspring.model.run import Run
from mainspring.wire.operating import Usage

MILLION: Final = 1_000_000


async def of(owner: Owner, run: Run) -> Usage:
    """The usage of a run, which may go on. Raises: StoreUnavailable."""
    await owner.write_lines()
    found = await owner.store.runs.measuring.usage(owner.state.shard_id, run.id)
    active_ms = run.active_ms
    live = owner.state.lives.get(run.id)
    now = owner.state.clock.now()
    if live is not None:
        active_ms += max(now - live.claimed_at, 0)
    end = run.finished_at or now
    return Usage(
        active_ms,
        max(end - run.created_at - active_ms, 0),
        run.attempt,
        _bytes(run.payload),
        _bytes(run.output),
        found.calls,
        found.input_tokens,
        found.output_tokens,
        found.cost / MILLION,
    )


def _bytes(text: str | None) -> int:
    return 0 if text is None else len(text) if text.isascii() else len(text.encode())
