"""Series added up by minute and hour: what is given to be written, and how values are spread."""

from __future__ import annotations

from hypothesis import given, strategies as st

from mainspring.telemetry import book, spread
from mainspring.telemetry.book import HOUR_MS, MINUTE_MS, Book, Series
from mainspring.telemetry.cell import Cell

START = 1_700_000_400_000 - 1_700_000_400_000 % HOUR_MS


def opened(found: Book, name: str = "n", env_id: int = 1) -> Series:
    series = found.series(env_id, name, "counter")
    assert series is not None
    return series


def given_rows(found: Book) -> list[tuple[int, int, float]]:
    """(step, time since the start, total) of what is to be written; then it is."""
    rows = [(step_ms, at - START, cell.total) for _, step_ms, at, cell in found.rows()]
    found.written()
    return sorted(rows)


def test_only_what_has_changed_is_given_and_always_whole() -> None:
    found = Book()
    found.turn(START)
    opened(found).open.grow(2)
    assert given_rows(found) == [(MINUTE_MS, 0, 2), (HOUR_MS, 0, 2)]
    assert given_rows(found) == []
    opened(found).open.grow(3)
    assert given_rows(found) == [(MINUTE_MS, 0, 5), (HOUR_MS, 0, 5)]
    found.turn(START + MINUTE_MS)
    opened(found).open.grow(1)
    assert given_rows(found) == [(MINUTE_MS, 0, 5), (MINUTE_MS, MINUTE_MS, 1), (HOUR_MS, 0, 6)]


def test_what_could_not_be_written_is_given_again() -> None:
    found = Book()
    found.turn(START)
    opened(found).open.grow()
    found.rows()
    found.turn(START + MINUTE_MS)
    opened(found).open.grow()
    found.turn(START + HOUR_MS)
    wanted = [(MINUTE_MS, 0, 1), (MINUTE_MS, MINUTE_MS, 1), (HOUR_MS, 0, 2)]
    assert sorted((step, at - START, cell.total) for _, step, at, cell in found.rows()) == wanted
    assert given_rows(found) == wanted
    assert given_rows(found) == []


def test_an_hour_that_begins_while_rows_are_written_is_not_taken_for_written() -> None:
    found = Book()
    found.turn(START)
    opened(found).open.grow()
    opened(found).open.grow()
    found.rows()
    found.turn(START + HOUR_MS)
    opened(found).open.grow()
    found.written()
    assert (HOUR_MS, HOUR_MS, 1) in given_rows(found)


def test_series_that_rest_for_an_hour_make_room_and_begin_anew() -> None:
    found = Book()
    found.turn(START)
    opened(found).open.grow(7)
    assert not found.turn(START + HOUR_MS)
    assert opened(found).ever.total == 7
    assert found.turn(START + 2 * HOUR_MS)
    assert opened(found).ever.total == 0


def test_an_environment_has_so_many_series_and_others_still_have_theirs() -> None:
    found = Book()
    found.turn(START)
    for number in range(book.MOST):
        opened(found, f"n{number}")
    assert found.series(1, "more", "counter") is None
    assert found.dropped == 1
    opened(found, env_id=2)
    opened(found, "runs.ended")  # what programs make is no reason to lose sight of runs


@given(st.floats(min_value=1e-6, max_value=1e9))
def test_a_value_lies_within_its_bucket(value: float) -> None:
    index = spread.bucket(value)
    assert spread.upper(index - 1) * (1 - 1e-9) <= value <= spread.upper(index) * (1 + 1e-9)


@given(
    st.lists(st.integers(0, 10**7), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99])
)
def test_a_quantile_is_nine_percent_off_at_most(values: list[int], share: float) -> None:
    cell = Cell()
    for value in values:
        cell.spread(value)
    found = spread.quantile(cell.buckets, share, cell.low, cell.high)
    ordered = sorted(values)
    exact = ordered[max(-(-len(values) * int(share * 100) // 100) - 1, 0)]
    assert abs(found - exact) <= 0.1 * exact + 1e-9
