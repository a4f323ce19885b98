"""Which names and values a variable may have."""

import os
import subprocess
import sys

import pytest
from hypothesis import given, strategies as st

from mainspring.model.variables import MOST, TOTAL_BYTES, VALUE_BYTES, overflow, problem


@pytest.mark.parametrize("name", ["A", "_", "a1", "DATABASE_URL", "x" * 255, "TRIGGER_PROJECT_REF"])
def test_names_of_shells_are_good(name: str) -> None:
    assert problem(name, "any value\n= with # signs") is None


@pytest.mark.parametrize(
    "name", ["", "1A", "A-B", "A B", "A=B", "É", "A\n", "A\0", "x" * 256, "a.b", "٣"]
)
def test_other_names_are_not(name: str) -> None:
    assert "name" in str(problem(name, "x"))


@pytest.mark.parametrize(
    "name",
    [
        *("MAINSPRING_SECRET_KEY", "MAINSPRING_X", "TRIGGER_SECRET_KEY", "TRIGGER_API_URL"),
        *("TRIGGER_ACCESS_TOKEN", "LD_PRELOAD", "DYLD_INSERT_LIBRARIES", "PYTHONPATH"),
    ],
)
def test_names_that_decide_how_a_worker_starts_are_reserved(name: str) -> None:
    assert "reserved" in str(problem(name, "x"))


def test_values_have_a_limit_in_bytes() -> None:
    assert problem("A", "é" * (VALUE_BYTES // 2)) is None
    assert str(VALUE_BYTES + 1)[:2] in str(problem("A", "é" * (VALUE_BYTES // 2) + "x"))
    assert "NUL" in str(problem("A", "\0"))
    assert "surrogate" in str(problem("A", "\ud800"))


def test_all_together_have_a_limit() -> None:
    assert overflow({f"A{n}": "x" for n in range(MOST)}) is None
    assert overflow({f"A{n}": "x" for n in range(MOST + 1)}) is not None
    assert overflow({"A": "x" * TOTAL_BYTES}) is not None


@given(st.text(), st.text())
def test_what_is_good_a_process_can_be_started_with(name: str, value: str) -> None:
    if problem(name, value) is None:
        os.environ[f"TEST_{name}"] = value
        assert os.environ.pop(f"TEST_{name}") == value


def test_the_largest_that_is_good_fits_into_a_process() -> None:
    values = {f"BIG_{n}": "x" * VALUE_BYTES for n in range(30)}
    assert overflow(values) is None
    program = "import os; print(sum(name.startswith('BIG_') for name in os.environ))"
    ran = subprocess.run(
        [sys.executable, "-c", program], env=values, capture_output=True, text=True
    )
    assert ran.stdout == "30\n"
