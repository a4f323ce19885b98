"""Schedules fire: one run for each tick, whatever crashes, and what becomes of missed ticks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from mainspring.errors import InvalidOptions
from mainspring.model.run import Run
from mainspring.wire.operating import (
    DeleteSchedule,
    GetSchedule,
    NextTicks,
    RunSchedule,
    Schedule,
    SetSchedule,
    SwitchSchedule,
    Ticks,
)
from mainspring.wire.ticks import ScheduledPayload
from tests.engine.house import DAY, House

MINUTE, HOUR = 60_000, 3_600_000
START = 1_700_000_040_000
"""A whole minute."""


async def made(house: House, cron: str = "* * * * *", **given: Any) -> Schedule:
    found: Schedule = await house.ask(SetSchedule("work", cron, **given))
    return found


async def fired(house: House, schedule_id: str) -> list[ScheduledPayload]:
    """The payloads of a schedule's runs, by nominal time."""
    runs: list[Run] = []
    after = None
    while True:
        page = await house.page(schedule=(schedule_id,), after=after, limit=100)
        runs += page.runs
        after = page.next
        if after is None:
            break
    full = [await house.run(run.id) for run in runs]
    found = [msgspec.json.decode(run.payload or "", type=ScheduledPayload) for run in full]
    return sorted(found, key=lambda payload: payload.timestamp)


async def times(house: House, schedule_id: str) -> list[int]:
    """The nominal times of a schedule's runs."""
    return [ms(payload.timestamp) for payload in await fired(house, schedule_id)]


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def set_clock(house: House, now: int) -> None:
    house.clock.advance(now - house.clock.now())


@pytest.fixture(autouse=True)
async def at_start(house: House) -> None:
    await house.advance(START - house.clock.now())


async def test_each_tick_makes_one_run(house: House) -> None:
    house.worker()
    found = await made(house)
    await house.advance(MINUTE - 1)
    assert await times(house, found.id) == []
    await house.advance(1)
    assert await times(house, found.id) == [START + MINUTE]
    for _ in range(5):
        await house.advance(MINUTE)
    assert await times(house, found.id) == [START + at * MINUTE for at in range(1, 7)]
    assert await house.differences() == []


async def test_a_run_is_told_of_its_tick(house: House) -> None:
    house.worker(inside=True)
    found = await made(house, "30 9 * * *", timezone="Europe/Berlin", external_id="user-1")
    await house.advance(DAY)
    await house.advance(DAY)
    first, second = await fired(house, found.id)
    assert (first.type, first.schedule_id, first.external_id) == ("IMPERATIVE", found.id, "user-1")
    assert first.timestamp == datetime(2023, 11, 15, 8, 30, tzinfo=UTC)
    assert (first.timezone, first.local.hour, first.local.minute) == ("Europe/Berlin", 9, 30)
    assert first.last_timestamp is None
    assert second.last_timestamp == first.timestamp
    assert ms(second.fired_at) == house.clock.now()
    assert [at.day for at in second.upcoming] == [17, 18, 19, 20, 21]
    [run] = (await house.page(schedule=(found.id,), limit=1)).runs
    assert (run.task, run.status.value) == ("work", "dequeued")


async def test_schedules_fire_after_a_crash_and_in_other_hands(house: House) -> None:
    house.worker()
    found = await made(house)
    for _ in range(3):
        await house.advance(MINUTE)
        await house.crash()
    house.clock.advance(MINUTE)
    await house.take_over("server-2")
    await house.advance(0)
    await house.advance(MINUTE)
    assert await times(house, found.id) == [START + at * MINUTE for at in range(1, 6)]
    assert await house.differences() == []


@pytest.mark.parametrize("end", ["lost", "kept", "refused"])
async def test_a_doubtful_commit_fires_its_ticks_once(house: House, end: str) -> None:
    house.worker()
    several = [await made(house, timezone=zone) for zone in ("UTC", "Asia/Tokyo", "Asia/Kathmandu")]
    house.faults.next.extend([end, end])
    await house.advance(MINUTE)
    await house.advance(MINUTE)
    for one in several:
        assert await times(house, one.id) == [START + MINUTE, START + 2 * MINUTE]
    assert not house.faults.next
    assert await house.differences() == []


async def test_a_server_that_dies_while_it_fires_leaves_the_tick_to_the_next(house: House) -> None:
    house.worker()
    found = await made(house)
    house.faults.hold = lambda changes: bool(changes.tick)
    house.clock.advance(MINUTE)
    await house.engine.tick()
    await house.faults.held.wait()
    house.faults.hold = lambda changes: False
    await house.crash()
    await house.advance(0)
    assert await times(house, found.id) == [START + MINUTE]


async def test_two_owners_fire_a_tick_once(house: House) -> None:
    """What an owner fires that has lost its shard without knowing is fenced out."""
    house.worker()
    found = await made(house)
    old = house.engine
    await house.faults.leave(old.server_id)
    await house.start("server-2")
    house.clock.advance(MINUTE)
    old.owners[house.env.shard_id].ring_if_due()
    await house.advance(0)
    await old.owners[house.env.shard_id].idle()
    assert await times(house, found.id) == [START + MINUTE]


async def test_a_clock_that_goes_back_repeats_nothing(house: House) -> None:
    house.worker()
    found = await made(house, dedup_key="k")
    await house.advance(10 * MINUTE)
    seen = await times(house, found.id)
    set_clock(house, START)
    await house.advance(0)
    await house.ask(SwitchSchedule(found.id, False))
    again: Schedule = await house.ask(SwitchSchedule(found.id, True))
    assert again.next_at == START + 11 * MINUTE
    await made(house, timezone="Asia/Tokyo", dedup_key="k")
    await house.advance(10 * MINUTE)
    assert await times(house, found.id) == seen
    await house.advance(MINUTE)
    assert await times(house, found.id) == [*seen, START + 11 * MINUTE]


@pytest.mark.parametrize(
    "catch_up, expected",
    [
        ("latest", [30 * HOUR]),
        ("none", []),
        ("all", [at * HOUR for at in range(1, 31)]),
    ],
)
async def test_what_was_missed_is_caught_up_with(
    house: House, catch_up: str, expected: list[int]
) -> None:
    house.worker()
    set_clock(house, START - START % HOUR)
    begun = house.clock.now()
    found = await made(house, "0 * * * *", catch_up=catch_up)
    await house.advance(30 * HOUR + HOUR // 2)
    assert await times(house, found.id) == [begun + at for at in expected]
    await house.advance(HOUR // 2)
    assert (await times(house, found.id))[-1] == begun + 31 * HOUR
    assert (await house.ask(GetSchedule(found.id))).last_at == begun + 31 * HOUR


async def test_a_short_delay_misses_nothing(house: House) -> None:
    """Ticks that a takeover delays all come, also where missed ones would not."""
    house.worker()
    found = await made(house, "@every 5s", catch_up="none")
    await house.advance(30_000)
    assert await times(house, found.id) == [START + at * 5_000 for at in range(1, 7)]


async def test_all_that_was_missed_is_bounded(house: House) -> None:
    house.worker()
    found = await made(house, catch_up="all")
    await house.advance(365 * DAY)
    seen = await times(house, found.id)
    assert len(seen) == 102  # a hundred missed ones, and the last two which are in time
    assert seen[-1] == START + 365 * DAY
    assert len(set(seen)) == len(seen)


async def test_a_schedule_that_is_off_does_not_fire(house: House) -> None:
    house.worker()
    found = await made(house, "0 * * * *")
    await house.ask(SwitchSchedule(found.id, False))
    await house.advance(5 * HOUR)
    await house.crash()
    await house.advance(0)
    assert await times(house, found.id) == []
    on: Schedule = await house.ask(SwitchSchedule(found.id, True))
    await house.advance(0)
    assert await times(house, found.id) == []
    await house.advance(HOUR)
    assert await times(house, found.id) == [on.next_at]
    await house.ask(DeleteSchedule(found.id))
    await house.advance(HOUR)
    assert len(await times(house, found.id)) == 1
    assert await house.differences() == []


async def test_a_change_takes_effect_with_the_next_tick(house: House) -> None:
    house.worker()
    found = await made(house, "0 * * * *", dedup_key="k")
    changed = await made(house, "*/10 * * * *", dedup_key="k")
    assert changed.id == found.id
    await house.live(30 * MINUTE)
    first = START - START % (10 * MINUTE) + 10 * MINUTE
    assert await times(house, found.id) == [first + at * 10 * MINUTE for at in range(3)]
    assert await house.differences() == []


async def test_a_change_that_leaves_the_rule_loses_no_tick(house: House) -> None:
    house.worker()
    found = await made(house, dedup_key="k")
    house.clock.advance(MINUTE)
    await made(house, dedup_key="k", external_id="new")
    await house.advance(0)
    [only] = await fired(house, found.id)
    assert (ms(only.timestamp), only.external_id) == (START + MINUTE, "new")


async def test_a_date_comes_once(house: House) -> None:
    house.worker()
    found = await made(house, "@at 2023-11-15T09:30", timezone="Europe/Berlin")
    assert found.next_at == ms(datetime(2023, 11, 15, 8, 30, tzinfo=UTC))
    await house.advance(2 * DAY)
    await house.advance(2 * DAY)
    [only] = await fired(house, found.id)
    assert (ms(only.timestamp), only.upcoming) == (found.next_at, ())
    over: Schedule = await house.ask(GetSchedule(found.id))
    assert (over.active, over.next_at) == (False, None)
    with pytest.raises(InvalidOptions, match="no tick left"):
        await house.ask(SwitchSchedule(found.id, True))
    with pytest.raises(InvalidOptions, match="no tick left"):
        await made(house, "@at 2023-11-15T09:30:01Z")
    again: Schedule = await house.ask(SetSchedule("work", "@at 2024-01-01T00:00:00Z", id=found.id))
    assert again.active
    await house.advance(60 * DAY)
    assert len(await times(house, found.id)) == 2


async def test_windows_spread_what_comes_together(house: House) -> None:
    house.worker(slots=0)
    begun = house.clock.now() - house.clock.now() % HOUR + HOUR
    some = [await made(house, "0 * * * *", window="50%") for _ in range(20)]
    starts = [one.starts_at or 0 for one in some]
    assert all(begun <= at < begun + HOUR // 2 for at in starts)
    assert len(set(starts)) == 20
    set_clock(house, begun)
    await house.live(10 * MINUTE)
    early = [one.id for one, at in zip(some, starts, strict=True) if at <= house.clock.now()]
    assert 0 < len(early) < 20
    for one in some:
        assert await times(house, one.id) == ([begun] if one.id in early else [])
    await house.live(50 * MINUTE + HOUR // 2)
    for one in some:
        assert await times(house, one.id) == [begun, begun + HOUR]


async def test_a_schedule_runs_now_besides_its_ticks(house: House) -> None:
    house.worker()
    found = await made(house, "0 0 * * *")
    await house.ask(SwitchSchedule(found.id, False))
    answer = await house.ask(RunSchedule(found.id))
    [payload] = await fired(house, found.id)
    assert ms(payload.timestamp) == ms(payload.fired_at) == START
    assert [run.id for run in (await house.page(schedule=(found.id,))).runs] == [answer.run_id]
    assert (await house.ask(GetSchedule(found.id))).last_at is None


async def test_next_ticks_are_told_before_and_after_there_is_a_schedule(house: House) -> None:
    house.worker()
    found = await made(house, "0 12 * * *")
    asked: Ticks = await house.ask(NextTicks(found.id, count=3))
    assert asked.at == [(found.next_at or 0) + day * DAY for day in range(3)]
    assert await house.ask(NextTicks(cron="0 12 * * *", count=3)) == asked
    await house.ask(SwitchSchedule(found.id, False))
    assert await house.ask(NextTicks(found.id)) == Ticks([])
    for bad in (NextTicks(cron="0 12 * *"), NextTicks(found.id, count=101)):
        with pytest.raises(InvalidOptions):
            await house.ask(bad)


async def test_many_schedules_on_one_minute_all_fire(house: House) -> None:
    house.worker(slots=0)
    from_here = house.faults.changes
    for _ in range(1_200):
        await made(house)
    before = len(from_here)
    await house.advance(MINUTE)
    commits = [len(changes.run) for changes in from_here[before:] if changes.run]
    assert sum(commits) == 1_200
    assert len(commits) <= 3


async def test_idle_schedules_cost_nothing(house: House) -> None:
    house.worker()
    for day in range(1, 20):
        await made(house, f"0 0 {day} 1 *")
    assert len(house.owner.state.timers) == 0
    before = len(house.faults.changes)
    await house.live(10 * MINUTE)
    assert len(house.faults.changes) == before
