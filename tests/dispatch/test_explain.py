"""Why a run is not running, and the counts for people."""

from __future__ import annotations

import pytest

from mainspring.dispatch import (
    Core,
    EnvironmentLimits,
    Explanation,
    Gate,
    KeyLimits,
    LaneKey,
    QueueLimits,
    RateLimit,
    environment_stats,
    explain,
    queue_stats,
    walk,
)

NOW = 1_000_000
MAIL: LaneKey = (1, "mail", "", "")
USER: LaneKey = (1, "mail", "user-1", "")


def why(core: Core, lane: LaneKey = USER, n: int = 5, **options: object) -> Explanation:
    return explain(core, lane, n, f"r{n}", NOW, **options)  # type: ignore[arg-type]


def filled(lane: LaneKey = USER, **sizes: int) -> Core:
    core = Core(**sizes)
    core.push_many(lane, [(n, f"r{n}") for n in range(1, 10)])
    return core


def test_a_run_that_may_go_is_held_by_nothing() -> None:
    assert why(filled(), n=1) == Explanation(Gate.NOTHING, 0, True, starts_in_ms=0)


def test_a_run_of_an_unknown_lane_is_held_by_nothing() -> None:
    assert why(Core()).gate == Gate.NOTHING


def test_a_run_may_only_be_behind_others() -> None:
    answer = why(filled())
    assert (answer.gate, answer.position, answer.exact) == (Gate.BEHIND, 4, True)


def test_a_run_that_goes_on_is_first() -> None:
    core = filled()
    core.push(USER, 5, "r5", resume=True)
    assert why(core, resume=True).position == 0
    assert why(core, n=6).position == 6


def test_beyond_the_window_the_position_is_a_lower_bound() -> None:
    answer = why(filled(low=1, high=4), n=8)
    assert (answer.position, answer.exact) == (4, False)


def test_without_workers_nothing_starts() -> None:
    assert why(filled(), free_slots=0).gate == Gate.NO_WORKER
    assert why(filled(), n=1, free_slots=3).gate == Gate.NOTHING


@pytest.mark.parametrize(
    "gate, close",
    [
        (
            Gate.ENVIRONMENT_PAUSED,
            lambda core: core.set_environment(1, EnvironmentLimits(paused=True)),
        ),
        (Gate.QUEUE_PAUSED, lambda core: core.set_queue(1, "mail", QueueLimits(paused=True))),
        (
            Gate.KEY_PAUSED,
            lambda core: core.set_key(1, "mail", "user-1", KeyLimits(paused=True)),
        ),
    ],
)
def test_a_pause_is_named_and_has_no_estimate(gate: Gate, close) -> None:  # type: ignore[no-untyped-def]
    core = filled()
    close(core)
    assert why(core) == Explanation(gate, 4, True)


@pytest.mark.parametrize(
    "gate, running, limit, scope, lane, setup",
    [
        (
            Gate.KEY_LIMIT,
            2,
            2,
            (1, "mail", "user-1"),
            USER,
            lambda core: core.set_queue(1, "mail", QueueLimits(limit=2)),
        ),
        (
            Gate.QUEUE_LIMIT,
            2,
            2,
            (1, "mail", ""),
            MAIL,
            lambda core: core.set_queue(1, "mail", QueueLimits(limit=2)),
        ),
        (
            Gate.QUEUE_TOTAL,
            2,
            2,
            (1, "mail", None),
            USER,
            lambda core: core.set_queue(1, "mail", QueueLimits(total=2)),
        ),
        (
            Gate.ENVIRONMENT_LIMIT,
            2,
            2,
            (1, "mail", None),
            USER,
            lambda core: core.set_environment(1, EnvironmentLimits(limit=2, burst=2)),
        ),
        (
            Gate.ENVIRONMENT_LIMIT,
            5,
            5,
            (1, None, None),
            USER,
            lambda core: (
                core.occupy((1, "other", "", ""), 3),
                core.set_environment(1, EnvironmentLimits(limit=3, burst=1.7)),
            ),
        ),
    ],
    ids=["key", "queue", "total", "base", "burst"],
)
def test_a_full_gate_names_its_count_its_limit_and_its_holders(  # type: ignore[no-untyped-def]
    gate, running, limit, scope, lane, setup
) -> None:
    core = filled(lane)
    setup(core)
    core.claim(1, "", 9, NOW)
    answer = why(core, lane, 9, holders=lambda *asked: [repr(asked)])
    assert (answer.gate, answer.running, answer.limit) == (gate, running, limit)
    assert answer.holders == (repr(scope),)
    assert core.claim(1, "", 9, NOW) == []


def test_a_rate_says_when_it_lets_go() -> None:
    core = filled()
    core.set_queue(1, "mail", QueueLimits(rate=RateLimit(1, 700)))
    core.claim(1, "", 9, NOW)
    answer = why(core)
    assert (answer.gate, answer.free_at, answer.position) == (Gate.RATE_LIMIT, NOW + 700, 3)
    assert answer.starts_in_ms == 700
    assert why(core, resume=True).gate != Gate.RATE_LIMIT


def test_the_start_is_estimated_from_recent_completions() -> None:
    core = filled()
    core.set_queue(1, "mail", QueueLimits(limit=1))
    core.push_many(USER, [(n, f"r{n}") for n in range(10, 99)])
    now = NOW
    assert why(core, n=90).starts_in_ms is None
    for _ in range(30):
        [(lane, *_)] = core.claim(1, "", 1, now)
        now += 100
        core.release(lane, now)
    answer = explain(core, USER, 40, "r40", now)
    assert answer.position == 9
    assert answer.starts_in_ms == 1000


def test_counts_of_an_environment_and_a_queue() -> None:
    core = filled()
    core.set_queue(1, "mail", QueueLimits(limit=2))
    core.set_key(1, "mail", "vip", KeyLimits(limit=7, paused=True))
    core.push((1, "mail", "vip", ""), -3, "r1")
    core.push((1, "other", "", "v1"), 3, "r1", resume=True)
    core.claim(1, "", 9, NOW)
    env = environment_stats(core, 1)
    assert (env.queued, env.running) == (9, 2)
    assert env.queues == (("mail", 8, 2), ("other", 1, 0))
    mail = queue_stats(core, 1, "mail", top=1)
    assert (mail.queued, mail.running, mail.keys, mail.oldest_ord) == (8, 2, 2, -3)
    assert [(key.key, key.queued, key.running, key.limit) for key in mail.top] == [
        ("user-1", 7, 2, 2)
    ]
    vip = queue_stats(core, 1, "mail").top[1]
    assert (vip.key, vip.limit, vip.paused) == ("vip", 7, True)
    assert sorted(walk(core)) == [
        (1, "mail", "user-1", 7, 2),
        (1, "mail", "vip", 1, 0),
        (1, "other", "", 1, 0),
    ]


def test_counts_of_what_is_unknown_are_zero_and_make_nothing() -> None:
    core = Core()
    assert environment_stats(core, 7).queued == 0
    assert queue_stats(core, 7, "none").oldest_ord is None
    assert not core.tree.environments
