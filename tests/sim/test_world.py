"""Simulated time and processes: the ground that simulations stand on."""

import asyncio
from collections.abc import Iterator

import pytest

from tools.sim.world import Node, Violation, World


@pytest.fixture
def world() -> Iterator[World]:
    world = World(1)
    yield world
    world.leave()


async def count(node: Node, ticks: list[float]) -> None:
    while True:
        await asyncio.sleep(1)
        ticks.append(node.world.now)


def test_time_passes_only_from_one_event_to_the_next(world: World) -> None:
    node, ticks = Node(world, "one"), list[float]()
    node.begin(count(node, ticks))
    world.run_until(3.5)
    assert ticks == [1.0, 2.0, 3.0]
    assert node.clock.monotonic() == 3.5


def test_a_frozen_process_catches_up_with_what_was_due(world: World) -> None:
    node, ticks = Node(world, "one"), list[float]()
    node.begin(count(node, ticks))
    world.run_until(1.5)
    node.frozen = True
    world.run_until(10)
    assert ticks == [1.0]
    world.thaw(node)
    world.run_until(12)
    assert ticks == [1.0, 10.0, 11.0, 12.0]


def test_a_killed_process_does_nothing_more_and_the_others_go_on(world: World) -> None:
    one, other = Node(world, "one"), Node(world, "other")
    ticks, others = list[float](), list[float]()
    one.begin(count(one, ticks))
    other.begin(count(other, others))
    world.run_until(1.5)
    one.kill()
    world.run_until(3.5)
    assert (ticks, others) == ([1.0], [1.0, 2.0, 3.0])
    for task in (*one.tasks, *other.tasks):
        task._log_destroy_pending = False  # type: ignore[attr-defined]


def test_an_error_that_nobody_caught_is_a_violation(world: World) -> None:
    node = Node(world, "one")

    async def fail() -> None:
        raise ValueError("as planned")

    node.begin(fail())
    with pytest.raises(Violation, match="as planned"):
        world.run_until(1)


def test_a_process_that_turns_round_for_ever_is_a_violation(world: World) -> None:
    node = Node(world, "one")

    def again() -> None:
        node.call(again)

    node.call(again)
    with pytest.raises(Violation, match="livelock"):
        world.run_until(1)
