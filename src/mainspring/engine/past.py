"""Answers about what runs have behind them: how they ended, and their journals. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mainspring.engine import journal as rules, query
from mainspring.engine.owner import Owner
from mainspring.errors import InvalidOptions
from mainspring.store.protocol import EnvironmentRow
from mainspring.store.waiting import EdgeRow, JournalRow
from mainspring.wire import calls

MOST: Final = 100
POINTS: Final = 100
"""Things waited for that are shown of one wait."""


async def outcomes(owner: Owner, env: EnvironmentRow, run_ids: Sequence[str]) -> calls.Outcomes:
    """How these runs ended; live and unknown ones are missing. Raises: InvalidOptions over 100."""
    if len(run_ids) > MOST:
        raise InvalidOptions(f"{len(run_ids)} outcomes were asked for; at most {MOST} at once.")
    found = []
    for run in await owner.store.runs.many(owner.state.shard_id, run_ids):
        if run.env_id == env.env_id and run.status.is_final:
            if run.output is None and run.output_ref is not None:
                run.output = await owner.objects.get(run.output_ref)
            found.append(calls.Outcome(run.id, run.task, run.status.value, run.output, run.error))
    return calls.Outcomes(found)


async def journal(owner: Owner, env: EnvironmentRow, run_id: str) -> calls.Journal:
    """The journal of a run and its open waits. Raises: NotFound."""
    await query.one(owner, env, run_id)
    waits, shard_id = owner.store.waits, owner.state.shard_id
    rows = [row for row in await waits.history(shard_id, [run_id]) if row.kind not in rules.OWN]
    entries = {row.key: rules.entry_of(row) for row in rows}
    await rules.fetch_data(owner.objects, list(entries.values()))
    lines = [
        calls.JournalLine(
            row.key,
            row.seq,
            row.kind,
            row.status,
            entries[row.key].data,
            row.started_at,
            row.ended_at,
            attempt=_attempt_of(row),
        )
        for row in rows
    ]
    pending: dict[str, list[EdgeRow]] = {}
    for edge in await waits.of_runs(shard_id, [run_id]):
        pending.setdefault(edge.key, []).append(edge)
    for key, edges in pending.items():
        known = entries.get(key)
        if known is None or edges[0].kind == "diverged":
            lines.append(_line(edges, known.seq if known is not None else edges[0].seq))
    lines.sort(key=lambda line: (line.seq, line.key))
    generation = max((row.generation for row in rows), default=0)
    return calls.Journal(generation, lines)


def _line(edges: Sequence[EdgeRow], seq: int) -> calls.JournalLine:
    first = edges[0]
    points = tuple(edge.waitpoint_id for edge in edges if edge.waitpoint_id not in ("", "!"))
    return calls.JournalLine(
        first.key,
        seq,
        first.kind,
        "pending",
        first.data if first.kind in ("event", "diverged") else None,
        first.created_at,
        due_at=first.due_at or None,
        points=points[:POINTS],
    )


def _attempt_of(row: JournalRow) -> int:
    """The attempt in which a step failed, which is the end of its key; else 0."""
    _, mark, attempt = row.key.rpartition("!")
    return int(attempt) if mark and row.status == "failed" and attempt.isdigit() else 0
