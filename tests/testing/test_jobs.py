"""The harness as users meet it: through the fixture, on their own tasks."""

import asyncio
import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from mainspring import Debounce, RunFailed, task
from mainspring.errors import InvalidOptions, UnknownTask
from mainspring.sdk import transport
from mainspring.sdk.registry import registry
from mainspring.testing.faults import InjectedFault
from mainspring.testing.jobs import Jobs, Unsettled
from tests.testing import shop
from tests.testing.shop import Order, fulfil, paced, resize, send_receipt, sent, twice

ORDER = Order(1, "x@y.z")


@pytest.fixture(autouse=True)
def declared() -> Iterator[None]:
    """Only the tasks of the shop are declared."""
    sent.clear()
    with registry.isolated():
        for one in (send_receipt, fulfil, resize, paced, twice):
            registry.add_task(one)
        registry.add_queue(shop.slow, shop.__file__, 1)
        yield


async def test_a_triggered_run_is_executed_when_the_engine_settles(jobs: Jobs) -> None:
    handle = await send_receipt.trigger(ORDER)
    assert (await jobs.run(handle)).status == "queued"
    await jobs.settle()
    assert sent == ["x@y.z"]
    assert await handle.result() == "ok"
    assert (await jobs.run(handle)).status == "completed"


async def test_injected_faults_fail_attempts_and_time_brings_the_next_ones(jobs: Jobs) -> None:
    handle = await send_receipt.trigger(ORDER)
    fault = jobs.fail(shop.deliver, times=2)
    await jobs.advance(hours=2)
    assert (await handle.result(), (await handle.run()).attempt) == ("ok", 3)
    assert (fault.fired, fault.left) == (2, 0)
    assert sent == ["x@y.z"]


async def test_a_task_itself_can_be_made_to_fail(jobs: Jobs) -> None:
    jobs.fail(send_receipt, times=3, error=OSError("no network"))
    handle = await send_receipt.trigger(ORDER)
    await jobs.advance("1m")
    with pytest.raises(RunFailed, match="OSError: no network"):
        await handle.result()
    assert sent == []


async def test_a_plain_task_and_a_plain_function_can_be_made_to_fail(jobs: Jobs) -> None:
    jobs.fail(resize.with_options(priority=1), error=ValueError)
    jobs.fail(shop.scaled)
    handle = await resize.trigger("a.png", 5)
    await jobs.advance("1m")
    assert await handle.result() == "a.png@5"
    assert (await jobs.run(handle)).attempt == 3


async def test_a_fault_without_an_error_says_where_it_came_from(jobs: Jobs) -> None:
    jobs.fail(shop.deliver)
    with pytest.raises(InjectedFault, match="call 1 of deliver failed because the test said so"):
        await shop.deliver("a")


async def test_a_function_that_nothing_refers_to_cannot_be_made_to_fail(jobs: Jobs) -> None:
    def local() -> None:
        return None

    with pytest.raises(InvalidOptions, match="no module or class refers to it"):
        jobs.fail(local)


async def test_a_method_can_be_made_to_fail(jobs: Jobs) -> None:
    jobs.fail(Mailer.send)
    with pytest.raises(InjectedFault):
        Mailer().send()
    assert Mailer().send() == "sent"


class Mailer:
    def send(self) -> str:
        return "sent"


async def test_after_the_block_functions_are_as_they_were() -> None:
    before = shop.deliver, send_receipt.func
    async with Jobs() as jobs:
        jobs.fail(shop.deliver)
        jobs.fail(send_receipt)
        assert shop.deliver is not before[0]
    assert (shop.deliver, send_receipt.func) == before


async def test_a_delayed_run_waits_for_its_time(jobs: Jobs) -> None:
    begun = jobs.now
    await send_receipt.with_options(delay="2h").trigger(ORDER)
    await send_receipt.with_options(delay=jobs.now + timedelta(hours=1)).trigger(Order(2, "b"))
    await jobs.advance(minutes=59, seconds=59.999)
    assert sent == []
    await jobs.advance(timedelta(milliseconds=1))
    assert sent == ["b"]
    await jobs.advance(hours=1)
    assert sent == ["b", "x@y.z"]
    assert jobs.now - begun == timedelta(hours=2)


async def test_everything_due_on_the_way_happens_at_its_own_time(jobs: Jobs) -> None:
    first = await twice.trigger()
    slow = [await paced.trigger(n) for n in range(3)]
    expires = await paced.with_options(ttl="90s").trigger(9)
    pressed = [
        await send_receipt.with_options(debounce=Debounce("d", "10m")).trigger(ORDER)
        for _ in range(3)
    ]
    begun = jobs.now
    await jobs.advance("3h")
    took = [(await jobs.run(one)).finished_at for one in (first, *slow, expires, pressed[0])]
    origin = begun.timestamp() * 1000
    assert [round((at or 0) - origin) for at in took] == [
        3_600_000,
        0,
        60_000,
        120_000,
        90_000,
        600_000,
    ]
    assert len({handle.id for handle in pressed}) == 1


async def test_runs_that_await_runs_settle_together(jobs: Jobs) -> None:
    handle = await fulfil.trigger(ORDER)
    await jobs.settle()
    assert await handle.result() == ["1.png@200", "ok"]


async def test_a_run_that_awaits_a_delayed_one_does_not_hold_the_test_up(jobs: Jobs) -> None:
    jobs.fail(resize)
    handle = await fulfil.trigger(ORDER)
    await jobs.settle()
    assert (await jobs.run(handle)).status == "waiting"
    await jobs.advance("10s")
    assert (await jobs.run(handle)).status == "completed"


async def test_what_was_triggered_can_be_asserted(jobs: Jobs) -> None:
    handle = await fulfil.trigger(ORDER)
    await jobs.settle()
    found = jobs.assert_triggered(resize, width=200)
    assert (found.payload, found.parent_id) == ({"path": "1.png", "width": 200}, handle.id)
    assert jobs.assert_triggered("send_receipt", email="x@y.z").parent_id == handle.id
    assert jobs.assert_triggered(fulfil).parent_id is None
    assert jobs.triggered(resize, width=100) == []


async def test_a_failed_assertion_shows_what_was_triggered_instead(jobs: Jobs) -> None:
    with pytest.raises(AssertionError, match="Nothing was triggered at all"):
        jobs.assert_triggered(resize)
    first = await resize.trigger("a.png", 100)
    await resize.trigger("b.png", 300)
    await send_receipt.trigger(ORDER)
    with pytest.raises(AssertionError) as caught:
        jobs.assert_triggered(resize, path="a.png", width=200, height=5)
    lines = str(caught.value).splitlines()
    assert lines[0] == ("Task 'resize' was not triggered with path='a.png', width=200, height=5.")
    assert lines[1] == "It was triggered 2 times:"
    assert lines[2] == (
        f"  {first.id}: width is 100, 200 was expected; height is missing, 5 was expected"
    )
    assert lines[-1] == "Triggered were: 'send_receipt' (1)."


async def test_the_runs_of_a_test_are_listed_the_oldest_first(jobs: Jobs) -> None:
    await fulfil.trigger(ORDER)
    await jobs.settle()
    assert [run.task for run in await jobs.runs()] == ["fulfil", "resize", "send_receipt"]
    (run,) = await jobs.runs(resize)
    assert (run.output, run.payload) == ('"1.png@200"', '{"path":"1.png","width":200}')


async def test_a_killed_worker_loses_its_runs_and_they_execute_again(jobs: Jobs) -> None:
    begun = asyncio.Event()
    ended: list[int] = []

    @task
    async def stuck() -> None:
        ended.append(0)
        if len(ended) == 1:
            begun.set()
            await asyncio.Event().wait()
        ended.append(1)

    handle = await stuck.trigger()
    await jobs.settle(timeout=0)
    await begun.wait()
    assert await jobs.crash_and_resume() == 1
    assert ended == [0, 0, 1]
    run = await jobs.run(handle)
    assert (run.status, run.attempt) == ("completed", 1)
    assert await jobs.crash_and_resume() == 0


@pytest.mark.parametrize("after", range(1, 7))
async def test_a_worker_can_be_killed_between_any_two_steps(jobs: Jobs, after: int) -> None:
    handle = await fulfil.trigger(ORDER)
    lost = await jobs.crash_and_resume(after=after)
    assert lost > 0  # two triggers, and for each result a look, and a wait or its entry
    assert await handle.result() == ["1.png@200", "ok"]
    assert len(jobs.triggered(resize)) == 1


async def test_a_step_to_be_killed_at_is_counted_from_one(jobs: Jobs) -> None:
    with pytest.raises(InvalidOptions, match="from 1"):
        await jobs.crash_and_resume(after=0)


async def test_a_body_that_waits_for_the_outside_is_named(jobs: Jobs) -> None:
    @task
    async def asleep() -> None:
        await asyncio.sleep(3600)

    handle = await asleep.trigger()
    with pytest.raises(Unsettled, match=rf"asleep \({handle.id}\), attempt 1"):
        await jobs.settle(timeout=0.01)
    await jobs.settle(timeout=0)
    await handle.cancel()
    await jobs.settle()
    assert (await handle.run()).status == "canceled"


async def test_an_unknown_task_is_refused_as_in_production(jobs: Jobs) -> None:
    await resize.trigger("a", 1)

    @task
    async def late() -> None:
        return None

    with pytest.raises(UnknownTask, match="late"):
        await late.trigger()


async def test_two_harnesses_one_after_the_other_share_nothing() -> None:
    before = transport._process.transport
    for _ in range(2):
        async with Jobs() as jobs:
            await send_receipt.trigger(ORDER)
            await jobs.settle()
            assert len(await jobs.runs()) == 1
    assert transport._process.transport is before


async def test_the_body_of_a_run_reaches_the_same_engine_from_a_thread(jobs: Jobs) -> None:
    @task
    def parent() -> str:
        return send_receipt.trigger_sync(ORDER).result_sync()

    handle = await parent.trigger()
    await jobs.settle()
    assert await handle.result() == "ok"
    jobs.assert_triggered(send_receipt, id=1)


def test_the_plugin_loads_without_the_engine() -> None:
    code = (
        "import sys, mainspring.testing.plugin as p; "
        "assert 'mainspring.engine.engine' not in sys.modules and p.jobs"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)


def test_the_plugin_is_the_one_that_pytest_finds() -> None:
    (entry,) = importlib.metadata.entry_points(group="pytest11", name="mainspring")
    assert entry.value == "mainspring.testing.plugin"


MARKED = """
import pytest
from mainspring import task

@task
async def double(n: int) -> int:
    return 2 * n

@pytest.mark.{mark}
async def test_double(jobs) -> None:
    handle = await double.with_options(delay="1h").trigger(4)
    await jobs.advance(hours=1)
    assert await handle.result() == 8
"""


@pytest.mark.parametrize(
    "mark, options",
    [
        ("asyncio", ["-o", "asyncio_default_fixture_loop_scope=function"]),
        ("anyio", ["-p", "no:asyncio"]),
    ],
    ids=["asyncio", "anyio"],
)
def test_the_fixture_works_whatever_runs_the_event_loop(
    mark: str, options: list[str], tmp_path: Path
) -> None:
    (tmp_path / "conftest.py").write_text(
        "import pytest\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    )
    (tmp_path / "test_double.py").write_text(MARKED.format(mark=mark))
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=25,
    )
    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr


async def _triggered() -> None:
    await send_receipt.trigger(ORDER)


def test_the_fixture_leaves_nothing_behind_on_a_loop_that_goes_on() -> None:
    before = transport.install(None)
    loop = asyncio.new_event_loop()
    try:
        with Jobs().installed():
            loop.run_until_complete(_triggered())
        assert transport.install(before) is None
    finally:
        loop.close()
