"""A treemap fills its room exactly, by the sizes it was given."""

import pytest
from hypothesis import given, strategies as st

from examples.codebase_analysis.treemap import Box, squarify

sizes = st.lists(st.integers(1, 100_000), max_size=60).map(
    lambda found: sorted(found, reverse=True)
)


@given(sizes, st.integers(10, 2000), st.integers(10, 2000))
def test_areas_are_the_shares_of_the_sizes_and_stay_in_the_room(
    sizes: list[int], width: int, height: int
) -> None:
    boxes = squarify(sizes, Box(5, 7, width, height))
    assert len(boxes) == len(sizes)
    for size, box in zip(sizes, boxes, strict=True):
        assert box.width * box.height == pytest.approx(width * height * size / sum(sizes))
        assert box.x >= 5 - 1e-6
        assert box.y >= 7 - 1e-6
        assert box.x + box.width <= 5 + width + 1e-6
        assert box.y + box.height <= 7 + height + 1e-6


def test_equal_sizes_become_squares_where_they_fit() -> None:
    boxes = squarify([1, 1, 1, 1], Box(0, 0, 100, 100))
    assert {(round(box.width), round(box.height)) for box in boxes} == {(50, 50)}


def test_no_room_is_no_error() -> None:
    assert len(squarify([2, 1], Box(0, 0, 0, 10))) == 2
    assert Box(0, 0, 2, 2).inset(3, 3) == Box(3, 3, 0, 0)
