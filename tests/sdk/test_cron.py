"""Schedules that code declares, and the payload of their runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypedDict

import pytest

from mainspring import Context, Cron, ScheduledPayload, schedule, task
from mainspring.errors import InvalidTask
from mainspring.model.task import ScheduleSpec
from mainspring.sdk.registry import registry

TICK = (
    '{"type":"DECLARATIVE","scheduleId":"sched_1","timestamp":"2026-11-23T08:00:00Z",'
    '"firedAt":"2026-11-23T08:00:00.012Z","lastTimestamp":"2026-11-20T08:00:00Z",'
    '"timezone":"Europe/Berlin","upcoming":["2026-11-24T08:00:00Z"]}'
)


@pytest.fixture(autouse=True)
def alone() -> Any:
    with registry.isolated():
        yield


def test_several_expressions_are_told_to_the_server() -> None:
    @schedule("0 9 * * MON-FRI", "@every 10m", tz="Europe/Berlin", catch_up="all", queue="reports")
    async def report(tick: ScheduledPayload) -> None: ...

    @task(schedule=["0 0 * * *", Cron("0 12 * * *", tz="Asia/Tokyo", window="20%")])
    def clean() -> None: ...

    assert report.spec.queue == "reports"
    assert report.spec.schedules == (
        ScheduleSpec("0 9 * * MON-FRI", "Europe/Berlin", None, "all"),
        ScheduleSpec("@every 10m", "Europe/Berlin", None, "all"),
    )
    assert clean.spec.schedules == (
        ScheduleSpec("0 0 * * *"),
        ScheduleSpec("0 12 * * *", "Asia/Tokyo", "20%"),
    )


def test_a_tick_is_given_to_the_function() -> None:
    @schedule("0 9 * * *")
    async def typed(ctx: Context, tick: ScheduledPayload) -> None: ...

    @schedule("0 9 * * *")
    async def untyped(tick) -> None: ...  # type: ignore[no-untyped-def]

    class Own(TypedDict):
        timestamp: str

    @schedule("0 9 * * *")
    async def own(tick: Own) -> None: ...

    (tick,), _ = untyped.bind_payload(TICK)
    assert typed.bind_payload(TICK)[1] == {"tick": tick}
    assert own.bind_payload(TICK) == (({"timestamp": "2026-11-23T08:00:00Z"},), {})
    assert isinstance(tick, ScheduledPayload)
    assert tick.timestamp == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert (tick.local.hour, tick.local.tzinfo is not None) == (9, True)
    assert tick.upcoming == (datetime(2026, 11, 24, 8, tzinfo=UTC),)
    assert (tick.schedule_id, tick.external_id, tick.type) == ("sched_1", None, "DECLARATIVE")


@pytest.mark.parametrize(
    "given, why",
    [
        ("* * * *", "five fields"),
        ("60 * * * *", "the minute '60' cannot be read; allowed are 0-59"),
        ("0 9 * FOO *", "the month 'FOO' cannot be read; allowed are 1-12 and JAN-DEC"),
        ("0 0 30 2 *", "no month '2' has a day '30'"),
        ("@every 10", "not a duration"),
        ("@every 10ms", "1 second to 366 days"),
        ("@at 2026-02-30T10:00", "names no date"),
        (7, "schedule is 7"),
        (["0 9 * * *", "0 9 * * *"], "twice"),
    ],
)
def test_what_never_comes_is_refused_where_it_is_written(given: Any, why: str) -> None:
    with pytest.raises(InvalidTask, match="Task 'bad'") as raised:

        @task(schedule=given)
        def bad() -> None: ...

    assert why in raised.value.message


def test_zones_windows_and_empty_schedules_are_refused() -> None:
    for given in ({"tz": "Mars/Base"}, {"window": "3d"}, {"catch_up": "some"}):
        with pytest.raises(InvalidTask, match="Schedule: "):
            Cron("0 9 * * *", **given)
    with pytest.raises(InvalidTask, match="in front"):
        schedule()


def test_parameters_that_a_tick_cannot_fill_are_refused() -> None:
    @schedule("0 9 * * *")
    def two(day: str, hour: int = 0) -> None: ...

    with pytest.raises(InvalidTask, match="takes one ScheduledPayload or nothing; it takes day, h"):
        _ = two.spec
