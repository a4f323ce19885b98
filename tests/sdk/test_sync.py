"""Blocking forms: one background loop, usable from any thread but one whose loop runs."""

import asyncio
import contextvars
import os
import threading
from collections.abc import AsyncIterator

import pytest

from mainspring import runs, sync, task, tasks
from mainspring.errors import Misplaced
from mainspring.model.run import TriggerRequest
from mainspring.sdk import transport
from mainspring.sdk.journal import Journal
from mainspring.sdk.portal import Portal
from mainspring.wire import calls
from tests.sdk.conftest import Recorder, finished, order
from tests.sdk.durable import ListPort


@task
async def double(n: int) -> int:
    return n * 2


def test_every_verb_has_a_blocking_form(engine: Recorder) -> None:
    engine.answers[calls.AwaitRun] = lambda ask: finished(ask.run_id, "4")
    handle = double.trigger_sync(2)
    assert handle.result_sync(timeout=3) == 4
    assert handle.run_sync().id == handle.id
    assert handle.cancel_sync().id == handle.id
    assert handle.reschedule_sync("1h").id == handle.id
    assert len(double.batch_trigger_sync([double.call(1), double.call(2)])) == 2
    assert tasks.trigger_sync("far", 1).id == "run_4"
    assert len(tasks.batch_sync([tasks.call("far")])) == 1
    assert sync.run(runs.retrieve("run_a")).id == "run_a"
    assert list(sync.iterate(runs.list())) == []


def test_async_iterators_are_walked_through_lazily() -> None:
    made: list[int] = []

    async def numbers() -> AsyncIterator[int]:
        for n in range(3):
            made.append(n)
            yield n

    walk = sync.iterate(numbers())
    assert next(walk) == 0
    assert made == [0]
    assert list(walk) == [1, 2]


def test_errors_come_out_of_the_background_loop() -> None:
    async def fail() -> None:
        raise LookupError("there")

    with pytest.raises(LookupError, match="there"):
        sync.run(fail())


def test_context_variables_of_the_caller_are_seen_inside() -> None:
    variable = contextvars.ContextVar("v", default=0)
    variable.set(5)

    async def read() -> int:
        return variable.get()

    assert sync.run(read()) == 5


async def test_on_a_running_loop_a_blocking_form_is_refused(engine: Recorder) -> None:
    with pytest.raises(Misplaced, match="await the form without `_sync`"):
        double.trigger_sync(1)
    assert engine.asked == []


async def test_in_the_thread_of_a_plain_task_calls_run_on_the_transports_own_loop() -> None:
    class Bound(Recorder):
        async def call(self, request: object) -> object:
            assert asyncio.get_running_loop() is self.loop
            return await super().call(request)

    bound = Bound()
    bound.loop = asyncio.get_running_loop()  # type: ignore
    with transport.using(bound):
        handle = await asyncio.to_thread(double.trigger_sync, 1)
        inner = await asyncio.to_thread(lambda: asyncio.run(double.trigger(2)))
    assert (handle.id, inner.id) == ("run_1", "run_2")
    assert [type(request) for request in bound.triggered] == [TriggerRequest] * 2


def test_many_threads_share_one_loop() -> None:
    async def loop() -> int:
        return id(asyncio.get_running_loop())

    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(sync.run(loop()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_portal_can_be_closed_twice_and_starts_again() -> None:
    portal = Portal()
    first = portal.loop()
    portal.close()
    portal.close()
    assert first.is_closed()
    assert portal.loop() is not first
    portal.close()


def test_after_a_fork_the_child_has_a_loop_of_its_own() -> None:
    sync.run(asyncio.sleep(0))
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            sync.run(asyncio.sleep(0))
            os.write(write, b"fine")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 10) == b"fine"
    os.close(read)
    os.close(write)


async def test_a_cancel_of_a_blocking_operation_is_not_what_code_catches() -> None:
    journal = Journal(order(), ListPort())

    async def gone() -> None:
        raise asyncio.CancelledError

    def blocked() -> str:
        try:
            journal.block(gone())
        except Exception:  # noqa: BLE001 - as careless code of users does
            return "swallowed"
        return "went on"

    with pytest.raises(asyncio.CancelledError):
        await asyncio.to_thread(blocked)
