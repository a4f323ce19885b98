"""Filters, pages and moments of lists."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, strategies as st

from mainspring.errors import CallerError, InvalidOptions
from mainspring.ids import lower_bound
from mainspring.model.run import RunFilter, Status
from mainspring.wire import moments, pages
from mainspring.wire.filters import run_filter
from mainspring.wire.pages import Cut, Sheet

NOW = 1_700_000_000_000
RUN = lower_bound("run", NOW) + "0" * 12
OTHER = lower_bound("run", NOW + 1) + "0" * 12


def test_every_filter_of_the_contract_is_read() -> None:
    query = {
        "filter[status]": "QUEUED,EXECUTING",
        "filter[taskIdentifier]": "a, b,,a",
        "filter[version]": "1",
        "filter[tag]": "x,y",
        "filter[queue]": "task/a",
        "filter[machine]": "micro,large-1x",
        "filter[region]": "eu",
        "filter[bulkAction]": "bulk_1",
        "filter[schedule]": "sched_1",
        "filter[error]": "ValueError",
        "filter[batch]": "batch_1",
        "filter[isTest]": "false",
        "filter[createdAt][from]": str(NOW - 1000),
        "filter[createdAt][to]": "2023-11-14T22:13:20Z",
        "page[size]": "10",
        "page[after]": RUN,
    }
    assert run_filter(query, NOW) == RunFilter(
        status=(Status.QUEUED, Status.EXECUTING),
        task=("a", "b"),
        version=("1",),
        tag=("x", "y"),
        queue=("task/a",),
        machine=("micro", "large-1x"),
        region=("eu",),
        bulk=("bulk_1",),
        schedule=("sched_1",),
        error=("ValueError",),
        batch_id="batch_1",
        is_test=False,
        created_from=NOW - 1000,
        created_to=NOW,
        after=RUN,
        limit=10,
    )


def test_an_empty_query_is_the_first_page_of_everything() -> None:
    assert run_filter({"filter[status]": "", "page[after]": ""}, NOW) == RunFilter()


def test_a_period_ends_now_and_the_later_bound_wins() -> None:
    assert run_filter({"filter[createdAt][period]": "1d"}, NOW).created_from == NOW - 86_400_000
    query = {"filter[createdAt][period]": "1d", "filter[createdAt][from]": str(NOW - 5)}
    assert run_filter(query, NOW).created_from == NOW - 5


def test_older_words_for_a_status_are_understood() -> None:
    query = {"filter[status]": "FROZEN,REATTEMPTING,WAITING_FOR_DEPLOY,INTERRUPTED"}
    assert run_filter(query, NOW).status == (
        Status.WAITING, Status.EXECUTING, Status.PENDING_VERSION, Status.FAILED,
    )  # fmt: skip


def test_all_bad_filters_are_named_together() -> None:
    query = {
        "filter[status]": "DONE",
        "filter[isTest]": "yes",
        "filter[machine]": "huge",
        "filter[createdAt][from]": "then",
        "filter[createdAt][period]": "1 day",
        "filter[tagg]": "x",
        "filter[tag]": "a\0",
        "page[size]": "101",
    }
    with pytest.raises(CallerError) as refused:
        run_filter(query, NOW)
    assert refused.value.status == 400
    assert {problem["path"] for problem in refused.value.details} == {
        *(path for path in query if path != "page[size]"), "page",
    }  # fmt: skip
    assert "QUEUED" in refused.value.message
    assert "1 to 100" in refused.value.message


names = st.sampled_from(
    ["status", "tag", "taskIdentifier", "isTest", "batch", "createdAt][from", "createdAt][period"]
).map(lambda name: f"filter[{name}]")
page_names = st.sampled_from(["page[size]", "page[after]", "page[before]", "page", "perPage"])


@given(st.dictionaries(names | page_names | st.text(max_size=10), st.text(max_size=20)))
def test_no_query_raises_anything_but_our_errors(query: dict[str, str]) -> None:
    for read in (lambda: run_filter(query, NOW), lambda: pages.sheet(query)):
        with contextlib.suppress(CallerError):
            read()


def test_before_wins_when_both_cursors_arrive() -> None:
    assert pages.cut({"page[after]": RUN, "page[before]": OTHER}) == Cut(25, None, OTHER)


@pytest.mark.parametrize("cursor", ["x", "run_1", "run_" + "z" * 22, "run_" + "0" * 21 + "\0"])
def test_a_cursor_is_an_id(cursor: str) -> None:
    with pytest.raises(CallerError, match="no cursor"):
        pages.cut({"page[after]": cursor})


@pytest.mark.parametrize("size", ["0", "101", "-1", "1.0", "", "ten", "٣", "9" * 30])
def test_the_size_of_a_page_is_one_to_a_hundred(size: str) -> None:
    with pytest.raises(CallerError, match="1 to 100"):
        pages.cut({"page[size]": size})


def test_cursors_at_the_ends_are_left_out() -> None:
    assert pages.by_cursor([], None, None) == {"data": [], "pagination": {}}
    assert pages.by_cursor([1], "n", "p")["pagination"] == {"next": "n", "previous": "p"}


@given(st.integers(0, 30), st.integers(1, 12), st.integers(1, 9))
def test_numbered_pages_together_are_the_list(rows: int, page: int, size: int) -> None:
    everything = list(range(rows))
    answer = pages.by_number(everything, Sheet(page, size))
    total = answer["pagination"]["totalPages"]
    sheets = [pages.by_number(everything, Sheet(n, size))["data"] for n in range(1, total + 1)]
    assert [row for sheet in sheets for row in sheet] == everything
    assert answer["pagination"] == {"currentPage": page, "totalPages": total, "count": rows}


def test_a_numbered_page_has_at_most_a_hundred_rows() -> None:
    assert pages.sheet({"page": "2", "perPage": "5000"}) == Sheet(2, 100)
    with pytest.raises(CallerError, match="page is '0'"):
        pages.sheet({"page": "0"})


@given(st.integers(0, 253_402_300_799_999))
def test_a_moment_that_is_printed_is_read_again(at: int) -> None:
    assert moments.moment_ms(moments.iso(at)) == at


@given(st.text(max_size=30) | st.integers() | st.none() | st.booleans())
def test_no_moment_raises_anything_but_our_errors(value: object) -> None:
    for read in (moments.moment_ms, moments.duration_ms):
        with contextlib.suppress(InvalidOptions):
            assert read(value) >= 0
