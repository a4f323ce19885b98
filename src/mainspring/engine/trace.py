"""The trace of a run: its spans and those of the runs below it. Reads rows, changes nothing."""

from __future__ import annotations

from typing import Final

from mainspring.engine import query, spans
from mainspring.engine.listing import tell_status
from mainspring.engine.owner import Owner
from mainspring.errors import NotFound
from mainspring.model.run import Run
from mainspring.model.tracing import span_id
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire.operating import Span, Trace, TraceRun

RUNS: Final = 100
SPANS: Final = 10_000
LINES: Final = 1_000
"""What one trace shows at most: runs, spans, and lines that the run itself wrote."""


async def trace(owner: Owner, env: EnvironmentRow, wanted: TraceRun) -> Trace:
    """The run and the runs below it, breadth first, until there is too much.

    Raises: NotFound for a run, and for a span that is not in its trace.
    """
    top = await query.one(owner, env, wanted.run_id)
    found = Trace(spans.trace_id(top), [])
    await _collect(owner, env, top, found)
    if wanted.span_id is not None:
        found.spans = spans.chosen(found.spans, wanted.span_id)
        if not found.spans:
            raise NotFound(f"Run {top.id} has no span {wanted.span_id[:60]!r} in its trace.")
        await _fill(owner, top, found.spans[0])
    return found


async def _collect(owner: Owner, env: EnvironmentRow, top: Run, found: Trace) -> None:
    shard_id, runs = owner.state.shard_id, owner.store.runs
    level, seen = [top], 1
    await owner.write_lines()
    parents: dict[str, str] = {}
    while level:
        ids = sorted(run.id for run in level)
        edges = await owner.store.waits.of_runs(shard_id, ids)
        told = await owner.store.runs.measuring.spans(shard_id, ids, SPANS)
        below: list[str] = []
        for run in level:
            room = SPANS - len(found.spans)
            if room <= 0:
                found.truncated = True
                return
            past = await owner.store.operations.past(shard_id, run.id, room + 1)
            open_ = [edge for edge in edges if edge.run_id == run.id]
            mine, made = spans.of_run(run, past[:room], open_)
            found.truncated |= len(past) > room
            mine[0].parent_id = parents.get(run.id)
            mine += spans.told(mine, [row for row in told if row.run_id == run.id])
            if run is top:
                lines = await runs.logs(shard_id, run.id, 0, LINES)
                spans.add_lines(mine, lines)
            found.spans += mine
            children = await runs.children(shard_id, run.id, "", RUNS - seen + 1)
            for child in children[: RUNS - seen]:
                parents[child] = made.get(child, "")
                below.append(child)
            found.truncated |= len(children) > RUNS - seen
            seen = min(seen + len(children), RUNS)
        level = await _briefs(owner, env, below)
        by_id = {span.run_id: span for span in found.spans if span.kind == "run"}
        for run in level:
            if not parents[run.id]:
                above = [span for span in found.spans if span.run_id == run.parent_id]
                parent = by_id[run.parent_id or ""]
                parents[run.id] = spans.around(parent.id, above, run.created_at)


async def _briefs(owner: Owner, env: EnvironmentRow, ids: list[str]) -> list[Run]:
    if not ids:
        return []
    found = await owner.store.runs.briefs(owner.state.shard_id, sorted(ids))
    mine = [run for run in found if run.env_id == env.env_id]
    for run in mine:
        tell_status(owner.state, run)
    return sorted(mine, key=lambda run: run.id)


async def _fill(owner: Owner, top: Run, span: Span) -> None:
    """Put the result of a span's entry, or the output of the run that was asked for, into it."""
    if span.id == span_id(top.id):
        span.data = top.output
        return
    if not span.key or span.key.startswith("!"):
        return
    wanted = [(span.run_id, span.key, span.generation)]
    for row in await owner.store.waits.entries(owner.state.shard_id, wanted):
        span.data = row.data
        if row.data_ref is not None:
            span.data = await owner.objects.get(row.data_ref)
