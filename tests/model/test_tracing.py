"""Trace context: what is read, and what is passed on."""

import random

import pytest

from mainspring.ids import IdSource
from mainspring.model import tracing

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize("header", [GIVEN, f"cc-{TRACE}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-01-later"])
def test_a_valid_context_is_read_also_of_later_versions(header: str) -> None:
    assert tracing.read(header) == GIVEN


@pytest.mark.parametrize(
    "header",
    [
        None, "", "00", GIVEN.upper(), f"ff-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01", f"{GIVEN}-more", f"00-{TRACE[:-1]}-{SPAN}-01", f"{GIVEN}\n",
    ],
)  # fmt: skip
def test_what_is_not_valid_begins_a_new_trace(header: str | None) -> None:
    assert tracing.read(header) is None


def test_a_run_is_in_the_trace_of_its_caller_or_of_its_root() -> None:
    assert tracing.trace_id(GIVEN, "run_1") == TRACE
    assert tracing.parent_span(GIVEN) == SPAN
    own = tracing.trace_id(None, "run_1")
    assert (len(own), own == tracing.trace_id(None, "run_2")) == (32, False)


def test_flags_are_passed_on() -> None:
    quiet = f"00-{TRACE}-{SPAN}-00"
    passed = tracing.below(quiet, "run_1", tracing.span_id("run_1"))
    assert tracing.read(passed) == passed
    assert (tracing.is_sampled(quiet), tracing.is_sampled(passed)) == (False, False)
    assert tracing.is_sampled(tracing.below(None, "run_1", SPAN))


def test_the_trace_of_a_root_run_leads_back_to_it() -> None:
    source = IdSource(random.Random(3))
    for shard in (0, 1, 513, 1023):
        run_id = source.new("run", 1_700_000_000_000, shard)
        trace = tracing.trace_id(None, run_id)
        assert tracing.read(f"00-{trace}-{SPAN}-01") is not None
        assert tracing.root_of(trace) == run_id
    for other in (TRACE, "4d53" + "f" * 28, "", "4d53"):
        assert tracing.root_of(other) is None
