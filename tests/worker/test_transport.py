"""Requests of running code, over the link and beside an engine."""

import asyncio

import msgspec
import pytest

from mainspring.errors import FencedOut, NotFound, PayloadTooLarge, ServerUnreachable
from mainspring.model.run import Run, Status, TriggerAnswer, TriggerOptions, TriggerRequest
from mainspring.sdk import transport
from mainspring.sdk.context import Context
from mainspring.sdk.decorate import task
from mainspring.wire import calls
from mainspring.wire.calls import Fault, Request, Response
from mainspring.wire.worker import Call, Fenced
from tests.worker.conftest import Worker
from tests.worker.engine import Engine, answered, execute

RUN = Run("run_9", "other", Status.COMPLETED, "task/other", 1, 0)
_request = msgspec.msgpack.Decoder(calls.Request).decode


def asked(engine: Engine) -> list[Request]:
    return [_request(call.body) for call in engine.of(Call)]


async def test_a_request_travels_over_the_link_with_its_run(
    engine: Engine, anywhere: Worker
) -> None:
    @task
    async def body() -> str:
        run = await transport.ask(calls.Retrieve("run_9"), Run)
        return run.status

    engine.answer = lambda call: RUN
    await anywhere()
    engine.order(execute("body"))
    await engine.until(lambda: engine.ended)

    assert engine.ended["run_1"].output == '"completed"'
    assert [call.run_id for call in engine.of(Call)] == ["run_1"]
    assert asked(engine) == [calls.Retrieve("run_9")]


async def test_a_plain_function_asks_from_its_thread(engine: Engine, anywhere: Worker) -> None:
    @task
    async def child(name: str) -> None: ...

    @task
    def body() -> str:
        return child.trigger_sync("x").id

    engine.answer = lambda call: calls.Triggered([TriggerAnswer("run_2")])
    await anywhere()
    engine.order(execute("body"))
    await engine.until(lambda: engine.ended)

    assert engine.ended["run_1"].output == '"run_2"'
    assert [call.run_id for call in engine.of(Call)] == ["run_1"]


async def test_an_error_of_the_server_is_raised_as_itself(engine: Engine, anywhere: Worker) -> None:
    @task
    async def body() -> str:
        with pytest.raises(NotFound, match="no run_9") as caught:
            await transport.ask(calls.Retrieve("run_9"), Run)
        return str(caught.value.details)

    engine.answer = lambda call: Fault("not_found", "no run_9", ["near"])
    await anywhere()
    engine.order(execute("body"))
    await engine.until(lambda: engine.ended)

    assert engine.ended["run_1"].output == "\"['near']\""


async def test_new_runs_carry_a_key_that_makes_a_repeat_harmless(
    engine: Engine, worker: Worker
) -> None:
    session = await worker()
    engine.answer = lambda call: calls.Triggered([])
    keyed = TriggerRequest("other", options=TriggerOptions(request_key="mine"))
    await session.transport.call(calls.Trigger([TriggerRequest("other"), keyed]))

    (request,) = asked(engine)
    assert isinstance(request, calls.Trigger)
    keys = [item.options.request_key for item in request.requests]
    assert keys == ["ses_1-1-0", "mine"]


async def test_what_an_ended_attempt_left_behind_cannot_ask(engine: Engine, worker: Worker) -> None:
    go_on = asyncio.Event()
    left: list[asyncio.Task[object]] = []

    async def later() -> None:
        await go_on.wait()
        await transport.ask(calls.Retrieve("run_9"), Run)

    @task
    async def body() -> None:
        left.append(asyncio.create_task(later()))

    await worker()
    engine.order(execute("body"))
    await engine.until(lambda: engine.ended)
    go_on.set()

    with pytest.raises(FencedOut, match="run_1 has ended"):
        await left[0]
    assert engine.of(Call) == []


async def test_a_fenced_body_cannot_ask(engine: Engine, worker: Worker) -> None:
    caught: list[type[BaseException]] = []
    done = asyncio.Event()

    @task
    async def body(ctx: Context) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            try:
                await transport.ask(calls.Retrieve("run_9"), Run)
            except FencedOut as error:
                caught.append(type(error))
            done.set()

    await worker()
    engine.order(execute("body"))
    await engine.until(lambda: engine.started)
    engine.order(Fenced("run_1", 1))
    await done.wait()

    assert caught == [FencedOut]


async def test_a_request_that_fits_through_no_link_is_refused_here(
    engine: Engine, worker: Worker
) -> None:
    session = await worker()
    huge = [TriggerRequest("other", '"' + "x" * 3_000_000 + '"') for _ in range(5)]

    with pytest.raises(PayloadTooLarge, match="several parts"):
        await session.transport.call(calls.Trigger(huge))
    assert engine.of(Call) == []


async def test_who_waits_at_the_end_of_a_session_is_told(engine: Engine, worker: Worker) -> None:
    session = await worker()
    waiting = asyncio.create_task(session.transport.call(calls.Retrieve("run_9")))
    await engine.until(lambda: engine.of(Call))
    await session.abandon()

    with pytest.raises(FencedOut):
        await waiting
    with pytest.raises(ServerUnreachable):
        await session.transport.call(calls.Retrieve("run_9"))


async def test_a_call_is_answered_once_whatever_comes_after(engine: Engine, worker: Worker) -> None:
    session = await worker()
    waiting = asyncio.create_task(session.transport.call(calls.Retrieve("run_9")))
    await engine.until(lambda: engine.of(Call))
    (call,) = engine.of(Call)
    engine.order(answered(call, RUN), answered(call, Fault("not_found", "no")))

    assert await waiting == RUN


async def test_beside_an_engine_requests_are_handed_over_as_they_are(
    engine: Engine, worker: Worker
) -> None:
    seen: list[tuple[Request, str | None]] = []

    async def answer(request: Request, run_id: str | None, epoch: int) -> Response:
        seen.append((request, run_id))
        return RUN

    @task
    async def body() -> str:
        return (await transport.ask(calls.Retrieve("run_9"), Run)).id

    session = await worker(answer=answer)
    assert session.transport.environment == "dev"
    engine.order(execute("body"))
    await engine.until(lambda: engine.ended)
    await session.transport.call(calls.Retrieve("run_8"))

    assert seen == [(calls.Retrieve("run_9"), "run_1"), (calls.Retrieve("run_8"), None)]
    assert engine.of(Call) == []
