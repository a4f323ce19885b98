"""What only happens when two things meet. Found by simulation, see `./dev sim`."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from mainspring.engine import publish
from mainspring.engine.cancel import CancelCall
from mainspring.errors import Elsewhere, StoreUnavailable
from mainspring.store.protocol import Store
from mainspring.wire import calls
from mainspring.wire.operating import PauseEnvironment
from mainspring.wire.worker import Execute, Fenced, Resolved, Resume
from tests.engine.durable import outcomes, started
from tests.engine.house import WORK, House


async def test_a_run_is_canceled_in_the_turn_in_which_its_wait_is_over(house: House) -> None:
    worker = house.worker(obedient=True)
    run_id = await started(house, worker)
    worker.sleep(run_id, "nap", after_ms=1_000)
    await house.settle()
    commits = len(house.faults.changes)
    house.clock.advance(1_000)
    asked = asyncio.ensure_future(house.cancel(run_id))
    while not house.owner._tray.has_verbs:  # noqa: ASYNC110 - nobody tells that it is there
        await asyncio.sleep(0)
    house.owner.ring_if_due()
    assert (await asked).status == "canceled"
    await house.settle()
    assert await house.leftovers() == []
    assert await house.differences() == []
    dropped = [row for changes in house.faults.changes[commits:] for row in changes.drop_parked]
    assert dropped == [(run_id,)], "no commit was refused and done again"


async def test_a_server_that_stops_while_it_takes_an_environment_owns_nothing(
    make_store: Callable[[], Store],
) -> None:
    store = make_store()
    await store.open()
    try:
        for steps in range(20):
            house = House(store)
            engine = house.new_engine(f"server-{steps}")
            await engine.start(loops=False)
            taking = asyncio.ensure_future(engine.environment(f"preview-{steps}"))
            for _ in range(steps):
                await asyncio.sleep(0)
            await engine.stop()
            await taking
            assert engine.owners == {}
            assert f"server-{steps}" not in {owner for _, owner, _ in await store.shards.owners()}
    finally:
        await store.close()


class Unreadable:
    """A repository that does not answer a number of times."""

    def __init__(self, inner: Any, times: int) -> None:
        self.inner = inner
        self.left = times

    def __getattr__(self, name: str) -> Any:
        if self.left == 0:
            return getattr(self.inner, name)
        self.left -= 1
        raise StoreUnavailable("The database does not answer (made so by a test).")


async def test_a_run_executes_on_when_the_database_does_not_tell_what_to_tell_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "AGAIN_S", 0)
    worker = house.worker()
    run_id = await started(house, worker)
    worker.send(worker.waits(run_id, "news", "event", points=["news"]))
    await house.settle()
    store = house.engine.store
    store.waits = Unreadable(store.waits, 1)
    worker.drop()
    worker.connect()
    await house.settle()
    assert store.waits.left == 0
    assert worker.took(Fenced) == []
    [execute] = worker.took(Execute)
    assert house.owner.state.lives[run_id].epoch == execute.epoch
    await house.ask(calls.EmitEvent("news"))
    await house.settle()
    assert outcomes(worker, run_id) == [("news", "completed", None)]


async def test_who_awaits_a_run_is_answered_though_the_database_did_not_answer_at_first(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "AGAIN_S", 0)
    house.worker()
    await house.ask(calls.PauseQueue(WORK.queue, paused=True))
    run_id = await house.trigger()
    awaited = asyncio.ensure_future(house.ask(calls.AwaitRun(run_id, 60_000)))
    while not house.owner.state.waiters:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0)
    store = house.engine.store
    store.runs = Unreadable(store.runs, 1)
    house.owner.submit(CancelCall(run_id, asyncio.get_running_loop().create_future()))
    assert (await awaited).status == "canceled"
    assert store.runs.left == 0


async def test_an_outcome_that_a_broken_link_swallows_is_told_again(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    worker.sleep(run_id, "first", after_ms=1_000)
    await house.settle()
    await house.advance(1_000)  # it goes on, as its second epoch
    worker.sleep(run_id, "second", after_ms=0)
    worker.drop()
    await house.settle()
    worker.connect()
    await house.settle()
    assert [order.epoch for order in worker.took(Resume)] == [2]
    assert "second" in {entry.key for order in worker.took(Resolved) for entry in order.entries}
    assert run_id in worker.runs
    worker.finish(run_id)
    await house.settle()
    assert await house.status(run_id) == "completed"


async def test_a_setting_is_not_acknowledged_by_a_server_that_was_taken_over(house: House) -> None:
    house.worker()
    former, env = house.engine, house.env
    await house.take_over("server-2")
    for request in (calls.PauseQueue(WORK.queue, True), PauseEnvironment(True)):
        with pytest.raises(Elsewhere):
            await former.answer(env, request)


async def test_two_settings_of_a_queue_at_once_are_both_in_force(house: House) -> None:
    house.worker()
    await asyncio.gather(
        house.ask(calls.SetQueue(WORK.queue, 7)), house.ask(calls.PauseQueue(WORK.queue, True))
    )
    for _ in range(2):  # in memory, and in the rows
        [queue] = (await house.ask(calls.ListQueues())).queues
        assert (queue.limit, queue.paused) == (7, True)
        await house.crash()
