"""What holds over every transport."""

import asyncio

from mainspring.sdk.decorate import task
from mainspring.sdk.logger import logger
from mainspring.wire.worker import Answer, Call, Cancel, Fenced, Finished, Refused, Revoke, Started
from tests.worker.conftest import Worker
from tests.worker.engine import Engine, execute


async def test_an_order_is_executed_and_its_end_arrives(engine: Engine, anywhere: Worker) -> None:
    @task
    async def add(a: int, b: int) -> int:
        return a + b

    await anywhere()
    engine.order(execute("add", payload='{"a": 1, "b": 2}'))
    await engine.until(lambda: engine.ended)

    ended = engine.ended["run_1"]
    assert (ended.epoch, ended.outcome, ended.output) == (1, "completed", "3")


async def test_a_session_says_what_it_has(engine: Engine, anywhere: Worker) -> None:
    @task
    async def one() -> None: ...

    @task(queue="mail")
    def two() -> None: ...

    await anywhere(slots=7)

    (hello,) = engine.hellos
    assert (hello.session_id, hello.slots, hello.runs) == ("ses_1", 7, [])
    assert [(spec.id, spec.isolation) for spec in hello.tasks] == [
        ("one", "async"),
        ("two", "thread"),
    ]


async def test_a_body_that_ends_at_once_is_never_reported_as_started(
    engine: Engine, anywhere: Worker
) -> None:
    @task
    async def quick() -> None: ...

    await anywhere()
    engine.order(execute("quick", "run_1"), execute("quick", "run_2"))
    await engine.until(lambda: len(engine.ended) == 2)

    assert engine.started == []


async def test_ends_of_one_moment_travel_together(engine: Engine, anywhere: Worker) -> None:
    @task
    async def quick() -> None: ...

    await anywhere(slots=50)
    engine.order(*(execute("quick", f"run_{n}") for n in range(50)))
    await engine.until(lambda: len(engine.ended) == 50)

    assert len(engine.frames) == 1


async def test_a_body_that_goes_on_is_reported_as_started(engine: Engine, anywhere: Worker) -> None:
    go_on = asyncio.Event()

    @task
    async def slow() -> None:
        await go_on.wait()

    @task
    async def quick() -> None: ...

    await anywhere()
    engine.order(execute("slow", "run_1", 4), execute("quick", "run_2"))
    await engine.until(lambda: engine.of(Started))
    assert engine.started == [("run_1", 4)]

    go_on.set()
    await engine.until(lambda: "run_1" in engine.ended)
    assert engine.started == [("run_1", 4)]


async def test_what_is_not_durable_is_kept(engine: Engine, anywhere: Worker) -> None:
    @task
    async def quick() -> None: ...

    await anywhere()
    engine.stop_acks()
    engine.order(execute("quick"))
    await engine.until(lambda: engine.ended)
    assert [type(message) for message in anywhere.link.outbox.messages()] == [Finished]

    engine.ack_all()
    await anywhere.link.outbox.settled()
    assert list(anywhere.link.outbox.messages()) == []


async def test_a_canceled_body_hears_of_it_and_ends(engine: Engine, anywhere: Worker) -> None:
    heard = []

    @task
    async def patient() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            heard.append(True)
            raise

    await anywhere()
    engine.order(execute("patient"))
    await engine.until(lambda: engine.started)
    engine.order(Cancel("run_1", 1))
    await engine.until(lambda: engine.ended)

    assert heard == [True]
    assert engine.ended["run_1"].outcome == "canceled"


async def test_a_claim_that_never_arrived_is_given_back_for_good(
    engine: Engine, anywhere: Worker
) -> None:
    @task
    async def quick() -> None: ...

    await anywhere()
    engine.order(Revoke("run_1", 3), Revoke("run_1", 3), execute("quick", "run_1", 3))
    engine.order(execute("quick", "run_1", 4))
    await engine.until(lambda: engine.ended)

    assert engine.of(Refused) == [Refused("run_1", 3, True)] * 2
    assert [end.epoch for end in engine.of(Finished)] == [4]


async def test_a_fenced_body_is_stopped_and_says_nothing_more(
    engine: Engine, anywhere: Worker
) -> None:
    stopped = asyncio.Event()

    @task
    async def patient() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            logger.info("last words")
            stopped.set()

    @task
    async def quick() -> None: ...

    await anywhere()
    engine.order(execute("patient"))
    await engine.until(lambda: engine.started)
    engine.order(Fenced("run_1", 1))
    await stopped.wait()
    engine.order(execute("quick", "run_2"))
    await engine.until(lambda: engine.ended)

    assert list(engine.ended) == ["run_2"]


async def test_an_answer_nobody_waits_for_is_dropped(engine: Engine, anywhere: Worker) -> None:
    @task
    async def quick() -> None: ...

    await anywhere()
    engine.order(Answer(99, True, Call(1, b"\xc0").body), execute("quick"))  # type: ignore[arg-type]
    await engine.until(lambda: engine.ended)


async def test_a_drained_session_finishes_what_it_has(engine: Engine, anywhere: Worker) -> None:
    go_on = asyncio.Event()

    @task
    async def slow() -> str:
        await go_on.wait()
        return "done"

    session = await anywhere()
    engine.order(execute("slow"))
    await engine.until(lambda: engine.started)
    draining = asyncio.create_task(session.drain(10))
    await engine.until(lambda: any(getattr(m, "slots", None) == 0 for m in engine.messages))
    go_on.set()

    assert await draining == 0
    assert engine.ended["run_1"].output == '"done"'
    await engine.until(lambda: engine.open == 0)


async def test_a_drain_stops_code_at_once_when_the_lease_runs_out(
    engine: Engine, anywhere: Worker
) -> None:
    stopped = asyncio.Event()

    @task
    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    session = await anywhere()
    engine.order(execute("endless"))
    await engine.until(lambda: engine.started)
    draining = asyncio.create_task(session.drain(600))
    await engine.until(lambda: any(getattr(m, "slots", None) == 0 for m in engine.messages))
    session.lapse()

    assert await draining == 1
    await stopped.wait()
    assert engine.ended == {}
    await engine.until(lambda: engine.open == 0)


async def test_what_a_drain_cuts_off_is_not_reported(engine: Engine, anywhere: Worker) -> None:
    cleaned = []

    @task
    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)

    session = await anywhere()
    engine.order(execute("endless"))
    await engine.until(lambda: engine.started)

    assert await session.drain(0) == 1
    assert cleaned == [True]
    assert engine.ended == {}
