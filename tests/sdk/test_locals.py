"""Values of one run under typed keys."""

import pytest

from mainspring import Context, Local
from mainspring.errors import Misplaced
from mainspring.sdk.context import running
from tests.sdk.conftest import order

pool = Local[str]("pool")


def test_a_value_is_there_in_its_own_run_only(in_run: Context) -> None:
    pool.set("a")
    assert pool.get() == "a"
    token = running.set(Context(order(run_id="run_b")))
    assert pool.get("none") == "none"
    running.reset(token)
    assert pool.get() == "a"


def test_two_keys_of_one_name_are_two_keys(in_run: Context) -> None:
    pool.set("a")
    assert Local[str]("pool").get(None) is None


def test_a_missing_value_says_where_to_set_it(in_run: Context) -> None:
    with pytest.raises(Misplaced, match=r"Local 'pool' was not set.*on_start_attempt"):
        pool.get()


def test_there_are_none_outside_a_run() -> None:
    with pytest.raises(Misplaced, match="No run is being executed"):
        pool.set("a")
