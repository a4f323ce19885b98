"""Limits of environments, queues and keys, live changes, pauses, direct starts."""

from __future__ import annotations

import sys
import time
from types import FrameType

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mainspring.dispatch import (
    Core,
    EnvironmentLimits,
    KeyLimits,
    Lane,
    LaneKey,
    QueueLimits,
    RateLimit,
    audit,
)

NOW = 1_000_000
MAIL: LaneKey = (1, "mail", "", "")


def filled(core: Core, lane: LaneKey, runs: int) -> Core:
    core.push_many(lane, [(n, f"{lane}{n:05d}") for n in range(runs)])
    return core


def claimed(core: Core, n: int = 1000, version: str = "") -> list[Lane]:
    return [claim[0] for claim in core.claim(1, version, n, NOW)]


def test_without_limits_everything_runs() -> None:
    assert len(claimed(filled(Core(), MAIL, 500))) == 500


def test_an_unkeyed_lane_has_the_limit_of_its_queue() -> None:
    core = filled(Core(), MAIL, 9)
    core.set_queue(1, "mail", QueueLimits(limit=3))
    assert len(claimed(core)) == 3
    assert claimed(core) == []


def test_each_key_gets_the_full_limit_of_its_queue() -> None:
    core = Core()
    core.set_queue(1, "mail", QueueLimits(limit=3))
    for key in "abc":
        filled(core, (1, "mail", key, ""), 9)
    lanes = claimed(core)
    assert sorted(lane.key.name for lane in lanes) == [*"aaabbbccc"]


def test_a_total_bounds_all_keys_together() -> None:
    core = Core()
    core.set_queue(1, "mail", QueueLimits(limit=3, total=5))
    for key in ("", "a", "b"):
        filled(core, (1, "mail", key, ""), 9)
    lanes = claimed(core)
    assert len(lanes) == 5
    core.release_many(lanes[:2], NOW)
    assert len(claimed(core)) == 2


def test_one_queue_runs_up_to_the_limit_and_the_environment_up_to_its_burst() -> None:
    core = Core()
    core.set_environment(1, EnvironmentLimits(limit=10, burst=1.25))
    for queue in "abc":
        filled(core, (1, queue, "", ""), 50)
    assert len(claimed(core)) == 12
    other = Core()
    other.set_environment(1, EnvironmentLimits(limit=10, burst=1.25))
    assert len(claimed(filled(other, MAIL, 50))) == 10


def test_versions_share_the_limits_of_their_key() -> None:
    core = Core()
    core.set_queue(1, "mail", QueueLimits(limit=2))
    for version in ("", "v1", "v2"):
        filled(core, (1, "mail", "", version), 9)
    assert len(claimed(core, version="v1")) == 2
    assert claimed(core, version="v2") == []
    assert claimed(core) == []


def test_a_key_may_have_a_limit_of_its_own() -> None:
    core = Core()
    core.set_queue(1, "mail", QueueLimits(limit=1))
    core.set_key(1, "mail", "big", KeyLimits(limit=4))
    filled(core, (1, "mail", "big", ""), 9)
    filled(core, (1, "mail", "small", ""), 9)
    assert sorted(lane.key.name for lane in claimed(core)) == ["big"] * 4 + ["small"]
    core.set_key(1, "mail", "big", None)
    assert claimed(core) == []


def test_a_key_keeps_its_limit_while_it_is_forgotten() -> None:
    core = Core()
    core.set_key(1, "mail", "a", KeyLimits(limit=1))
    for _ in range(3):
        filled(core, (1, "mail", "a", ""), 2)
        lanes = claimed(core)
        assert len(lanes) == 1
        core.release_many(lanes, NOW)
        core.release_many(claimed(core), NOW)
        assert not core.tree.queue(1, "mail").keys


@pytest.mark.parametrize(
    "lower",
    [
        lambda core: core.set_environment(1, EnvironmentLimits(limit=2)),
        lambda core: core.set_queue(1, "mail", QueueLimits(limit=2)),
        lambda core: core.set_queue(1, "mail", QueueLimits(total=2)),
        lambda core: core.set_key(1, "mail", "", KeyLimits(limit=2)),
    ],
    ids=["environment", "queue", "total", "key"],
)
def test_a_lowered_limit_stops_new_claims_until_enough_have_ended(lower) -> None:  # type: ignore[no-untyped-def]
    core = filled(Core(), MAIL, 20)
    lanes = claimed(core, 5)
    lower(core)
    for lane in lanes[:3]:
        assert claimed(core) == []
        core.release(lane, NOW)
    core.release(lanes[3], NOW)
    assert len(claimed(core)) == 1
    assert audit(core) == []


@pytest.mark.parametrize(
    "close, open",
    [
        (
            lambda core: core.set_environment(1, EnvironmentLimits(paused=True)),
            lambda core: core.set_environment(1, EnvironmentLimits()),
        ),
        (
            lambda core: core.set_queue(1, "mail", QueueLimits(paused=True)),
            lambda core: core.set_queue(1, "mail", QueueLimits()),
        ),
        (
            lambda core: core.set_queue(1, "mail", QueueLimits(limit=0)),
            lambda core: core.set_queue(1, "mail", QueueLimits(limit=100)),
        ),
        (
            lambda core: core.set_key(1, "mail", "", KeyLimits(paused=True)),
            lambda core: core.set_key(1, "mail", "", None),
        ),
    ],
    ids=["environment", "queue", "zero", "key"],
)
def test_what_is_paused_waits_and_goes_on_when_it_is_opened(close, open) -> None:  # type: ignore[no-untyped-def]
    core = filled(Core(), MAIL, 5)
    lanes = claimed(core, 1)
    close(core)
    assert claimed(core) == []
    assert core.start((1, "mail", "", ""), NOW) is None
    core.release_many(lanes, NOW)
    assert claimed(core) == []
    filled(core, (1, "mail", "", "v1"), 3)
    open(core)
    assert len(claimed(core, version="v1")) == 7
    assert audit(core) == []


def test_slots_of_active_rows_count_without_asking_any_gate() -> None:
    core = Core()
    core.set_queue(1, "mail", QueueLimits(limit=2))
    lane = core.occupy(MAIL, 5)
    filled(core, MAIL, 3)
    assert claimed(core) == []
    core.release_many([lane] * 3, NOW)
    assert claimed(core) == []
    core.release(lane, NOW)
    assert len(claimed(core)) == 1


class Calls:
    """Counts the Python functions called inside a `with` block.

    No thread of another test may ask for its turn meanwhile: Python 3.11 then stands still, as long
    as a profile is taken (seen with 3.11.7).
    """

    count = 0

    def __enter__(self) -> Calls:
        self._interval = sys.getswitchinterval()
        sys.setswitchinterval(3_600)
        time.sleep(0)  # who waits already has its turn now
        sys.setprofile(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        sys.setswitchinterval(self._interval)
        self.count -= 1  # __exit__ itself

    def _called(self, frame: FrameType, event: str, arg: object) -> None:
        self.count += event == "call"


@pytest.mark.parametrize("gate", ["key", "queue", "rate"])
def test_what_is_full_costs_nothing(gate: str) -> None:
    """Claims beside thousands of held lanes do exactly the work of claims beside none."""

    def work(held: int) -> int:
        core = Core()
        for n in range(held):
            queue = "held" if gate != "queue" else f"held{n}"
            core.push_many((1, queue, f"k{n}", ""), [(0, f"h{n}"), (1, f"i{n}")])
            if gate == "queue":
                core.set_queue(1, queue, QueueLimits(total=1))
        if gate == "key":
            core.set_queue(1, "held", QueueLimits(limit=1))
        if gate == "rate":
            core.set_queue(1, "held", QueueLimits(rate=RateLimit(1, 3_600_000, per_key=True)))
        assert len(claimed(core, held + 1)) == held
        filled(core, MAIL, 100)
        with Calls() as calls:
            for _ in range(10):
                lanes = claimed(core, 7)
                assert len(lanes) == 7
                core.release_many(lanes, NOW)
        return calls.count

    # The first claim meets what was still in line when the gate closed.
    assert work(3000) == work(30)


def test_a_start_needs_an_empty_lane_and_a_free_slot() -> None:
    core = Core()
    core.set_queue(1, "mail", QueueLimits(limit=2))
    lane = core.start(MAIL, NOW)
    assert lane is not None
    assert lane.address == MAIL
    assert core.start(MAIL, NOW) is lane
    assert core.start(MAIL, NOW) is None
    core.release(lane, NOW)
    core.push(MAIL, 1, "first")
    assert core.start(MAIL, NOW) is None
    assert [claim[2] for claim in core.claim(1, "", 5, NOW)] == ["first"]


def test_a_start_never_overtakes_a_lane_that_could_run() -> None:
    core = Core()
    core.push((1, "other", "", ""), 1, "waits")
    assert core.start(MAIL, NOW) is None
    core.claim(1, "", 1, NOW)
    assert core.start(MAIL, NOW) is not None


def test_a_start_overtakes_lanes_that_could_not_run_anyway() -> None:
    core = Core()
    core.set_queue(1, "full", QueueLimits(limit=0))
    core.set_queue(1, "paused", QueueLimits(paused=True))
    core.push((1, "full", "a", ""), 1, "r1")
    core.push((1, "paused", "", ""), 1, "r2")
    core.push((1, "mail", "", "v1"), 1, "pinned to a version without workers")
    assert core.start((1, "mail", "b", ""), NOW, version="v2") is not None
    assert core.start((1, "mail", "b", ""), NOW, version="v1") is None


def test_a_start_leaves_the_turns_as_they_were() -> None:
    core = Core()
    for key in "abcde":
        filled(core, (1, "mail", key, ""), 3)
    core.set_key(1, "mail", "c", KeyLimits(weight=2.0))
    twin = Core()
    for key in "abcde":
        filled(twin, (1, "mail", key, ""), 3)
    twin.set_key(1, "mail", "c", KeyLimits(weight=2.0))
    order = []
    for _ in range(15):
        assert core.start((1, "mail", "new", ""), NOW) is None
        order += [claim[2] for claim in core.claim(1, "", 1, NOW)]
    assert order == [twin.claim(1, "", 1, NOW)[0][2] for _ in range(15)]


@given(st.integers(0, 50), st.decimals(1, 3, places=2))
def test_the_burst_is_the_floor_of_the_product(limit: int, burst: object) -> None:
    cap = EnvironmentLimits(limit, float(burst)).cap  # type: ignore[arg-type]
    assert cap == int(limit * burst)  # type: ignore[operator]


@pytest.mark.parametrize(
    "make",
    [
        lambda: EnvironmentLimits(limit=-1),
        lambda: EnvironmentLimits(burst=0.5),
        lambda: QueueLimits(limit=-1),
        lambda: QueueLimits(total=-1),
        lambda: QueueLimits(weight=0),
        lambda: KeyLimits(limit=-1),
        lambda: KeyLimits(weight=-2),
        lambda: RateLimit(0, 1000),
        lambda: RateLimit(1, 0),
        lambda: RateLimit(1, 1000, burst=0),
    ],
)
def test_limits_without_a_meaning_are_refused(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="must"):
        make()


def test_a_limit_lowered_under_a_waiting_resume_holds_it_back() -> None:
    core = Core()
    core.occupy(MAIL, 2)
    core.push(MAIL, 1, "on", resume=True)
    core.set_queue(1, "mail", QueueLimits(limit=2))
    assert claimed(core) == []
    core.set_queue(1, "mail", QueueLimits(limit=3))
    assert len(claimed(core)) == 1
