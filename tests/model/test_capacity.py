"""The capacity model: the example of docs/scale.md, and that more never takes less."""

import re

from hypothesis import given, strategies as st

from mainspring.model.capacity import Load, capacity
from tests.architecture.sources import ROOT

PAGE = (ROOT / "docs" / "scale.md").read_text()
UNITS = {"GB": 1e9, "TB": 1e12, "MB/s": 1e6, "GB a day": 1e9, "TB a day": 1e12, "/s": 1.0}


def told(row: str) -> list[float]:
    """The three values of a row of the page, in bytes or runs."""
    [line] = re.findall(rf"^\| {row} \|.*$", PAGE, re.MULTILINE)
    cells = [cell.strip() for cell in line.strip("|").split("|")][2:]
    found = []
    for cell in cells:
        match = re.match(r"([\d.,]+) ?(.*)", cell)
        assert match is not None, cell
        unit = UNITS.get(match[2], 1.0)
        found.append(float(match[1].replace(",", "")) * unit)
    return found


def test_the_page_says_what_the_model_says() -> None:
    found = [capacity(Load(runs)) for runs in (10**6, 10**8, 10**9)]
    rows = {
        "average rate": [one.average_per_s for one in found],
        "peak rate": [one.peak_per_s for one in found],
        "tables": [one.table_bytes for one in found],
        "log": [one.log_bytes_per_day for one in found],
        "log at the peak": [one.log_bytes_per_s for one in found],
        "slots": [one.slots for one in found],
        "servers and workers": [one.server_cores for one in found],
        "PostgreSQL": [one.database_cores for one in found],
    }
    for row, values in rows.items():
        for value, shown in zip(values, told(row), strict=True):
            assert abs(value - shown) <= 0.05 * value, row


@given(runs=st.integers(1, 10**10), data=st.integers(0, 10**6), days=st.integers(1, 3650))
def test_more_of_anything_takes_no_less(runs: int, data: int, days: int) -> None:
    less = capacity(Load(runs, data_bytes=data, keep_days=days))
    for more in (
        Load(runs + 1, data_bytes=data, keep_days=days),
        Load(runs, data_bytes=data + 1, keep_days=days),
        Load(runs, data_bytes=data, keep_days=days + 1),
        Load(runs, data_bytes=data, keep_days=days, peak=6.0),
        Load(runs, data_bytes=data, keep_days=days, run_s=2.0),
    ):
        found = capacity(more)
        assert vars(found) != vars(less) or more.run_s == 2.0
        for name, value in vars(less).items():
            assert getattr(found, name) >= value
