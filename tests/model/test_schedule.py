"""Ticks of cron expressions: validation, daylight saving, windows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from mainspring.errors import InvalidOptions
from mainspring.model import schedule

NEW_YORK = "America/New_York"
HOUR = 3_600_000


def at(*date: int) -> int:
    return int(datetime(*date, tzinfo=UTC).timestamp() * 1000)


def ticks(cron: str, timezone: str, after: int, count: int) -> list[int]:
    found = []
    for _ in range(count):
        after = schedule.next_tick(cron, timezone, after)
        found.append(after)
    return found


def test_a_tick_is_later_than_the_moment_asked() -> None:
    nine = at(2026, 11, 23, 9)
    assert schedule.next_tick("0 9 * * MON-FRI", "UTC", nine - 1) == nine
    assert schedule.next_tick("0 9 * * MON-FRI", "UTC", nine) == nine + 24 * HOUR
    assert schedule.next_tick("0 9 * * MON-FRI", "Europe/Berlin", nine - 2 * HOUR) == nine - HOUR


def test_the_last_days_of_months_are_understood() -> None:
    assert schedule.next_tick("0 0 L * *", "UTC", at(2028, 2, 1)) == at(2028, 2, 29)
    assert schedule.next_tick("0 0 * * 1L", "UTC", at(2026, 11, 1)) == at(2026, 11, 30)


def test_what_falls_into_the_hour_left_out_comes_when_the_clock_goes_on() -> None:
    first, second = ticks("30 2 * * *", NEW_YORK, at(2026, 3, 8, 0), 2)
    assert first == at(2026, 3, 8, 7)  # 03:00 there
    assert second == at(2026, 3, 9, 6, 30)


def test_what_falls_into_the_hour_that_comes_twice_comes_once() -> None:
    first, second = ticks("30 1 * * *", NEW_YORK, at(2026, 11, 1, 0), 2)
    assert (first, second) == (at(2026, 11, 1, 5, 30), at(2026, 11, 2, 6, 30))
    between = at(2026, 11, 1, 6, 10)  # 01:10 for the second time
    assert schedule.next_tick("30 1 * * *", NEW_YORK, between) == second
    assert len(set(ticks("*/30 * * * *", NEW_YORK, at(2026, 11, 1, 4), 8))) == 8


fields = st.tuples(
    st.sampled_from(["*", "*/7", "30", "0,59", "10-20/3"]),
    st.sampled_from(["*", "*/5", "1", "2", "1-3"]),
    st.sampled_from(["*", "1", "31", "L", "*/10"]),
    st.sampled_from(["*", "3", "11", "1-6"]),
    st.sampled_from(["*", "MON", "5L", "1#2"]),
)


@given(
    fields,
    st.sampled_from(["UTC", NEW_YORK, "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    st.integers(at(2026, 1, 1), at(2028, 1, 1)),
)
def test_ticks_never_go_back(parts: tuple[str, ...], timezone: str, after: int) -> None:
    cron = " ".join(parts)
    try:
        schedule.check(cron, timezone)
    except InvalidOptions:
        return
    found = ticks(cron, timezone, after, 4)
    assert found == sorted(set(found))
    assert found[0] > after
    assert all(tick % 60_000 == 0 for tick in found)


@given(st.text(max_size=40) | st.from_regex(r"[0-9*/,#L -]{5,30}"), st.text(max_size=20))
def test_any_text_is_read_or_refused_by_name(cron: str, timezone: str) -> None:
    for zone in (timezone, "UTC"):
        try:
            schedule.check(cron, zone)
        except InvalidOptions as error:
            refused = error.message.partition(" ")[0]
        else:
            refused = ""
            assert schedule.next_tick(cron, zone, at(2026, 1, 1)) > at(2026, 1, 1)
        assert refused in ("", "cron", "timezone")


@pytest.mark.parametrize(
    "cron", ["* * * *", "* * * * * *", "@daily", "60 * * * *", "0 0 30 2 *", "", "0 0 31 4 *"]
)
def test_what_is_no_cron_of_five_fields_is_refused(cron: str) -> None:
    with pytest.raises(InvalidOptions, match="cron"):
        schedule.check(cron, "UTC")


@pytest.mark.parametrize(
    "name, meant",
    [
        ("Europe/Belin", "Europe/Berlin"),
        ("berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("us/pacific", "US/Pacific"),
    ],
)
def test_a_zone_that_is_not_known_is_told_with_the_one_that_was_meant(
    name: str, meant: str
) -> None:
    with pytest.raises(InvalidOptions, match=f"Did you mean '{meant}'"):
        schedule.check("0 9 * * *", name)


def test_no_zone_is_proposed_whose_sign_is_the_other_way_round() -> None:
    with pytest.raises(InvalidOptions) as refused:
        schedule.check("0 9 * * *", "GMT+2")
    assert "Etc/" not in str(refused.value)


@pytest.mark.parametrize("name", ["PST", "CEST", "Z", "UTC+2", "GMT+5", "Mars/Base"])
def test_no_zone_is_proposed_that_only_looks_like_it(name: str) -> None:
    with pytest.raises(InvalidOptions, match="Write an IANA name") as refused:
        schedule.check("0 9 * * *", name)
    assert "Did you mean" not in str(refused.value)


@pytest.mark.parametrize(
    "cron, told",
    [
        ("*/90 * * * *", "the step of the minute '*/90' is longer than 60"),
        ("0 */36 * * *", "the step of the hour '*/36' is longer than 24"),
        ("0 0 1,2-9/45 * *", "the step of the day of month '2-9/45' is longer than 31"),
    ],
)
def test_a_step_over_the_end_of_a_field_is_refused(cron: str, told: str) -> None:
    with pytest.raises(InvalidOptions, match="An interval is") as refused:
        schedule.check(cron, "UTC")
    assert told in refused.value.message


@pytest.mark.parametrize("cron", ["*/60 * * * *", "0 */24 * * *", "0 0 */31 * *"])
def test_a_step_of_a_whole_field_is_its_first_value(cron: str) -> None:
    schedule.check(cron, "UTC")


def test_a_long_expression_is_refused_by_its_length() -> None:
    with pytest.raises(InvalidOptions, match="1,000,008 characters; at most 200"):
        schedule.check("*" * 1_000_000 + " * * * *", "UTC")


@pytest.mark.parametrize("window", ["", "９m", "-5m", "1441m", "25h", "101%", "1.5h"])
def test_what_is_no_window_is_refused(window: str) -> None:
    with pytest.raises(InvalidOptions, match="window"):
        schedule.check("0 9 * * *", "UTC", window)


def test_a_nickname_is_refused_with_the_fields_it_stands_for() -> None:
    with pytest.raises(InvalidOptions, match=r"write '0 0 \* \* \*'"):
        schedule.check("@daily", "UTC")


def test_a_window_is_spread_by_a_share_that_stays() -> None:
    tick, following = at(2026, 1, 1), at(2026, 1, 1, 1)
    starts = [schedule.delayed(tick, following, "30m", f"key-{n}") for n in range(200)]
    assert all(tick <= start < tick + HOUR // 2 for start in starts)
    assert max(starts) - min(starts) > 25 * 60_000
    assert schedule.delayed(tick, following, "30m", "key-7") == starts[7]
    assert schedule.delayed(tick, following, None, "k") == tick
    assert schedule.delayed(tick, following, "50%", "key-7") == starts[7]
    assert all(schedule.delayed(tick, following, "24h", f"{n}") < following for n in range(50))
    for window in ("25h", "101%", "10s", "m", "-1m"):
        with pytest.raises(InvalidOptions, match="window"):
            schedule.check("* * * * *", "UTC", window)


def test_zones_begin_with_utc() -> None:
    names = schedule.zones()
    assert names[0] == "UTC"
    assert list(names[1:]) == sorted(set(names[1:]))
    assert {NEW_YORK, "Europe/Berlin"} <= set(names)
    assert len(names) == len(set(names))


def test_an_expression_is_told_in_words() -> None:
    assert schedule.describe("*/5 * * * *") == "Every fifth minute of every hour"
