"""What a shard measures by itself, kept by minute and hour, and told over time."""

from __future__ import annotations

import pytest

from mainspring.errors import InvalidOptions, NotFound
from mainspring.model.run import RunError
from mainspring.store.measuring import MetricRow
from mainspring.telemetry.book import HOUR_MS, MINUTE_MS, MINUTES_MS
from mainspring.wire.measuring import (
    CountLines,
    LineCounts,
    ListMetrics,
    MetricList,
    MetricSeries,
    ReadMetric,
)
from mainspring.wire.observing import ListErrors
from mainspring.wire.worker import Capacity, LogLine, Logs
from tests.engine.house import DAY, House


async def read(house: House, name: str, *by: str, **wanted: object) -> MetricSeries:
    wanted.setdefault("since", house.clock.now() - HOUR_MS)
    found: MetricSeries = await house.ask(ReadMetric(name, by=by, **wanted))  # type: ignore[arg-type]
    return found


async def totals(house: House, name: str, *by: str, **wanted: object) -> dict[str, float]:
    """By the values of the labels, how much a counter grew in all."""
    found = await read(house, name, *by, **wanted)
    return {
        "/".join(one.labels.values()): sum(point.total for point in one.points)
        for one in found.series
    }


async def worked(house: House) -> None:
    """Three runs: two complete after 40 ms and 400 ms, one fails."""
    worker = house.worker(slots=3)
    runs = [await house.trigger() for _ in range(3)]
    await house.settle()
    worker.begin(*runs)
    house.clock.advance(40)
    worker.finish(runs[0])
    await house.settle()
    house.clock.advance(360)
    worker.finish(runs[1])
    worker.finish(runs[2], outcome="aborted")
    await house.settle()


async def test_runs_are_counted_by_task_queue_and_status(house: House) -> None:
    await worked(house)
    for name in ("runs.triggered", "runs.started"):
        assert await totals(house, name, "task", "queue") == {"work/task/work": 3}
    assert await totals(house, "runs.ended", "status") == {"completed": 2, "failed": 1}
    assert await totals(house, "runs.ended", where={"status": "failed"}) == {"": 1}


async def test_durations_have_quantiles(house: House) -> None:
    await worked(house)
    [series] = (await read(house, "runs.duration")).series
    [point] = series.points
    assert (point.count, point.low, point.high, point.total) == (3, 40, 400, 840)
    assert point.p50 == pytest.approx(400, rel=0.1)
    assert point.p99 == pytest.approx(400, rel=0.1)


async def test_a_run_waits_from_when_it_is_ready(house: House) -> None:
    worker = house.worker(slots=0)
    await house.trigger(delay_ms=5_000)
    await house.live(6_000)
    house.clock.advance(1_000)
    worker.send(Capacity(1))
    house.owner.ring()
    await house.settle()
    [series] = (await read(house, "runs.wait")).series
    assert 1_000 <= series.points[0].high <= 3_000


async def test_queues_and_workers_are_looked_at_every_ten_seconds(house: House) -> None:
    house.worker(slots=2)
    for _ in range(3):
        await house.trigger()
    await house.advance(10_000)
    for name, value in (
        ("queue.queued", 1),
        ("queue.running", 2),
        ("workers.slots", 2),
        ("workers.running", 2),
        ("workers.sessions", 1),
    ):
        [series] = (await read(house, name)).series
        assert series.points[-1].last == value, name


async def test_a_retry_is_counted(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    await house.settle()
    worker.begin(run_id)
    worker.finish(run_id, outcome="failed")
    await house.settle()
    assert await totals(house, "attempts.retried", "queue") == {"task/work": 1}


async def test_failures_are_counted_by_what_they_have_in_common(house: House) -> None:
    worker = house.worker()
    for name in ("ValueError", "ValueError", "KeyError"):
        run_id = await house.trigger()
        await house.settle()
        worker.begin(run_id)
        worker.finish(run_id, outcome="aborted", error=RunError("no", name))
        await house.settle()
    groups = (await house.ask(ListErrors())).groups
    known = {group.id: group.count for group in groups}
    assert sorted(known.values()) == [1, 2]
    assert await totals(house, "runs.failed", "error") == known


async def test_minutes_become_one_step_and_hours_stay_longer(house: House) -> None:
    began = house.clock.now()
    house.worker()
    for _ in range(3):
        await house.trigger()
        await house.advance(MINUTE_MS)
    found = await read(house, "runs.triggered", since=began)
    assert [point.total for point in found.series[0].points] == [1, 1, 1]
    wide = await read(house, "runs.triggered", since=began, step_ms=10 * MINUTE_MS)
    assert sum(point.total for point in wide.series[0].points) == 3
    assert wide.step_ms == 10 * MINUTE_MS
    await house.advance(MINUTES_MS + HOUR_MS)
    hours = await read(house, "runs.triggered", since=began)
    assert hours.step_ms == HOUR_MS
    assert sum(point.total for point in hours.series[0].points) == 3


async def test_a_new_owner_goes_on_counting(house: House) -> None:
    house.worker()
    await house.trigger()
    await house.advance(10_000)
    await house.crash()
    await house.trigger()
    assert await totals(house, "runs.triggered") == {"": 2}
    await house.engine.stop()
    await house.start()
    assert await totals(house, "runs.triggered") == {"": 2}


async def test_old_rows_are_deleted_and_hours_as_long_as_is_said(house: House) -> None:
    house.engine.keep_metrics_ms = 90 * DAY
    began = house.clock.now()
    house.worker()
    await house.trigger()
    await house.advance(10_000)
    shard_id, env_id = house.env.shard_id, house.env.env_id

    async def rows(step_ms: int) -> int:
        reading = house.store.runs.measuring.read
        return len(await reading(shard_id, env_id, step_ms, "runs.triggered", 0, 1 << 60, 10))

    assert (await rows(MINUTE_MS), await rows(HOUR_MS)) == (1, 1)
    house.clock.advance(3 * DAY)
    for _ in range(3):
        await house.advance(HOUR_MS)
    assert (await rows(MINUTE_MS), await rows(HOUR_MS)) == (0, 1)
    house.clock.advance(90 * DAY)
    for _ in range(3):
        await house.advance(HOUR_MS)
    assert await rows(HOUR_MS) == 0
    assert (await read(house, "runs.triggered", since=began)).series == []


async def test_more_rows_are_deleted_than_are_written_in_the_same_time(house: House) -> None:
    minute = house.clock.now() - house.clock.now() % MINUTE_MS
    shard_id, env_id, measuring = house.env.shard_id, house.env.env_id, house.store.runs.measuring
    many = [
        MetricRow(
            env_id, MINUTE_MS, "size", minute, f'{{"n":"{n}"}}', 1, "gauge", 1, 1, 1, 1, 1, None
        )
        for n in range(1_201)
    ]
    await measuring.set(shard_id, many)
    house.clock.advance(3 * DAY)
    await house.advance(10_000)
    assert await measuring.read(shard_id, env_id, MINUTE_MS, "size", 0, 1 << 60, 1) == []


async def test_what_is_measured_is_listed(house: House) -> None:
    found: MetricList = await house.ask(ListMetrics())
    by_name = {one.name: one for one in found.metrics}
    assert by_name["runs.ended"].labels == ["queue", "status", "task"]
    assert by_name["runs.duration"].unit == "ms"


async def test_what_cannot_be_read_is_said(house: House) -> None:
    with pytest.raises(NotFound, match="list_metrics"):
        await read(house, "nothing.known")
    with pytest.raises(InvalidOptions, match="since"):
        await read(house, "runs.ended", since=house.clock.now() + DAY)


async def test_lines_are_counted_over_time(house: House) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger()
    await house.settle()
    worker.begin(run_id)
    began = house.clock.now()
    for level, text in (("info", "Card taken"), ("warning", "Card worn"), ("error", "No card")):
        at = house.clock.now()
        worker.send(Logs([LogLine(run_id, at, level, text)]))
        await house.advance(MINUTE_MS)

    async def counts(**wanted: object) -> list[tuple[int, int, int, int]]:
        found: LineCounts = await house.ask(CountLines(began, **wanted))  # type: ignore[arg-type]
        return [(one.debug, one.info, one.warn, one.error) for one in found.buckets]

    assert await counts() == [(0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)]
    assert await counts(level="warn") == [(0, 0, 1, 0), (0, 0, 0, 1)]
    assert await counts(text="card w") == [(0, 0, 1, 0)]
    assert await counts(task="other") == []
    assert await counts(text="card", buckets=1) == [(0, 1, 1, 1)]
    with pytest.raises(InvalidOptions):
        await counts(level="loud")
