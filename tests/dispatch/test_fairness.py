"""Turns between queues and between keys: shares, waiting times, no credit for the idle."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import hypothesis.strategies as st
from hypothesis import given

from mainspring.dispatch import Core, KeyLimits, LaneKey, QueueLimits, audit

NOW = 1_000_000
WEIGHTS = st.sampled_from([0.25, 0.5, 1.0, 1.0, 2.0, 3.0, 7.0])


def lane(key: str, queue: str = "q", version: str = "") -> LaneKey:
    return (1, queue, key, version)


def backlog(core: Core, key: str, queue: str = "q", runs: int = 400, version: str = "") -> None:
    rows = [(n, f"{queue}-{key}-{version}{n:04d}") for n in range(runs)]
    core.push_many(lane(key, queue, version), rows)


def served(core: Core, claims: int, n: int = 1, version: str = "") -> list[LaneKey]:
    """Claim and end runs; returns whose turn it was."""
    order = []
    for _ in range(claims):
        for handle, *_ in core.claim(1, version, n, NOW):
            order.append(handle.address)
            core.release(handle, NOW)
    return order


def test_keys_take_turns() -> None:
    core = Core()
    for key in "abc":
        backlog(core, key)
    assert [key for _, _, key, _ in served(core, 6)] == [*"abcabc"]


def test_one_claim_of_many_shares_as_many_claims_of_one() -> None:
    core = Core()
    for key in "abc":
        backlog(core, key)
    assert Counter(key for _, _, key, _ in served(core, 1, n=30)) == {"a": 10, "b": 10, "c": 10}


def test_queues_take_turns_however_many_keys_they_have() -> None:
    core = Core()
    for n in range(50):
        backlog(core, f"k{n}", "many")
    backlog(core, "", "one")
    assert Counter(queue for _, queue, _, _ in served(core, 100)) == {"many": 50, "one": 50}


def test_versions_share_the_turn_of_their_queue() -> None:
    core = Core()
    backlog(core, "", "both")
    backlog(core, "", "both", version="v1")
    backlog(core, "", "one")
    shares = Counter(queue for _, queue, _, _ in served(core, 100, version="v1"))
    assert abs(shares["both"] - shares["one"]) <= 2
    assert min(Counter(version for *_, version in served(core, 100, version="v1")).values()) >= 24


@given(st.lists(WEIGHTS, min_size=2, max_size=6), st.booleans())
def test_shares_follow_the_weights(weights: list[float], between_queues: bool) -> None:
    """At every moment, for any two that always wait: |a/wa - b/wb| <= 1/wa + 1/wb."""
    core = Core()
    names = [f"k{n}" for n in range(len(weights))]
    for name, weight in zip(names, weights, strict=True):
        if between_queues:
            core.set_queue(1, name, QueueLimits(weight=weight))
            backlog(core, "", name)
        else:
            core.set_key(1, "q", name, KeyLimits(weight=weight))
            backlog(core, name)
    counts = dict.fromkeys(names, 0)
    for _, queue, key, _ in served(core, 200):
        counts[queue if between_queues else key] += 1
        for a, wa in zip(names, weights, strict=True):
            for b, wb in zip(names, weights, strict=True):
                # strides are rounded to a millionth of a turn
                assert abs(counts[a] / wa - counts[b] / wb) <= 1 / wa + 1 / wb + 0.001


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "c", "d", "e", "f"]), st.integers(1, 3)),
        min_size=1,
        max_size=60,
    ),
    st.booleans(),
)
def test_whoever_waits_is_passed_by_each_other_at_most_once(
    arrivals: list[tuple[str, int]], between_queues: bool
) -> None:
    core, made = Core(), 0
    waits: dict[str, Counter[str]] = {}
    for name, runs in arrivals:
        for _ in range(runs):
            made += 1
            address = lane("", name) if between_queues else lane(name)
            core.push(address, made, f"r{made:04d}")
        waits.setdefault(name, Counter())
        for _, queue, key, _ in served(core, 1):
            mine = queue if between_queues else key
            for other, passed in waits.items():
                if other != mine:
                    passed[mine] += 1
                    assert passed[mine] <= 1, f"{mine} passed {other} twice"
            waits.pop(mine)
            found = core.tree.find(lane("", mine) if between_queues else lane(mine))
            if found is not None and found.queued:
                waits[mine] = Counter()


def test_a_caller_that_always_comes_back_starves_nobody() -> None:
    """Its lane is empty, hence forgotten, between two of its runs."""
    core = Core()
    backlog(core, "patient", runs=50)
    turns = []
    for n in range(100):
        core.push(lane("eager"), n, f"eager{n:04d}")
        turns += [key for _, _, key, _ in served(core, 1)]
    assert Counter(turns) == {"patient": 50, "eager": 50}


def test_new_keys_without_end_starve_nobody() -> None:
    core = Core()
    backlog(core, "patient", runs=50)
    turns = []
    for n in range(300):
        for k in range(2):
            core.push(lane(f"new{n}-{k}"), n, f"new{n:04d}-{k}")
        turns += [key for _, _, key, _ in served(core, 1, n=3)]
    assert turns.count("patient") == 50
    assert turns.index("patient") == 0


def test_a_heavy_crowd_starves_no_light_key() -> None:
    core = Core()
    core.set_key(1, "q", "light", KeyLimits(weight=0.5))
    for n in range(10):
        core.set_key(1, "q", f"heavy{n}", KeyLimits(weight=5.0))
        backlog(core, f"heavy{n}")
    backlog(core, "light")
    turns = [key for _, _, key, _ in served(core, 1010)]
    assert turns.count("light") == 10
    places = [n for n, key in enumerate(turns) if key == "light"]
    assert max(b - a for a, b in pairwise(places)) <= 101


def test_the_idle_save_up_no_credit() -> None:
    core = Core()
    backlog(core, "late", runs=1)
    served(core, 1)
    backlog(core, "busy")
    served(core, 100)
    backlog(core, "late", runs=50)
    assert Counter(key for _, _, key, _ in served(core, 20)) == {"busy": 10, "late": 10}


def test_a_lane_that_was_full_re_enters_behind_those_that_wait() -> None:
    core = Core()
    core.set_key(1, "q", "narrow", KeyLimits(limit=1))
    backlog(core, "narrow")
    backlog(core, "wide")
    [(narrow, *_)] = core.claim(1, "", 1, NOW)
    assert narrow.key.name == "narrow"
    assert Counter(key for _, _, key, _ in served(core, 50)) == {"wide": 50}
    core.release(narrow, NOW)
    assert Counter(key for _, _, key, _ in served(core, 20)) == {"wide": 10, "narrow": 10}


def test_a_weight_changes_live() -> None:
    core = Core()
    backlog(core, "a", "a")
    backlog(core, "b", "b")
    core.set_queue(1, "a", QueueLimits(weight=0.1))
    served(core, 5)
    core.set_queue(1, "a", QueueLimits(weight=3.0))
    served(core, 20)  # it had a turn to wait at its old weight
    assert Counter(queue for _, queue, _, _ in served(core, 40)) == {"a": 30, "b": 10}
    assert audit(core) == []


def test_equal_turns_go_to_whoever_came_first() -> None:
    core = Core()
    for key in ["z", "a", "m"]:
        backlog(core, key, runs=1)
    assert [key for _, _, key, _ in served(core, 3)] == ["z", "a", "m"]


def test_old_runs_pass_urgent_ones_in_the_end() -> None:
    """Priority is a head start in milliseconds, so a lane of urgent runs starves no other one."""
    core = Core()
    core.push(lane(""), 1000, "plain")
    order = []
    for n in range(20):
        core.push(lane(""), 1000 + n * 100 - 500, f"urgent{n:02d}")
        order += [claim[2] for claim in core.claim(1, "", 1, NOW)]
    assert order.index("plain") == 5
