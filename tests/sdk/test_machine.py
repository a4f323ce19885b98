"""How a task says where its attempts execute, and how much they may take."""

import pytest

from mainspring.errors import InvalidTask
from mainspring.model.machine import PRESETS, UNLIMITED, Limits, limits_of, next_machine
from mainspring.sdk.decorate import task
from mainspring.sdk.limits import Retry
from mainspring.sdk.machine import Machine
from mainspring.wire.options import MACHINES

MIB = 1024 * 1024


async def coroutine() -> None: ...


def plain() -> None: ...


@pytest.mark.parametrize("body,isolation", [(coroutine, "async"), (plain, "thread")])
def test_a_function_executes_where_its_kind_belongs_unless_it_says_otherwise(
    body: object, isolation: str
) -> None:
    assert task(id="a")(body).spec.isolation == isolation  # type: ignore[call-overload]
    assert task(id="b", isolation="process")(body).spec.isolation == "process"  # type: ignore[call-overload]


@pytest.mark.parametrize("body,isolation", [(plain, "async"), (coroutine, "thread")])
def test_an_isolation_that_does_not_fit_the_function_is_refused(
    body: object, isolation: object
) -> None:
    with pytest.raises(InvalidTask, match="and 'process' are allowed"):
        task(id="a", isolation=isolation)(body)  # type: ignore[call-overload]


def test_an_unknown_isolation_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidTask, match="async, thread, process are allowed"):
        task(id="a", isolation="container")(plain)  # type: ignore[call-overload]


def test_a_preset_is_told_to_the_server_and_its_limits_to_the_worker() -> None:
    made = task(id="a", isolation="process", machine="small-1x")(plain)

    assert made.spec.machine == "small-1x"
    assert made.declaration.limits == Limits(512 * MIB)


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidTask, match="machine is 'huge'; there are micro, small-1x"):
        task(id="a", machine="huge")(plain)


def test_a_machine_of_ones_own_limits_only_a_process() -> None:
    machine = Machine(memory="256mb", cpu_seconds="1m")
    made = task(id="a", isolation="process", machine=machine)(plain)

    assert made.spec.machine is None
    assert made.declaration.limits == Limits(256 * MIB, 60)
    with pytest.raises(InvalidTask, match="add isolation='process'"):
        task(id="b", machine=machine)(plain)


@pytest.mark.parametrize(
    "text,size", [("64MB", 64 * MIB), ("1.5 gb", 1536 * MIB), (20_000_000, 20_000_000)]
)
def test_a_size_is_bytes_or_text(text: int | str, size: int) -> None:
    assert Machine(memory=text).limits() == Limits(size)


@pytest.mark.parametrize("memory", ["1mb", "many", -1, True, "64"])
def test_a_size_that_is_no_use_is_refused(memory: int | str) -> None:
    with pytest.raises(InvalidTask, match="Machine: memory"):
        Machine(memory=memory)


def test_a_fraction_of_a_second_of_processor_time_counts_as_a_whole_one() -> None:
    assert Machine(cpu_seconds=0.2).limits() == Limits(None, 1)
    assert Machine(cpu_seconds="1500ms").limits() == Limits(None, 2)


def test_the_preset_of_a_trigger_or_of_the_attempt_before_comes_first() -> None:
    declared = Limits(64 * MIB, 10)

    assert limits_of(None, declared) == declared
    assert limits_of("medium-1x", declared) == Limits(2048 * MIB, 10)
    assert limits_of("of another release", declared) == declared
    assert limits_of("micro", UNLIMITED) == Limits(256 * MIB)


def test_the_next_machine_of_a_retry_is_a_preset() -> None:
    made = task(id="a", retry=Retry(on_out_of_memory="large-1x"))(plain)

    assert made.declaration.on_out_of_memory == "large-1x"
    with pytest.raises(InvalidTask, match="Retry: on_out_of_memory is 'bigger'"):
        Retry(on_out_of_memory="bigger")


def test_triggers_take_the_presets_that_tasks_take() -> None:
    assert set(MACHINES) == set(PRESETS)


@pytest.mark.parametrize(
    "preset,larger,ran_out,following",
    [
        (None, "medium-1x", True, "medium-1x"),
        (None, "medium-1x", False, None),
        ("medium-1x", "medium-1x", False, "medium-1x"),  # it ran out before, and keeps it
        ("large-1x", "medium-1x", True, "large-1x"),  # the trigger gave it more
        ("large-1x", "medium-1x", False, None),
        ("micro", None, True, "micro"),
        (None, None, True, None),
    ],
)
def test_a_larger_machine_is_kept_and_never_a_smaller_one(
    preset: str | None, larger: str | None, ran_out: bool, following: str | None
) -> None:
    limits = limits_of(preset, Limits(64 * MIB))

    assert next_machine(preset, limits, larger, ran_out) == following
