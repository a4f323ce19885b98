"""Requests and responses of what is measured: metrics over time, and how many lines runs wrote.

They are part of the table in `wire.calls`, through which they are used.
"""

from __future__ import annotations

from msgspec import Struct

from mainspring.wire.telling import ToldMetric, ToldSpan


class ListMetrics(Struct, tag="list_metrics"):
    """What is measured in this environment → MetricList."""


class Metric(Struct):
    """`kind`: counter, gauge, histogram. `labels` are names; `words` is "" for a program's own."""

    name: str
    kind: str
    unit: str = ""
    words: str = ""
    labels: list[str] = []


class MetricList(Struct):
    metrics: list[Metric]


class ReadMetric(Struct, tag="read_metric"):
    """One metric over time → MetricSeries. `by` are the labels that make a series of their own;
    `where` are values that labels must have. Minutes are kept for two days, hours for longer, so
    that `step_ms` grows where it has to, and beyond 1,500 points. Raises NotFound, InvalidOptions.
    """

    name: str
    since: int
    until: int | None = None
    step_ms: int = 60_000
    by: tuple[str, ...] = ()
    where: dict[str, str] = {}


class Point(Struct):
    """What was seen from `at` on for one step. A counter grew by `total`; a gauge stood at `last`
    (several that are shown as one are added up); of a histogram the quantiles are 9 % off at most.
    """

    at: int
    count: int
    total: float
    low: float
    high: float
    last: float
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class LabeledPoints(Struct):
    """One series, in order; a step in which nothing was seen has no point."""

    labels: dict[str, str]
    points: list[Point]


class MetricSeries(Struct):
    """`step_ms` is what was used. `truncated`: there are more rows or series than are shown."""

    name: str
    kind: str
    unit: str
    since: int
    until: int
    step_ms: int
    series: list[LabeledPoints]
    truncated: bool = False


class CountLines(Struct, tag="count_lines"):
    """How many lines of all runs there are over time, of those that `FindLines` finds → LineCounts.

    With a `text` the newest 20,000 lines are looked through, without one all are counted, a minute
    at least in each bucket.
    """

    since: int
    until: int | None = None
    text: str = ""
    level: str = "debug"
    task: str | None = None
    buckets: int = 60


class LineBucket(Struct):
    """Lines by level from `at` on."""

    at: int
    debug: int = 0
    info: int = 0
    warn: int = 0
    error: int = 0


class LineCounts(Struct):
    """Buckets that have lines, in order. `searched_to`: what is older was not looked at."""

    since: int
    until: int
    step_ms: int
    buckets: list[LineBucket]
    searched_to: int | None = None


class GivenSpan(Struct):
    """A span of another program. `run_id` is "" where only its trace says whose it is."""

    trace_id: str
    span: ToldSpan
    run_id: str = ""


class GivenLine(Struct):
    """A line of another program, with JSON text beside it."""

    trace_id: str
    at: int
    level: str
    message: str
    data: str
    run_id: str = ""
    span_id: str = ""


class TakeTelemetry(Struct, tag="take_telemetry"):
    """What programs tell that are no runs → Taken. Spans and lines become those of the run whose
    trace they are in.
    """

    spans: list[GivenSpan] = []
    lines: list[GivenLine] = []
    metrics: list[ToldMetric] = []


class Taken(Struct):
    """How many spans and lines, or metrics, were not taken, and why."""

    rejected: int = 0
    words: str = ""


MeasuringRequest = ListMetrics | ReadMetric | CountLines | TakeTelemetry
MeasuringResponse = MetricList | MetricSeries | LineCounts | Taken
MEASURING: dict[type[Struct], type[Struct]] = {
    ListMetrics: MetricList,
    ReadMetric: MetricSeries,
    CountLines: LineCounts,
    TakeTelemetry: Taken,
}
