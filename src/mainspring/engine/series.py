"""Answers about metrics: which there are, and how one went over time. Rows are merged here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from mainspring.engine.owner import Owner
from mainspring.errors import InvalidOptions, NotFound
from mainspring.store.measuring import PointRow
from mainspring.store.protocol import EnvironmentRow
from mainspring.telemetry.book import HOUR_MS, MINUTE_MS, MINUTES_MS
from mainspring.telemetry.cell import Cell
from mainspring.telemetry.measures import BY_NAME, OWN
from mainspring.telemetry.spread import quantile
from mainspring.wire.measuring import (
    LabeledPoints,
    Metric,
    MetricList,
    MetricSeries,
    Point,
    ReadMetric,
)

ROWS: Final = 50_000
SERIES: Final = 100
POINTS: Final = 1_500
"""What one answer reads and shows at most: rows, series, and points of each."""

Values = tuple[str, ...]
_labels: Final = msgspec.json.Decoder(dict[str, str]).decode
_buckets: Final = msgspec.json.Decoder(dict[int, int]).decode


async def names(owner: Owner, env: EnvironmentRow) -> MetricList:
    """Our own metrics, and those of programs that have been seen."""
    await owner.measures.flush()
    rows = await owner.store.runs.measuring.names(owner.state.shard_id, env.env_id, HOUR_MS)
    found = [Metric(one.name, one.kind, one.unit, one.words, list(one.labels)) for one in OWN]
    found += [
        Metric(name, kind, labels=sorted(_labels(labels)))
        for name, kind, labels in rows
        if name not in BY_NAME
    ]
    return MetricList(found)


async def read(owner: Owner, env: EnvironmentRow, wanted: ReadMetric) -> MetricSeries:
    """One metric over time. Raises: NotFound, InvalidOptions."""
    now = owner.state.clock.now()
    until = now + 1 if wanted.until is None else wanted.until
    if not 0 <= wanted.since < until <= now + HOUR_MS:
        raise InvalidOptions(
            f"since is {wanted.since} and until {until}; expected epoch milliseconds, since before "
            "until, and until not in the future."
        )
    step, base = step_of(wanted.step_ms, wanted.since, until, now)
    since = wanted.since - wanted.since % step
    await owner.measures.flush()
    rows = await owner.store.runs.measuring.read(
        owner.state.shard_id, env.env_id, base, wanted.name, since, until, ROWS + 1
    )
    own = BY_NAME.get(wanted.name)
    if not rows and own is None and wanted.name not in await _known(owner, env):
        raise NotFound(f"No metric {wanted.name[:80]!r} in this environment; list_metrics has all.")
    kind = rows[0].kind if rows else own.kind if own is not None else "counter"
    series = _merged(rows[:ROWS], wanted, step, kind)
    shown = sorted(series.items())[:SERIES]
    return MetricSeries(
        wanted.name,
        kind,
        own.unit if own is not None else "",
        since,
        until,
        step,
        [_shown(wanted.by, values, cells) for values, cells in shown],
        truncated=len(rows) > ROWS or len(series) > SERIES,
    )


def step_of(wanted_ms: int, since: int, until: int, now: int) -> tuple[int, int]:
    """(the step of an answer, the stretch of the rows that it is made of)."""
    least = max(wanted_ms, (until - since) // POINTS, MINUTE_MS)
    base = MINUTE_MS if since > now - MINUTES_MS and least < HOUR_MS else HOUR_MS
    return -(-least // base) * base, base


async def _known(owner: Owner, env: EnvironmentRow) -> set[str]:
    rows = await owner.store.runs.measuring.names(owner.state.shard_id, env.env_id, HOUR_MS)
    return {name for name, _, _ in rows}


def _merged(
    rows: Iterable[PointRow], wanted: ReadMetric, step: int, kind: str
) -> dict[Values, dict[int, Cell]]:
    """Cells by the values of the labels that are asked for, and by time."""
    alone: dict[tuple[Values, str, int], Cell] = {}
    for row in rows:
        labels = _labels(row.labels)
        if any(labels.get(name, "") != value for name, value in wanted.where.items()):
            continue
        values = tuple(labels.get(name, "") for name in wanted.by)
        place = (values, row.labels, row.at - row.at % step)
        alone.setdefault(place, Cell()).join(_cell(row))
    series: dict[Values, dict[int, Cell]] = {}
    for (values, _, at), cell in alone.items():
        cells = series.setdefault(values, {})
        if at not in cells:
            cells[at] = cell
        elif kind == "gauge":
            cells[at] = _together(cells[at], cell)
        else:
            cells[at].join(cell)
    return series


def _cell(row: PointRow) -> Cell:
    cell = Cell()
    cell.count, cell.total, cell.last = row.count, row.total, row.last
    cell.low, cell.high = row.low, row.high
    cell.buckets = _buckets(row.buckets) if row.buckets else {}
    return cell


def _together(one: Cell, other: Cell) -> Cell:
    """Two gauges that stood side by side, as their sum."""
    cell = Cell()
    cell.count = 1
    cell.total = one.total / (one.count or 1) + other.total / (other.count or 1)
    cell.low, cell.high = one.low + other.low, one.high + other.high
    cell.last = one.last + other.last
    return cell


def _shown(by: Values, values: Values, cells: dict[int, Cell]) -> LabeledPoints:
    points = [_point(at, cell) for at, cell in sorted(cells.items())]
    return LabeledPoints(dict(zip(by, values, strict=True)), points)


def _point(at: int, cell: Cell) -> Point:
    point = Point(at, cell.count, cell.total, cell.low, cell.high, cell.last)
    if cell.buckets:
        point.p50, point.p95, point.p99 = (
            quantile(cell.buckets, share, cell.low, cell.high) for share in (0.5, 0.95, 0.99)
        )
    return point
