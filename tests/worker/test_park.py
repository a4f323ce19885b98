"""Runs that wait without a slot: parking, coming back, races with outcomes, cancel, giving away."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from mainspring.clock import ManualClock
from mainspring.errors import FencedOut
from mainspring.sdk import hooks
from mainspring.sdk.context import current
from mainspring.sdk.decorate import task
from mainspring.wire.worker import (
    Ack,
    Cancel,
    Capacity,
    Dropped,
    Entry,
    Fenced,
    Finished,
    Hello,
    Park,
    Record,
    Refused,
    Resolved,
    Resume,
    Started,
    Wait,
)
from mainspring.worker.park import graveyard
from tests.worker.conftest import Worker
from tests.worker.engine import Engine, execute


async def wait_for(name: str, kind: str = "token") -> str | None:
    """A durable wait, as the verbs of the SDK make it."""
    journal = current().journal
    place = journal.place(name)
    return (await journal.wait(place, Wait("", 0, 0, place.key, place.seq, kind, [name]))).data


async def keep(name: str, data: str = "null") -> None:
    """A durable step without a body."""
    journal = current().journal
    place = journal.place(name)
    if place.entry is None:
        await journal.record(Entry(place.key, place.seq, "step", data=data))


def blocking_wait(name: str) -> str | None:
    return current().journal.block(wait_for(name))


def came(key: str, data: str = "1") -> Entry:
    return Entry(key, 1, "token", data=data)


def keys(engine: Engine) -> list[list[str]]:
    return [park.keys for park in engine.of(Park)]


@pytest.fixture(autouse=True)
def no_hooks() -> Iterator[None]:
    with hooks.isolated():
        yield


async def test_a_run_that_waits_leaves_its_slot_and_comes_back_under_another_epoch(
    engine: Engine, anywhere: Worker
) -> None:
    @task(id="waiter")
    async def waiter() -> str:
        got = await wait_for("tok")
        return f"{got} in epoch {current().epoch}"

    session = await anywhere()
    engine.order(execute("waiter"))
    await engine.until(lambda: engine.of(Park))

    assert engine.of(Wait)[0].run_id == "run_1"
    assert engine.of(Park) == [Park("run_1", 1, ["tok"], engine.of(Park)[0].active_ms)]
    assert session.running == 0

    engine.order(Resume("run_1", 2, 1, [came("tok", "7")]))
    await engine.until(lambda: engine.ended)

    assert engine.ended["run_1"].output == '"7 in epoch 2"'
    assert engine.ended["run_1"].epoch == 2


async def test_the_wait_and_the_park_go_in_one_frame(engine: Engine, worker: Worker) -> None:
    @task(id="waiter")
    async def waiter() -> None:
        await wait_for("tok")

    await worker()
    engine.order(execute("waiter"))
    await engine.until(lambda: engine.of(Park))

    (frame,) = (f for f in engine.frames if any(isinstance(m, Park) for m in f.messages))
    assert [type(m) for m in frame.messages if not isinstance(m, Started)] == [Wait, Park]


async def test_an_outcome_that_came_before_the_park_keeps_the_slot(
    engine: Engine, anywhere: Worker
) -> None:
    @task(id="waiter")
    async def waiter() -> str | None:
        return await wait_for("tok")

    session = await anywhere()
    engine.stop_acks()
    engine.order(execute("waiter"))
    await engine.until(lambda: engine.of(Park))
    assert session.running == 0

    engine.order(Resolved("run_1", 1, [came("tok", '"early"')]), Ack(engine.frames[-1].number))
    await engine.until(lambda: engine.ended)

    assert engine.ended["run_1"].epoch == 1
    assert not engine.of(Refused)


async def test_an_outcome_that_is_told_again_does_not_wake_a_run_that_waits_for_another(
    engine: Engine, worker: Worker
) -> None:
    seen: list[str] = []

    @task(id="waiter")
    async def waiter() -> None:
        await wait_for("first")
        await wait_for("second")

    @waiter.on_resume
    async def goes_on(ctx: object, waits: list[hooks.Waiting]) -> None:
        seen.extend(wait.key for wait in waits)

    session = await worker()
    engine.order(execute("waiter"))
    await engine.until(lambda: engine.of(Park))
    engine.order(Resolved("run_1", 1, [came("first")]))
    await engine.until(lambda: len(engine.of(Park)) == 2)

    engine.order(Resolved("run_1", 1, [came("first")]))
    await asyncio.sleep(0)
    assert session.running == 0
    assert (keys(engine), seen) == ([["first"], ["second"]], ["first"])

    engine.order(Resolved("run_1", 1, [came("first"), came("second")]))
    await engine.until(lambda: engine.ended)
    assert seen == ["first", "second"]


async def test_a_run_whose_other_code_goes_on_is_parked_when_that_ends_in_a_wait(
    engine: Engine, worker: Worker
) -> None:
    go = asyncio.Event()

    @task(id="two")
    async def two() -> None:
        async def busy() -> None:
            await go.wait()
            await wait_for("second")

        await asyncio.gather(wait_for("first"), busy())

    session = await worker()
    engine.order(execute("two"))
    await engine.until(lambda: engine.of(Wait))
    assert session.running == 1
    assert not engine.of(Park)

    go.set()
    await engine.until(lambda: engine.of(Park))
    assert [sorted(found) for found in keys(engine)] == [["0/first", "1/second"]]


async def test_code_that_stops_to_be_busy_without_a_word_is_noticed(
    engine: Engine, worker: Worker
) -> None:
    go = asyncio.Event()

    @task(id="late")
    async def late() -> None:
        waiting = asyncio.create_task(wait_for("tok"))
        await go.wait()
        await waiting

    await worker()
    engine.order(execute("late"))
    await engine.until(lambda: engine.of(Wait))
    go.set()
    await engine.until(lambda: engine.of(Park))

    assert keys(engine) == [["tok"]]


async def test_of_two_waits_the_one_that_is_left_parks_again(
    engine: Engine, worker: Worker
) -> None:
    @task(id="two")
    async def two() -> list[str | None]:
        return list(await asyncio.gather(wait_for("a"), wait_for("b")))

    await worker()
    engine.order(execute("two"))
    await engine.until(lambda: engine.of(Park))
    engine.order(Resume("run_1", 2, 1, [came("0/a", "1")]))
    await engine.until(lambda: len(engine.of(Park)) == 2)
    assert engine.of(Park)[1].epoch == 2
    assert engine.of(Park)[1].keys == ["1/b"]

    engine.order(Resume("run_1", 3, 2, [came("0/a", "1"), came("1/b", "2")]))
    await engine.until(lambda: engine.ended)
    assert engine.ended["run_1"].output == '["1","2"]'


async def test_only_active_time_counts(engine: Engine, worker: Worker) -> None:
    clock = ManualClock()

    @task(id="slow")
    async def slow() -> None:
        clock.advance(500)
        await wait_for("tok")
        clock.advance(250)

    await worker(clock=clock)
    engine.order(execute("slow", max_duration_ms=60_000))
    await engine.until(lambda: engine.of(Park))
    assert engine.of(Park)[0].active_ms == 500

    clock.advance(1_000_000)
    engine.order(Resume("run_1", 2, 1, [came("tok")]))
    await engine.until(lambda: engine.ended)
    assert (engine.ended["run_1"].outcome, engine.ended["run_1"].active_ms) == ("completed", 250)


async def test_the_time_limit_does_not_end_a_parked_run(engine: Engine, worker: Worker) -> None:
    @task(id="waiter")
    async def waiter() -> bool:
        before = current().remaining() or 0
        await wait_for("tok")
        return abs(before - (current().remaining() or 0)) < 0.1

    await worker()
    engine.order(execute("waiter", max_duration_ms=200))
    await engine.until(lambda: engine.of(Park))
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(0.3, passed.set)
    await passed.wait()
    assert not engine.ended

    engine.order(Resume("run_1", 2, 1, [came("tok")]))
    await engine.until(lambda: engine.ended)
    assert engine.ended["run_1"].output == "true"


async def test_a_step_goes_on_when_its_frame_is_durable(engine: Engine, anywhere: Worker) -> None:
    passed = []

    @task(id="steps")
    async def steps() -> None:
        await keep("one")
        passed.append(1)

    await anywhere()
    engine.stop_acks()
    engine.order(execute("steps"))
    await engine.until(lambda: engine.of(Record))
    assert not passed

    engine.ack_all()
    await engine.until(lambda: engine.ended)
    assert passed == [1]


async def test_a_fenced_run_never_passes_a_step_that_it_recorded(
    engine: Engine, anywhere: Worker
) -> None:
    passed = []

    @task(id="steps")
    def steps() -> None:
        try:
            current().journal.block(keep("one"))
        except FencedOut:
            passed.append("fenced")
            raise
        passed.append("on")

    session = await anywhere()
    engine.stop_acks()
    engine.order(execute("steps"))
    await engine.until(lambda: engine.of(Record))
    engine.order(Fenced("run_1", 1), Ack(engine.frames[-1].number))
    await session.runner.calm()

    assert "on" not in passed
    assert not engine.ended


async def test_canceling_a_parked_run_ends_its_code_and_calls_its_hooks(
    engine: Engine, anywhere: Worker
) -> None:
    seen = []

    @task(id="waiter")
    async def waiter() -> None:
        try:
            await wait_for("tok")
        finally:
            seen.append("finally")

    @waiter.on_cancel
    def told(ctx: object) -> None:
        seen.append("hook")

    session = await anywhere()
    engine.order(execute("waiter"))
    await engine.until(lambda: engine.of(Park))
    engine.order(Cancel("run_1", 1, 1000))
    await engine.until(lambda: engine.ended)

    assert seen == ["finally", "hook"]
    assert engine.ended["run_1"].outcome == "canceled"
    engine.order(Fenced("run_1", 1))
    assert session.running == 0


async def test_a_parked_thread_is_canceled_too(engine: Engine, worker: Worker) -> None:
    @task(id="waiter")
    def waiter() -> None:
        blocking_wait("tok")

    await worker()
    engine.order(execute("waiter"))
    await engine.until(lambda: engine.of(Park))
    engine.order(Cancel("run_1", 1, 1000))
    await engine.until(lambda: engine.ended)

    assert engine.ended["run_1"].outcome == "canceled"


async def test_a_parked_thread_is_replaced_and_goes_on(engine: Engine, worker: Worker) -> None:
    @task(id="waiter")
    def waiter() -> tuple[str | None, bool]:
        me = threading.get_ident()
        return blocking_wait("tok"), threading.get_ident() == me

    @task(id="other")
    def other() -> int:
        return 1

    await worker(slots=1)
    engine.order(execute("waiter"))
    await engine.until(lambda: engine.of(Park))
    engine.order(execute("other", "run_2"))
    await engine.until(lambda: "run_2" in engine.ended)
    engine.order(Resume("run_1", 2, 1, [came("tok", "7")]))
    await engine.until(lambda: "run_1" in engine.ended)

    assert engine.ended["run_1"].output == '["7",true]'


async def test_code_of_a_parked_run_that_another_worker_has_never_goes_on(
    engine: Engine, anywhere: Worker
) -> None:
    seen = []

    @task(id="waiter")
    async def waiter() -> None:
        try:
            await wait_for("tok")
        finally:
            seen.append("finally")

    session = await anywhere()
    before = len(graveyard)
    engine.order(execute("waiter"), execute("waiter", "run_2"))
    await engine.until(lambda: len(engine.of(Park)) == 2)
    engine.order(Fenced("run_1", 1))
    engine.order(execute("waiter", "run_2", epoch=4, journal=[came("tok")]))
    await engine.until(lambda: engine.ended)

    assert engine.ended["run_2"].epoch == 4
    assert seen == ["finally"]
    assert len(graveyard) - before == 2
    assert session.running == 0
    engine.order(Resume("run_1", 2, 1, [came("tok")]))
    await engine.until(lambda: engine.of(Refused))
    assert engine.of(Refused) == [Refused("run_1", 2, True)]


async def test_a_resume_of_a_run_that_is_not_here_is_refused_each_time(
    engine: Engine, anywhere: Worker
) -> None:
    await anywhere()
    engine.order(Resume("run_9", 5, 4, []))
    engine.order(Resume("run_9", 5, 4, []))
    await engine.until(lambda: len(engine.of(Refused)) == 2)

    assert set(map(tuple, ((r.run_id, r.epoch, r.refused) for r in engine.of(Refused)))) == {
        ("run_9", 5, True)
    }


async def test_a_repeated_resume_is_obeyed_once(engine: Engine, worker: Worker) -> None:
    @task(id="waiter")
    async def waiter() -> None:
        await wait_for("a")
        await wait_for("b")

    await worker()
    engine.order(execute("waiter"))
    await engine.until(lambda: engine.of(Park))
    resume = Resume("run_1", 2, 1, [came("a")])
    engine.order(resume, resume)
    await engine.until(lambda: len(engine.of(Park)) == 2)
    engine.order(resume)
    engine.order(Resume("run_1", 3, 2, [came("b")]))
    await engine.until(lambda: engine.ended)

    assert not engine.of(Refused)


async def test_a_session_that_connects_again_names_its_parked_runs(
    engine: Engine, remote: Worker, served: object
) -> None:
    @task(id="waiter")
    async def waiter() -> None:
        await wait_for("tok")

    await remote()
    engine.order(execute("waiter"))
    await engine.until(lambda: engine.of(Park))
    await served.cut()  # type: ignore[attr-defined]
    await engine.until(lambda: len(engine.hellos) == 2)

    hello: Hello = engine.hellos[1]
    assert (hello.runs, hello.parked) == ([], [("run_1", 1)])


async def test_a_drain_gives_parked_runs_away_and_does_not_wait_for_them(
    engine: Engine, worker: Worker
) -> None:
    seen = []

    @task(id="waiter")
    async def waiter() -> None:
        try:
            await wait_for("tok")
        finally:
            seen.append("finally")

    session = await worker()
    engine.order(execute("waiter"))
    await engine.until(lambda: engine.of(Park))
    cut = await session.drain(60)

    assert cut == 0
    assert engine.of(Dropped) == [Dropped([("run_1", 1)])]
    assert engine.of(Capacity) == [Capacity(0)]
    assert seen == []


async def test_a_run_that_parks_during_a_drain_is_given_away_as_well(
    engine: Engine, worker: Worker
) -> None:
    go = asyncio.Event()

    @task(id="waiter")
    async def waiter() -> None:
        await go.wait()
        await wait_for("tok")

    session = await worker()
    engine.order(execute("waiter"))
    await engine.until(lambda: engine.started)
    draining = asyncio.create_task(session.drain(60))
    await engine.until(lambda: engine.of(Capacity))
    go.set()

    assert await draining == 0
    assert engine.of(Dropped) == [Dropped([("run_1", 1)])]


async def test_hooks_around_a_wait_are_called_once_each(engine: Engine, worker: Worker) -> None:
    seen: list[object] = []

    @task(id="waiter")
    async def waiter() -> None:
        await wait_for("tok")
        seen.append("on")

    @waiter.on_wait
    async def waits(ctx: object, waits: list[hooks.Waiting]) -> None:
        await asyncio.sleep(0)
        seen.append(waits)

    @waiter.on_resume
    async def goes_on(ctx: object, waits: list[hooks.Waiting]) -> None:
        await asyncio.sleep(0)
        seen.append(waits)

    await worker()
    engine.order(execute("waiter"))
    await engine.until(lambda: engine.of(Park))
    engine.order(Resume("run_1", 2, 1, [came("tok")]))
    await engine.until(lambda: engine.ended)

    waiting = [hooks.Waiting("token", "tok")]
    assert seen == [waiting, waiting, "on"]


async def test_an_outcome_during_the_hook_that_comes_before_the_wait_is_kept(
    engine: Engine, worker: Worker
) -> None:
    go = asyncio.Event()
    called = asyncio.Event()

    @task(id="waiter")
    async def waiter() -> str | None:
        return await wait_for("tok")

    @waiter.on_wait
    async def waits(ctx: object, waits: object) -> None:
        called.set()
        await go.wait()

    await worker()
    engine.order(execute("waiter"))
    await called.wait()
    engine.order(Resolved("run_1", 1, [came("tok", "5")]))
    go.set()
    await engine.until(lambda: engine.ended)

    assert engine.ended["run_1"].output == '"5"'
    assert not engine.of(Park)


async def test_branches_that_wait_for_ever_end_with_their_run(
    engine: Engine, worker: Worker
) -> None:
    ended = asyncio.Event()

    @task(id="leaves")
    async def leaves() -> None:
        async def behind() -> None:
            try:
                await wait_for("never")
            finally:
                ended.set()

        current().locals["behind"] = asyncio.create_task(behind())
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    await worker()
    engine.order(execute("leaves"))
    await engine.until(lambda: engine.ended)
    await ended.wait()

    assert engine.ended["run_1"].outcome == "completed"


async def test_an_abandoned_session_leaves_parked_code_where_it_is(
    engine: Engine, worker: Worker
) -> None:
    seen = []

    @task(id="waiter")
    async def waiter() -> None:
        try:
            await wait_for("tok")
        finally:
            seen.append("finally")

    session = await worker()
    engine.order(execute("waiter"))
    await engine.until(lambda: engine.of(Park))
    await session.abandon()

    assert seen == []
    assert not engine.of(Finished)
