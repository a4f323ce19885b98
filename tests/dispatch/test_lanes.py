"""One lane: order, the window on the backlog, refills, removal."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mainspring.dispatch import Core, Lane, LaneKey, audit
from mainspring.dispatch.lanes import pack, unpack

LANE: LaneKey = (1, "mail", "", "")
NOW = 1_000_000


def ids(claims: list[tuple[Lane, int, str, bool]]) -> list[str]:
    return [run_id for _, _, run_id, _ in claims]


def filled(core: Core, *ords: int) -> Core:
    for ord in ords:
        core.push(LANE, ord, f"r{ord}")
    return core


def rows(first: int, last: int) -> list[tuple[int, str]]:
    return [(ord, f"r{ord}") for ord in range(first, last + 1)]


@given(
    st.tuples(st.integers(-(10**14), 10**14), st.text("0123456789abcdefr_", max_size=30)),
    st.tuples(st.integers(-(10**14), 10**14), st.text("0123456789abcdefr_", max_size=30)),
)
def test_a_packed_entry_sorts_as_its_tuple_and_comes_back(
    one: tuple[int, str], other: tuple[int, str]
) -> None:
    assert unpack(pack(*one)) == one
    assert (pack(*one) < pack(*other)) == (one < other)


def test_runs_go_by_ord_then_by_id() -> None:
    core = Core()
    for ord, run_id in [(5, "b"), (5, "a"), (9, "c"), (1, "z")]:
        core.push(LANE, ord, run_id)
    assert ids(core.claim(1, "", 10, NOW)) == ["z", "a", "b", "c"]


def test_a_claim_names_lane_ord_run_and_whether_it_goes_on() -> None:
    core = filled(Core(), 3)
    core.push(LANE, 7, "again", resume=True)
    claims = core.claim(1, "v1", 10, NOW)
    assert [(lane.address, *rest) for lane, *rest in claims] == [
        (LANE, 7, "again", True),
        (LANE, 3, "r3", False),
    ]


def test_a_run_that_goes_on_passes_all_new_ones_of_its_lane() -> None:
    core = filled(Core(), 1, 2)
    core.push(LANE, 900, "b", resume=True)
    core.push(LANE, 800, "a", resume=True)
    assert ids(core.claim(1, "", 3, NOW)) == ["a", "b", "r1"]


def test_a_run_pushed_twice_runs_once() -> None:
    core = filled(Core(), 1, 2, 3, 2, 1)
    core.push(LANE, 9, "on", resume=True)
    core.push(LANE, 9, "on", resume=True)
    assert ids(core.claim(1, "", 10, NOW)) == ["on", "r1", "r2", "r3"]
    assert audit(core) == []


def test_an_unclaimed_run_is_back_at_its_place() -> None:
    core = filled(Core(), 1, 2, 3)
    lane, ord, run_id, _ = core.claim(1, "", 1, NOW)[0]
    core.unclaim(lane, ord, run_id, NOW)
    assert lane.key.running == 0
    assert ids(core.claim(1, "", 10, NOW)) == ["r1", "r2", "r3"]


def test_a_removed_run_never_runs() -> None:
    core = filled(Core(), 1, 2, 3)
    core.push(LANE, 4, "on", resume=True)
    assert core.remove(LANE, 2, "r2")
    assert core.remove(LANE, 4, "on", resume=True)
    assert ids(core.claim(1, "", 10, NOW)) == ["r1", "r3"]


def test_what_is_not_there_cannot_be_removed() -> None:
    core = filled(Core(), 1)
    assert not core.remove(LANE, 2, "r2")
    assert not core.remove(LANE, 1, "r1", resume=True)
    assert not core.remove((9, "no", "", ""), 1, "r1")
    core.claim(1, "", 1, NOW)
    assert not core.remove(LANE, 1, "r1")


def test_a_window_keeps_the_first_runs_and_counts_the_rest() -> None:
    core = filled(Core(low=2, high=4), 1, 2, 3, 4, 5, 6)
    lane = core.tree.find(LANE)
    assert lane is not None
    assert (lane.in_memory, lane.queued, lane.cursor) == (4, 6, (4, "r4"))


def test_a_run_with_priority_enters_a_full_window_and_pushes_the_last_one_out() -> None:
    core = filled(Core(low=2, high=4), 1, 2, 3, 4, 6, 0)
    lane = core.tree.find(LANE)
    assert lane is not None
    assert (lane.in_memory, lane.queued, lane.cursor) == (4, 6, (3, "r3"))
    assert ids(core.claim(1, "", 9, NOW)) == ["r0", "r1", "r2", "r3"]


def test_a_lane_asks_for_rows_once_it_runs_low() -> None:
    core = filled(Core(low=2, high=4), *range(1, 9))
    assert core.refills() == []
    core.claim(1, "", 3, NOW)
    [lane] = core.refills()
    assert lane.cursor == (4, "r4")
    assert core.refills() == []
    core.refill(lane, rows(5, 6), exhausted=False)
    assert ids(core.claim(1, "", 9, NOW)) == ["r4", "r5", "r6"]
    assert core.refills() == [lane]
    core.refill(lane, rows(7, 8), exhausted=True)
    assert ids(core.claim(1, "", 9, NOW)) == ["r7", "r8"]
    assert (lane.cursor, lane.queued) == (None, 0)
    assert audit(core) == []


def test_a_failed_read_is_asked_for_again() -> None:
    core = Core()
    core.load(LANE, 3)
    [lane] = core.refills()
    core.refill(lane, [], exhausted=False)
    assert core.refills() == [lane]


def test_refills_are_handed_out_in_order_and_bounded() -> None:
    core = Core()
    lanes = [core.load((1, "mail", f"k{n}", ""), 5) for n in range(10)]
    assert core.refills(3) == lanes[:3]
    assert core.refills(100) == lanes[3:]


def test_a_run_pushed_while_rows_are_read_is_not_lost() -> None:
    core = Core(low=2, high=4)
    core.load(LANE, 3)
    [lane] = core.refills()
    read = rows(10, 11)  # a snapshot: what is pushed from here on is not in it
    core.push(LANE, 5, "r5")
    core.push(LANE, 99, "r99")
    core.refill(lane, read, exhausted=False)
    assert ids(core.claim(1, "", 9, NOW)) == ["r5", "r10", "r11"]
    assert lane.queued == 2  # r99, and the third one of the load


def test_a_run_pushed_and_read_runs_once() -> None:
    core = Core()
    core.load(LANE, 1)
    [lane] = core.refills()
    core.push(LANE, 11, "r11")
    core.refill(lane, rows(10, 11), exhausted=True)
    assert ids(core.claim(1, "", 9, NOW)) == ["r10", "r11"]
    assert lane.queued == 0


def test_a_run_removed_while_rows_are_read_stays_removed() -> None:
    core = Core()
    core.load(LANE, 2)
    [lane] = core.refills()
    read = rows(10, 11)
    assert core.remove(LANE, 11, "r11")
    core.refill(lane, read, exhausted=True)
    assert ids(core.claim(1, "", 9, NOW)) == ["r10"]
    assert audit(core) == []


def test_a_run_removed_and_pushed_again_while_rows_are_read_is_kept() -> None:
    core = Core()
    core.load(LANE, 1)
    [lane] = core.refills()
    assert core.remove(LANE, 10, "r10")
    core.push(LANE, 10, "r10")
    core.refill(lane, rows(10, 10), exhausted=True)
    assert ids(core.claim(1, "", 9, NOW)) == ["r10"]


def test_a_lane_loaded_again_ignores_the_read_that_was_under_way() -> None:
    core = Core()
    core.load(LANE, 2)
    [lane] = core.refills()
    core.load(LANE, 1)
    core.refill(lane, rows(1, 2), exhausted=True)
    assert core.claim(1, "", 9, NOW) == []
    assert core.refills() == [lane]
    core.refill(lane, rows(7, 7), exhausted=True)
    assert ids(core.claim(1, "", 9, NOW)) == ["r7"]


def test_reading_to_the_end_corrects_a_wrong_count() -> None:
    core = Core()
    core.load(LANE, 50)
    [lane] = core.refills()
    core.refill(lane, rows(1, 3), exhausted=True)
    assert lane.queued == 3
    assert audit(core) == []


def test_a_loaded_lane_takes_urgent_runs_only_after_its_first_rows() -> None:
    core = Core()
    lane = core.load(LANE, 3, cursor=(100, "r100"))
    core.push(LANE, 90, "urgent")
    core.push(LANE, 110, "later")
    assert (lane.in_memory, lane.queued) == (1, 5)
    assert ids(core.claim(1, "", 9, NOW)) == ["urgent"]


def test_many_lanes_share_a_budget_of_memory() -> None:
    core = Core(low=256, high=4096, budget=1000)
    for key in range(100):
        core.push_many((1, "mail", f"k{key}", ""), rows(1, 50))
    held = [core.tree.find((1, "mail", f"k{key}", "")) for key in range(100)]
    assert sum(lane.queued for lane in held if lane) == 5000
    # The first lanes filled up while there were few; the later ones keep ten each.
    assert [lane.in_memory for lane in held[20:] if lane][-50:] == [
        1000 // n for n in range(51, 101)
    ]


@pytest.mark.parametrize("unused", ["claimed", "removed", "unclaimed"])
def test_a_key_that_has_nothing_left_is_forgotten(unused: str) -> None:
    core = Core()
    keys = core.tree.queue(1, "mail").keys
    for n in range(1000):
        lane = (1, "mail", f"user-{n}", "")
        core.push(lane, n, f"r{n}")
        if unused == "removed":
            core.remove(lane, n, f"r{n}")
            continue
        [(handle, ord, run_id, _)] = core.claim(1, "", 5, NOW)
        if unused == "unclaimed":
            core.unclaim(handle, ord, run_id, NOW)
            [(handle, *_)] = core.claim(1, "", 5, NOW)
        core.release(handle, NOW)
    assert len(keys) <= 130  # canceled ones leave the line in sweeps
    assert core.claim(1, "", 5, NOW) == []
    assert not keys
    assert audit(core) == []


def test_versions_that_are_gone_leave_nothing_behind() -> None:
    core = Core()
    for n in range(200):
        core.push((1, "mail", "", f"v{n}"), n, f"r{n}")
        [(lane, *_)] = core.claim(1, f"v{n}", 5, NOW)
        core.release(lane, NOW)
    queue = core.tree.queue(1, "mail")
    assert len(queue.tracks) <= 2
    assert len(queue.env.tracks) <= 2
    assert [lane.version for lane in queue.keys[""].lanes()] == []


def test_a_pinned_run_goes_only_to_workers_of_its_version() -> None:
    core = Core()
    core.push((1, "mail", "", "v1"), 1, "old")
    core.push((1, "mail", "", "v2"), 2, "new")
    core.push((1, "mail", "", ""), 3, "any")
    assert sorted(ids(core.claim(1, "v2", 9, NOW))) == ["any", "new"]
    assert core.claim(1, "", 9, NOW) == []
    assert ids(core.claim(1, "v1", 9, NOW)) == ["old"]


def test_environments_do_not_see_each_other() -> None:
    core = Core()
    core.push((1, "mail", "", ""), 1, "one")
    core.push((2, "mail", "", ""), 1, "two")
    assert ids(core.claim(2, "", 9, NOW)) == ["two"]
    assert core.claim(3, "", 9, NOW) == []


def test_releasing_a_slot_twice_is_an_error() -> None:
    core = filled(Core(), 1)
    [(lane, *_)] = core.claim(1, "", 1, NOW)
    core.release(lane, NOW)
    with pytest.raises(AssertionError, match="more slots of 'mail'"):
        core.release(lane, NOW)
