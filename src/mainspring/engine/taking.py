"""Take what other programs tell: find the run whose trace it is in, and keep it with that."""

from __future__ import annotations

import msgspec

from mainspring.engine.owner import Owner
from mainspring.engine.telling import SPANS
from mainspring.model import tracing
from mainspring.model.limits import LONGEST_MS
from mainspring.model.redaction import Redaction
from mainspring.model.run import Run
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire.measuring import GivenLine, Taken, TakeTelemetry
from mainspring.wire.telling import ToldSpan
from mainspring.wire.worker import LogLine

RUNS = 100
"""Runs of one trace that are looked at."""
ATTEMPTS = 20
DEPTH = 100
"""Spans of one request above each other that are climbed."""
LINE = 64 * 1024
DATA = 16 * 1024
TRACES = 50
"""Traces that one request may name; what is in further ones is not taken."""
UNKNOWN = "no run of this environment is in that trace"


async def take(owner: Owner, env: EnvironmentRow, given: TakeTelemetry) -> Taken:
    """Keep spans, lines and metrics, without secrets, which other programs do not take out.

    Raises: StoreUnavailable.
    """
    redaction = await owner.variables.redaction(env)
    if redaction:
        given = _hidden(redaction, given)
    rejected = len(given.metrics) - owner.tellings.measured(env.env_id, given.metrics)
    words = "a metric has a name, labels or numbers that are not taken" if rejected else ""
    traces = {one.trace_id for one in given.spans} | {one.trace_id for one in given.lines}
    found: dict[str, dict[str, str]] = {trace: {} for trace in traces}
    for trace in sorted(traces)[:TRACES]:
        found[trace] = await _places(owner, env, trace)
    named = await _named(owner, env, given)
    spans: list[ToldSpan] = []
    told: dict[str, str] = {}
    parents = {one.span.span_id: one.span.parent_id for one in given.spans}
    for one in given.spans:
        places = found[one.trace_id]
        run_id = _run_of(one.run_id, _above(one.span.parent_id, parents, places), places, named)
        if not run_id:
            rejected, words = rejected + 1, UNKNOWN
            continue
        told[one.span.span_id] = run_id
        spans.append(msgspec.structs.replace(one.span, run_id=run_id))
    kept = owner.tellings.spans(env.env_id, spans)
    if kept < len(spans):
        rejected, words = rejected + len(spans) - kept, "spans are not as they must be, or too many"
    lines: list[LogLine] = []
    for line in given.lines:
        places = found[line.trace_id] | told
        run_id = _run_of(line.run_id, line.span_id, places, named)
        if not run_id:
            rejected, words = rejected + 1, UNKNOWN
            continue
        lines.append(_line(run_id, line, owner.state.clock.now()))
    refused = owner.tellings.take_lines(env.env_id, lines)
    if refused:
        rejected, words = rejected + refused, "there are too many lines"
    return Taken(rejected, words)


def _hidden(redaction: Redaction, given: TakeTelemetry) -> TakeTelemetry:
    text, json, replace = redaction.text, redaction.json, msgspec.structs.replace
    spans = [
        replace(
            one,
            span=replace(
                one.span,
                name=text(one.span.name),
                error=None if one.span.error is None else text(one.span.error),
                attributes=json(one.span.attributes),
            ),
        )
        for one in given.spans
    ]
    lines = [
        replace(line, message=text(line.message), data=json(line.data)) for line in given.lines
    ]
    metrics = [
        replace(one, labels=tuple((name, text(value)) for name, value in one.labels))
        for one in given.metrics
    ]
    return TakeTelemetry(spans, lines, metrics)


def _run_of(named_id: str, span_id: str, places: dict[str, str], named: set[str]) -> str:
    """The run that was named, or the one in whose span it happened, or the first of the trace."""
    if named_id in named:
        return named_id
    return places.get(span_id) or places.get("", "")


def _above(span_id: str, parents: dict[str, str], places: dict[str, str]) -> str:
    """The nearest span above, itself among them, that a run is known of."""
    for _ in range(DEPTH):
        if span_id in places or span_id not in parents:
            break
        span_id = parents[span_id]
    return span_id


async def _named(owner: Owner, env: EnvironmentRow, given: TakeTelemetry) -> set[str]:
    told = {one.run_id for one in given.spans} | {one.run_id for one in given.lines}
    wanted = sorted(filter(_is_id, told))[:RUNS]
    if not wanted:
        return set()
    runs = await owner.store.runs.briefs(owner.state.shard_id, wanted)
    return {run.id for run in runs if run.env_id == env.env_id}


async def _places(owner: Owner, env: EnvironmentRow, trace_id: str) -> dict[str, str]:
    """The runs of a trace by their spans; the first run of it by ""."""
    shard_id, runs = owner.state.shard_id, owner.store.runs
    root = tracing.root_of(trace_id)
    if root is not None:
        level = [root]
    elif _is_id(trace_id):
        level = await owner.store.runs.measuring.callers(shard_id, env.env_id, trace_id, RUNS)
    else:
        return {}
    places: dict[str, str] = {}
    seen = 0
    while level and seen < RUNS:
        briefs = await runs.briefs(shard_id, sorted(level))
        level = []
        for run in sorted(briefs, key=lambda run: run.id):
            if run.env_id == env.env_id and seen < RUNS:
                seen += 1
                places |= await _spans(owner, run, max(SPANS - len(places), 0))
                places.setdefault("", run.id)
                level += await runs.children(shard_id, run.id, "", RUNS)
    return places


async def _spans(owner: Owner, run: Run, most: int) -> dict[str, str]:
    keys = (
        tracing.OF_RUN,
        *(tracing.attempt_key(n + 1) for n in range(min(run.attempt, ATTEMPTS))),
    )
    found = {tracing.span_id(run.id, key): run.id for key in keys}
    rows = await owner.store.runs.measuring.spans(owner.state.shard_id, [run.id], most)
    return found | {row.span_id: run.id for row in rows}


def _is_id(text: str) -> bool:
    return bool(text) and text.isascii() and "\0" not in text


def _line(run_id: str, line: GivenLine, now: int) -> LogLine:
    data = line.data if len(line.data) <= DATA else '{"dropped":"too long"}'
    at = line.at if 0 < line.at < LONGEST_MS else now
    return LogLine(run_id, at, line.level, line.message[:LINE], data)
