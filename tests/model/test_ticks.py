"""Ticks around changes of the clocks, as cronsim has them; and missed ticks."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import assume, given, settings, strategies as st

from mainspring.errors import InvalidOptions
from mainspring.model import schedule
from mainspring.model.firing import LATE_MS, MOST, Timing
from tools.crons import disagreements, is_regular, theirs

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
ZONES = (
    "UTC", "America/New_York", "Europe/Berlin", "Europe/London", "Australia/Sydney",
    "Africa/Casablanca", "America/Sao_Paulo", "Asia/Kathmandu", "Asia/Beirut", "Africa/Cairo",
    "Pacific/Apia", "Pacific/Chatham", "Antarctica/Troll", "America/St_Johns", "Asia/Tehran",
)  # fmt: skip
"""Without Australia/Lord_Howe: where clocks change by half an hour, cronsim leaves out ticks by
where it began to look."""
FIRST, LAST = datetime(2012, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
"""Before 2012 clocks of America/St_Johns went back over midnight, where cronsim finds no end."""
REGULAR = tuple(zone for zone in ZONES if is_regular(zone))
"""Those of which cronsim leaves out no ticks."""
MANY = settings(max_examples=5 * settings.default.max_examples)


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


@functools.cache
def changes(zone: str) -> list[int]:
    """When the clocks of a zone change, to the hour."""
    info, found, at = ZoneInfo(zone), [], FIRST
    while at < LAST:
        after = at + timedelta(days=1)
        if at.astimezone(info).utcoffset() != after.astimezone(info).utcoffset():
            hour = at
            while hour.astimezone(info).utcoffset() == at.astimezone(info).utcoffset():
                hour += timedelta(hours=1)
            found.append(ms(hour))
        at = after
    return found or [ms(FIRST)]


@st.composite
def fields(draw: st.DrawFn, low: int, high: int, *special: str) -> str:
    """One field of a cron expression."""
    one = st.integers(low, high)
    kind = draw(st.sampled_from(["*", "*", "*/", "one", "list", "range", "step", "special"]))
    if kind == "*" or (kind == "special" and not special):
        return "*"
    if kind == "*/":
        return f"*/{draw(st.integers(1, high))}"
    if kind == "one":
        return str(draw(one))
    if kind == "list":
        return ",".join(map(str, draw(st.lists(one, min_size=2, max_size=3))))
    if kind == "special":
        return draw(st.sampled_from(special))
    begin, end = sorted((draw(one), draw(one)))
    return f"{begin}-{end}" if kind == "range" else f"{begin}-{end}/{draw(st.integers(1, 9))}"


crons = st.tuples(
    fields(0, 59), fields(0, 23), fields(1, 31, "L", "LW"), fields(1, 12, "MAR", "OCT-NOV"),
    fields(0, 7, "SUN", "MON-FRI", "5L", "1#2"),
).map(" ".join)  # fmt: skip
frequent = st.tuples(fields(0, 59), fields(0, 23)).map(lambda two: f"{two[0]} {two[1]} * * *")


@st.composite
def moments(draw: st.DrawFn, zones: tuple[str, ...] = ZONES) -> tuple[str, int]:
    """A zone, and a moment in the days around a change of its clocks."""
    zone = draw(st.sampled_from(zones))
    return zone, draw(st.sampled_from(changes(zone))) + draw(st.integers(-2 * DAY, 2 * DAY))


def readable(cron: str, zone: str) -> None:
    try:
        schedule.check(cron, zone)
    except InvalidOptions:
        assume(False)


def told(cron: str, zone: str, begin: int, until: int) -> list[int]:
    """The ticks that cronsim comes to from `begin` on, up to the first one after `until`."""
    found = []
    for tick in CronSim(cron, datetime.fromtimestamp(begin / 1000, UTC).astimezone(ZoneInfo(zone))):
        found.append(ms(tick))
        if found[-1] > until:
            break
    return found


@MANY
@given(crons | frequent, moments(REGULAR))
def test_the_next_tick_is_the_one_that_cron_comes_to(cron: str, at: tuple[str, int]) -> None:
    """Wherever one begins to look, also within an hour that is left out or comes twice."""
    zone, after = at
    readable(cron, zone)
    expected = told(cron, zone, after - DAY // 4, after)
    assert schedule.next_tick(cron, zone, after) == expected[-1]
    assert expected == sorted(set(expected))


@MANY
@given(frequent, moments(), st.integers(1, 7))
def test_ticks_are_the_same_one_by_one_and_together(
    cron: str, at: tuple[str, int], count: int
) -> None:
    zone, after = at
    readable(cron, zone)
    together = schedule.ticks(cron, zone, after, count)
    one_by_one = []
    for _ in range(count):
        tick = schedule.next_tick(cron, zone, after)
        assert tick is not None
        one_by_one.append(after := tick)
    assert list(together) == one_by_one


@given(crons | st.sampled_from(["@every 90s", "@every 6h", "* * * * *"]), moments(),
       st.integers(0, 20 * DAY), st.integers(1, 40))  # fmt: skip
def test_the_newest_ticks_are_the_last_ones(
    cron: str, at: tuple[str, int], later: int, count: int
) -> None:
    zone, after = at
    readable(cron, zone)
    if cron.startswith("* *") or cron.startswith("@every 9"):
        later //= 20
    now = after + later
    first = schedule.next_tick(cron, zone, after)
    assert first is not None
    everything, tick = [], first
    while tick is not None and tick <= now:
        everything.append(tick)
        tick = schedule.next_tick(cron, zone, tick)
    assert schedule.newest(cron, zone, first, now, count) == everything[-count:]


@given(
    frequent | st.sampled_from(["@every 1s", "@every 45s", "@every 7h"]),
    moments(),
    st.sampled_from(["latest", "none", "all"]),
    st.sampled_from([None, "30m", "50%", "100%"]),
    st.lists(st.integers(0, 3 * DAY) | st.integers(0, 10_000), min_size=1, max_size=6),
)
def test_no_tick_is_fired_twice_early_or_forgotten(
    cron: str, at: tuple[str, int], catch_up: str, window: str | None, pauses: list[int]
) -> None:
    """However long the pauses between looks are, what each look fires follows upon the last."""
    zone, now = at
    readable(cron, zone)
    timing = Timing(cron, zone, window, catch_up, "key")
    state = timing.begin(now)
    last = now
    for pause in pauses:
        now += pause
        assert state.next_at is not None
        assert state.next_at > last
        if state.fire_at > now:
            continue
        fired = timing.fire(state.next_at, now)
        assert fired.fire_at > now
        assert list(fired.ticks) == sorted(set(fired.ticks))
        assert all(last < tick <= now for tick in fired.ticks)
        late = [tick for tick in fired.ticks if now - tick > LATE_MS]
        if window is None:
            assert len(late) <= {"latest": 1, "none": 0, "all": MOST}[catch_up]
            recent = max(state.next_at, now - LATE_MS)
            due = takewhile(now.__ge__, schedule.ticks(cron, zone, recent - 1, 99))
            assert set(due) <= set(fired.ticks)
            assert fired.ticks or catch_up == "none"
        last, state = max(last, *fired.ticks, state.next_at), fired


def test_random_schedules_agree_with_cronsim() -> None:
    """`./dev crons` compares 100,000, and tells what is left out here: where cronsim contradicts
    itself, which comes next by where it began to look.
    """
    found = list(disagreements(300, 7, schedule.zones()))
    assert [one.text for one in found if not one.doubtful] == []


@pytest.mark.timeout(10)
def test_a_comparison_ends_where_cronsim_goes_in_a_circle() -> None:
    cron, zone, after = "* 3-22/9 * * *", "NZ-CHAT", ms(datetime(2028, 4, 1, 20, tzinfo=UTC))
    assert theirs(cron, zone, after) == ()
    assert len(schedule.ticks(cron, zone, after, 3)) == 3


ODD = {
    "Australia/Lord_Howe": datetime(2026, 4, 4, 12, tzinfo=UTC),  # back by half an hour
    "America/St_Johns": datetime(2010, 11, 7, tzinfo=UTC),  # back over midnight
    "America/Sao_Paulo": datetime(2015, 10, 17, 12, tzinfo=UTC),  # forward at midnight
    "Africa/Monrovia": datetime(1972, 1, 6, 12, tzinfo=UTC),  # by 44 minutes and 30 seconds
}


@pytest.mark.parametrize("zone", ODD)
@pytest.mark.parametrize(
    "cron", ["*/7 * * * *", "* 0 * * *", "*/30 23 6 * *", "10 */1 * * SUN,SAT"]
)
def test_real_time_is_what_the_clock_on_the_wall_shows(cron: str, zone: str) -> None:
    """Also where cronsim leaves out ticks or finds no end."""
    read, begin = CronSim(cron, FIRST), ms(ODD[zone])
    shown = []
    for at in range(begin, begin + DAY + DAY // 2, 30_000):
        wall = datetime.fromtimestamp(at / 1000, ZoneInfo(zone))
        if wall.second == 0 and wall.minute in read.minutes and wall.hour in read.hours:
            shown += [at] if wall.month in read.months and read.match_day(wall.date()) else []
    found = schedule.ticks(cron, zone, begin - 1, len(shown) + 1)
    assert list(found[:-1]) == shown
    assert found[-1] >= begin + DAY + DAY // 2


@pytest.mark.parametrize("cron", ["0 0 30 2 *", "0 0 */20 * MON#2", "59 23 31 2,4,6,9,11 *"])
def test_a_day_that_never_comes_is_refused(cron: str) -> None:
    with pytest.raises(InvalidOptions, match="no day that ever comes"):
        schedule.check(cron, "America/St_Johns")


def test_a_whole_day_that_is_left_out_comes_at_its_end() -> None:
    apia = ("0-59 0-23 30 12 *", "Pacific/Apia", ms(datetime(2011, 12, 29, tzinfo=UTC)))
    end, following = schedule.ticks(*apia, 2)
    assert end == ms(datetime(2011, 12, 30, 10, tzinfo=UTC))  # the 31st begins
    assert following == ms(datetime(2012, 12, 29, 10, tzinfo=UTC))


@pytest.mark.parametrize(
    "text, zone, expected",
    [
        ("@at 2026-12-24T18:00", "Europe/Berlin", datetime(2026, 12, 24, 17, tzinfo=UTC)),
        ("@at 2026-12-24T18:00:00Z", "Europe/Berlin", datetime(2026, 12, 24, 18, tzinfo=UTC)),
        ("@at 2026-12-24", "UTC", datetime(2026, 12, 24, tzinfo=UTC)),
        ("@at 2026-03-29T02:30", "Europe/Berlin", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        ("@at 2026-10-25T02:30", "Europe/Berlin", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
    ],
)
def test_a_date_is_one_tick(text: str, zone: str, expected: datetime) -> None:
    schedule.check(text, zone)
    assert schedule.ticks(text, zone, 0, 5) == (ms(expected),)
    assert schedule.next_tick(text, zone, ms(expected)) is None
    assert schedule.describe(text).startswith("Once")


def test_intervals_are_whole_multiples() -> None:
    assert schedule.ticks("@every 10m", "UTC", 1, 3) == (600_000, 1_200_000, 1_800_000)
    assert schedule.next_tick("@every 1h", "Asia/Kathmandu", HOUR) == 2 * HOUR
    assert schedule.describe("@every 90s") == "Every 1m30s"
    for wrong in ("@every 0s", "@every 999ms", "@every 367d", "@every", "@every x", "@every -1s"):
        with pytest.raises(InvalidOptions, match="cron"):
            schedule.check(wrong, "UTC")


@pytest.mark.parametrize(
    "cron, field, allowed",
    [
        ("60 * * * *", "minute '60'", "0-59"),
        ("* 24 * * *", "hour '24'", "0-23"),
        ("* * 32 * *", "day of month '32'", "1-31"),
        ("* * * JANUARY *", "month 'JANUARY'", "JAN-DEC"),
        ("* * * * 8", "day of week '8'", "0-7"),
        ("5-1 * * * *", "minute '5-1'", "0-59"),
        ("*/0 * * * *", "minute '*/0'", "steps"),
    ],
)
def test_a_bad_field_is_named_with_what_is_allowed(cron: str, field: str, allowed: str) -> None:
    with pytest.raises(InvalidOptions) as raised:
        schedule.check(cron, "UTC")
    assert field in raised.value.message
    assert allowed in raised.value.message
