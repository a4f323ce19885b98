"""Rate limits: the law of the window, costs, settling, holding and waking, persistence."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mainspring.dispatch import Core, KeyLimits, Lane, LaneKey, QueueLimits, RateLimit, audit

NOW = 1_760_000_000_000
MAIL: LaneKey = (1, "mail", "", "")

RATES = st.builds(
    RateLimit,
    st.integers(1, 50),
    st.sampled_from([7, 100, 1000, 60_000]),
    st.integers(1, 20),
    st.booleans(),
)


def limited(rate: RateLimit) -> Core:
    core = Core()
    core.set_queue(1, "mail", QueueLimits(rate=rate))
    return core


def filled(core: Core, lane: LaneKey, runs: int, cost: int = 1) -> Core:
    for n in range(runs):
        core.push(lane, n, f"{lane[2]}{n:04d}", cost=cost)
    return core


def claimed(core: Core, now: int, n: int = 1000, version: str = "") -> list[Lane]:
    return [claim[0] for claim in core.claim(1, version, n, now)]


def worst_window(passed: list[tuple[int, int]], rate: RateLimit) -> float:
    """The most units above `limit * W / period` in any window, by looking at every window."""
    worst = 0.0
    for first in range(len(passed)):
        units = 0
        for at, cost in passed[first:]:
            units += cost
            worst = max(worst, units - rate.limit * (at - passed[first][0]) / rate.period_ms)
    return worst


@given(
    RATES,
    st.lists(
        st.tuples(st.integers(0, 900), st.integers(1, 25), st.sampled_from("ab")), max_size=60
    ),
    st.booleans(),
)
def test_no_window_holds_more_than_limit_and_burst(
    rate: RateLimit, arrivals: list[tuple[int, int, str]], direct: bool
) -> None:
    core, now = limited(rate), NOW
    passed: dict[str, list[tuple[int, int]]] = {}
    costs: dict[str, int] = {}
    for made, (wait, cost, key) in enumerate(arrivals):
        now += wait
        lane, run_id = (1, "mail", key, ""), f"r{made}"
        costs[run_id] = cost
        started = core.start(lane, now, cost) if direct else None
        if started is None:
            core.push(lane, made, run_id, cost=cost)
        else:
            passed.setdefault(key if rate.per_key else "", []).append((now, cost))
        for handle, _, claimed_id, _ in core.claim(1, "", 1000, now):
            bucket = handle.key.name if rate.per_key else ""
            passed.setdefault(bucket, []).append((now, costs[claimed_id]))
    for window in passed.values():
        largest = max(cost for _, cost in window)
        assert worst_window(window, rate) <= max(rate.burst, largest) + 1e-6
    assert audit(core) == []


@given(RATES, st.integers(1, 3))
def test_a_held_lane_goes_at_the_very_millisecond_it_may(rate: RateLimit, cost: int) -> None:
    core = filled(limited(rate), MAIL, 60, cost)
    now, times = NOW, []
    while len(times) < 60:
        times += [now] * len(claimed(core, now))
        wake = core.rates.next_wake()
        if len(times) < 60:
            assert wake is not None
            assert wake > now
            assert claimed(core, wake - 1) == []
            now = wake
    units = 60 * cost - max(rate.burst, cost)
    late = (times[-1] - NOW) - units * rate.period_ms / rate.limit
    assert late >= 0
    # The clock ticks in milliseconds: a bucket with room for a tick loses nothing to that.
    if (rate.burst - cost) * rate.period_ms >= rate.limit:
        assert late <= 1 + 60 * cost / 1e6


def test_a_burst_goes_at_once_and_then_one_per_period() -> None:
    core = filled(limited(RateLimit(10, 1000, burst=3)), MAIL, 9)
    assert len(claimed(core, NOW)) == 3
    assert core.rates.next_wake() == NOW + 100
    assert claimed(core, NOW + 99) == []
    assert len(claimed(core, NOW + 100)) == 1
    assert len(claimed(core, NOW + 1000)) == 3


def test_each_key_has_a_bucket_of_its_own() -> None:
    core = limited(RateLimit(1, 1000, per_key=True))
    for key in "abc":
        filled(core, (1, "mail", key, ""), 3)
    assert sorted(lane.key.name for lane in claimed(core, NOW)) == ["a", "b", "c"]
    assert claimed(core, NOW + 999) == []
    assert len(claimed(core, NOW + 1000)) == 3


def test_a_bucket_of_the_queue_is_shared_by_turns() -> None:
    core = limited(RateLimit(1, 1000))
    for key in "abc":
        filled(core, (1, "mail", key, ""), 3)
    order = [lane.key.name for n in range(6) for lane in claimed(core, NOW + 1000 * n)]
    assert order == [*"abcabc"]


@pytest.mark.parametrize("per_key", [False, True])
def test_what_goes_on_spends_no_rate_and_is_not_held_by_it(per_key: bool) -> None:
    core = filled(limited(RateLimit(1, 1000, per_key=per_key)), MAIL, 3)
    assert len(claimed(core, NOW)) == 1
    assert claimed(core, NOW) == []
    core.push(MAIL, 5, "on1", resume=True)
    core.push((1, "mail", "k", ""), 6, "on2", resume=True)
    core.push((1, "mail", "", "v1"), 7, "on3", resume=True)
    claims = core.claim(1, "v1", 9, NOW)
    assert {(run_id, resume) for _, _, run_id, resume in claims} == {
        ("on1", True),
        ("on2", True),
        ("on3", True),
    }
    assert len(claimed(core, NOW + 1000)) == 1
    assert audit(core) == []


def test_what_goes_on_still_needs_a_slot() -> None:
    core = limited(RateLimit(1, 1000))
    core.set_key(1, "mail", "k", KeyLimits(limit=1))
    lane = (1, "mail", "k", "")
    filled(core, lane, 2)
    [handle] = claimed(core, NOW)
    core.push(lane, 5, "on", resume=True)
    assert claimed(core, NOW) == []
    core.release(handle, NOW)
    assert [claim[2] for claim in core.claim(1, "", 9, NOW)] == ["on"]


def test_what_goes_on_is_found_when_a_rate_is_set_later() -> None:
    core = Core()
    core.push((1, "mail", "a", ""), 1, "on", resume=True)
    filled(core, (1, "mail", "b", ""), 2)
    core.set_queue(1, "mail", QueueLimits(rate=RateLimit(1, 1000), paused=True))
    core.set_queue(1, "mail", QueueLimits(rate=RateLimit(1, 1000)))
    assert len(claimed(core, NOW)) == 2
    core.push((1, "mail", "c", ""), 1, "on2", resume=True)
    assert [claim[2] for claim in core.claim(1, "", 9, NOW)] == ["on2"]


def test_a_cost_above_the_burst_needs_the_full_bucket_and_pays_in_full() -> None:
    core = limited(RateLimit(10, 1000, burst=5))
    core.push(MAIL, 1, "small", cost=1)
    core.push(MAIL, 2, "huge", cost=20)
    core.push(MAIL, 3, "next", cost=1)
    assert [claim[2] for claim in core.claim(1, "", 9, NOW)] == ["small"]
    assert core.rates.next_wake() == NOW + 100
    assert [claim[2] for claim in core.claim(1, "", 9, NOW + 100)] == ["huge"]
    assert core.rates.next_wake() == NOW + 100 + 1600


def test_a_cheap_start_does_not_overtake_whoever_waits_for_the_rate() -> None:
    core = limited(RateLimit(10, 1000, burst=10))
    core.push((1, "mail", "a", ""), 1, "first", cost=10)
    core.push((1, "mail", "a", ""), 2, "second", cost=10)
    assert len(claimed(core, NOW)) == 1
    assert core.start((1, "mail", "b", ""), NOW + 500, 1) is None
    assert [claim[2] for claim in core.claim(1, "", 9, NOW + 1000)] == ["second"]


def test_a_canceled_expensive_run_holds_nobody_any_longer() -> None:
    core = limited(RateLimit(10, 1000, burst=10))
    for run_id, cost in [("a", 5), ("b", 10), ("c", 5)]:
        core.push(MAIL, ord(run_id), run_id, cost=cost)
    assert [claim[2] for claim in core.claim(1, "", 9, NOW)] == ["a"]
    assert core.remove(MAIL, ord("b"), "b")
    assert [claim[2] for claim in core.claim(1, "", 9, NOW)] == ["c"]


@pytest.mark.parametrize("actual, free_after", [(2, 0), (10, 500), (15, 1000)])
def test_settling_gives_back_or_takes_what_the_run_really_cost(
    actual: int, free_after: int
) -> None:
    core = limited(RateLimit(10, 1000, burst=10))
    core.push(MAIL, 1, "first", cost=10)
    core.push(MAIL, 2, "second", cost=5)
    assert len(claimed(core, NOW)) == 1
    core.rates.settle(1, "mail", "", 10, actual, NOW)
    if free_after:
        assert claimed(core, NOW + free_after - 1) == []
    assert len(claimed(core, NOW + free_after)) == 1


def test_giving_back_never_fills_a_bucket_above_its_burst() -> None:
    core = limited(RateLimit(10, 1000, burst=4))
    filled(core, MAIL, 4)
    assert len(claimed(core, NOW)) == 4
    core.rates.settle(1, "mail", "", 4, 0, NOW + 5000)
    core.rates.settle(1, "mail", "", 4, 0, NOW + 5000)
    filled(core, MAIL, 9)
    assert len(claimed(core, NOW + 5000)) == 4


def test_settling_without_a_rate_limit_does_nothing() -> None:
    core = filled(Core(), MAIL, 1)
    core.rates.settle(1, "mail", "", 1, 100, NOW)
    assert core.rates.changed() == []


def test_a_withdrawn_claim_may_give_its_rate_back() -> None:
    core = filled(limited(RateLimit(1, 1000)), MAIL, 2)
    for refund in (True, False):
        [(lane, ord, run_id, resume)] = core.claim(1, "", 9, NOW)
        core.unclaim(lane, ord, run_id, NOW, resume=resume, refund=refund)
    assert claimed(core, NOW + 999) == []
    assert len(claimed(core, NOW + 1000)) == 1


def test_changed_states_are_told_once_and_can_be_put_back() -> None:
    core = limited(RateLimit(1, 1000, burst=2, per_key=True))
    for key in "ab":
        filled(core, (1, "mail", key, ""), 5)
    assert len(claimed(core, NOW)) == 4
    states = core.rates.changed()
    tat = (NOW + 2000) * 1_000_000
    assert states == [(1, "mail", "a", tat), (1, "mail", "b", tat)]
    assert core.rates.changed() == []
    successor = limited(RateLimit(1, 1000, burst=2, per_key=True))
    successor.rates.restore(states)
    successor.rates.restore([(1, "mail", "a", 5)])  # an older state changes nothing
    for key in "abc":
        filled(successor, (1, "mail", key, ""), 5)
    assert [lane.key.name for lane in claimed(successor, NOW + 500)] == ["c", "c"]
    assert len(claimed(successor, NOW + 1000)) == 2


def test_a_rate_of_a_forgotten_key_stays_in_force() -> None:
    core = limited(RateLimit(1, 1000, per_key=True))
    lane = (1, "mail", "a", "")
    filled(core, lane, 1)
    [handle] = claimed(core, NOW)
    core.release(handle, NOW)
    assert core.tree.find(lane) is None
    assert core.start(lane, NOW + 999) is None
    assert core.start(lane, NOW + 1000) is not None


def test_rates_that_are_over_are_forgotten() -> None:
    core = limited(RateLimit(1, 1000, per_key=True))
    for n in range(20_000):
        assert core.start((1, "mail", f"user-{n}", ""), NOW + 10 * n) is not None
    assert len(core.rates._tats) < 3000


def test_a_new_rate_keeps_what_is_owed_in_units() -> None:
    core = filled(limited(RateLimit(1, 3_600_000, burst=2)), MAIL, 9)
    assert len(claimed(core, NOW)) == 2
    core.set_queue(1, "mail", QueueLimits(rate=RateLimit(1, 1000, burst=2)))
    assert claimed(core, NOW + 999) == []
    assert len(claimed(core, NOW + 1000)) == 1
    core.set_queue(1, "mail", QueueLimits())
    assert len(claimed(core, NOW + 1000)) == 6
    assert core.rates.next_wake() is None


def test_a_rate_in_millions_is_exact() -> None:
    rate = RateLimit(10_000_000, 60_000, burst=1_000_000)
    core = limited(rate)
    for n in range(100):
        core.push(MAIL, n, f"r{n:03d}", cost=250_000)
    assert len(claimed(core, NOW)) == 4
    assert core.rates.next_wake() == NOW + 1500


def test_waiting_for_a_rate_is_no_waiting_lane_for_others() -> None:
    core = filled(limited(RateLimit(1, 1000)), MAIL, 5)
    claimed(core, NOW)
    assert core.start((1, "other", "", ""), NOW) is not None


def test_an_urgent_cheap_run_goes_although_the_next_one_is_held() -> None:
    core = limited(RateLimit(10, 1000, burst=10))
    for ord, cost in [(5, 5), (6, 10)]:
        core.push(MAIL, ord, f"r{ord}", cost=cost)
    assert [claim[2] for claim in core.claim(1, "", 9, NOW)] == ["r5"]
    core.push(MAIL, 1, "urgent", cost=5)
    assert [claim[2] for claim in core.claim(1, "", 9, NOW)] == ["urgent"]


def test_a_paused_key_is_no_reason_to_look_at_a_held_queue() -> None:
    core = limited(RateLimit(1, 1000))
    core.push((1, "mail", "x", "v1"), 1, "on", resume=True)
    filled(core, MAIL, 2)
    core.set_key(1, "mail", "x", KeyLimits(paused=True))
    assert len(claimed(core, NOW, version="v1")) == 1
    assert audit(core) == []
    core.set_key(1, "mail", "x", None)
    assert [claim[2] for claim in core.claim(1, "v1", 9, NOW)] == ["on"]
