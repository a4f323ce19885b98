"""Commits that fail, end in doubt, or are made by somebody who has lost the shard."""

import asyncio
from typing import Any

import pytest

from mainspring.errors import CommitRejected, MainspringError, StoreUnavailable
from mainspring.store.changes import Changes
from mainspring.wire import calls
from mainspring.wire.worker import Cancel, Goodbye
from tests.engine.house import House, beaten, request


@pytest.mark.parametrize("end", ["lost", "kept"])
async def test_a_doubtful_trigger_makes_its_runs_once(house: House, end: str) -> None:
    house.worker(slots=0)
    house.faults.next.append(end)
    answers = await house.batch([request(n) for n in range(5)])
    assert await house.counts() == {"queued": 5}
    for n, answer in enumerate(answers):
        assert (await house.run(answer.run_id)).payload == str(n)
    assert await house.differences() == []


@pytest.mark.parametrize("end", ["lost", "kept"])
async def test_a_doubtful_trigger_with_keys_names_the_run_that_exists(
    house: House, end: str
) -> None:
    house.worker(slots=0)
    for options in (
        {"idempotency_key": "k"},
        {"request_key": "r"},
        {"debounce": {"key": "d", "delay_ms": 1000}},
    ):
        house.faults.next.append(end)
        first = await house.answer(1, **options)
        house.faults.next.append(end)
        second = await house.answer(2, **options)
        assert first.run_id == second.run_id
        assert not first.cached
        assert (await house.run(first.run_id)).payload == "1"
    assert sum((await house.counts()).values()) == 3


@pytest.mark.parametrize("end", ["lost", "kept"])
async def test_a_doubtful_direct_start_executes_once(house: House, end: str) -> None:
    worker = house.worker()
    house.faults.next.append(end)
    run_id = await house.trigger()
    await house.settle()
    if run_id not in worker.runs:  # the order never left: the worker is asked, and says so
        worker.refuse(run_id)
        await house.settle()
    assert list(worker.runs) == [run_id]
    worker.finish(run_id, 1)
    await house.settle()
    assert await house.status(run_id) == "completed"
    assert await house.differences() == []


@pytest.mark.parametrize("end", ["lost", "kept"])
async def test_a_doubtful_claim_neither_loses_nor_doubles_a_run(house: House, end: str) -> None:
    worker = house.worker(slots=0)
    ids = [answer.run_id for answer in await house.batch([request(n) for n in range(5)])]
    worker.drop()
    worker.slots = 5
    house.faults.next.append(end)
    worker.connect()
    await house.settle()
    for run_id in set(ids) - set(worker.runs):
        worker.refuse(run_id)
    await house.settle()
    assert sorted(worker.runs) == sorted(ids)
    for run_id in ids:
        worker.finish(run_id)
    await house.settle()
    assert await house.counts() == {"completed": 5}
    assert await house.differences() == []


@pytest.mark.parametrize("end", ["lost", "kept"])
@pytest.mark.parametrize("outcome", ["completed", "failed"])
async def test_a_doubtful_finish_ends_a_run_once(house: House, end: str, outcome: str) -> None:
    worker = house.worker(inside=True)
    run_id = await house.trigger(max_attempts=2)
    worker.begin(run_id)
    await house.settle()
    waiter = asyncio.ensure_future(house.ask(calls.AwaitRun(run_id, 60_000)))
    await house.breathe()
    house.faults.next.append(end)
    worker.finish(run_id, 5, outcome=outcome)
    await house.settle()
    assert worker.acked == 2
    if outcome == "failed":
        assert (await house.run(run_id)).attempt == 2
        await house.advance(10_000)
        worker.finish(run_id, 5)
    assert (await waiter).output == "5"
    assert (await house.run(run_id)).attempt == (2 if outcome == "failed" else 1)
    assert await house.differences() == []


@pytest.mark.parametrize("end", ["lost", "kept"])
async def test_a_doubtful_cancel_is_told_to_the_worker(house: House, end: str) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    await house.settle()
    house.faults.next.append(end)
    await house.cancel(run_id)
    assert run_id in [order.run_id for order in worker.took(Cancel)]
    worker.finish(run_id, 5)
    await house.settle()
    assert await house.status(run_id) == "canceled"


@pytest.mark.parametrize("end", ["lost", "kept"])
async def test_a_doubtful_timer_fires_once(house: House, end: str) -> None:
    worker = house.worker(inside=True)
    delayed = await house.trigger(delay_ms=1000)
    house.faults.next.append(end)
    await house.advance(1000)
    if not worker.runs:
        worker.refuse(delayed)
        await house.settle()
    assert list(worker.runs) == [delayed]
    worker.finish(delayed)
    await house.settle()
    assert await house.status(delayed) == "completed"
    assert await house.differences() == []


async def test_many_doubtful_commits_in_a_row_lose_nothing(house: House) -> None:
    worker = house.worker(slots=0)
    house.faults.next.extend(["lost", "kept", "lost", "lost", "kept"])
    await asyncio.gather(*(house.batch([request(n) for n in range(20)]) for _ in range(10)))
    assert await house.counts() == {"queued": 200}
    worker.drop()
    worker.slots = 200
    worker.connect()
    await house.settle()
    while house.faults.next or len(worker.runs) < 200:
        worker.answer_revokes()
        await house.settle()
    assert len(worker.runs) == 200
    assert await house.differences() == []


def poisoned(changes: Changes) -> bool:
    """Whether a commit holds the run, or the output, that the database does not like."""
    return any("poison" in str(row) for row in (*changes.run, *changes.done, *changes.tag))


async def test_a_rejected_row_fails_its_own_caller_only(house: House) -> None:
    worker = house.worker(slots=0)
    other = await house.trigger()
    house.faults.refuse = poisoned
    results = await asyncio.gather(
        house.trigger(1),
        house.trigger("poison"),
        house.trigger(3),
        house.ask(calls.AddTags(other, ("fine",))),
        house.ask(calls.AddTags(other, ("poison",))),
        return_exceptions=True,
    )
    errors = [result for result in results if isinstance(result, BaseException)]
    assert [type(error) for error in errors] == [CommitRejected, CommitRejected]
    assert results[1] in errors
    assert results[4] in errors
    assert await house.counts() == {"queued": 3}
    assert (await house.run(other)).tags == ("fine",)
    worker.drop()
    worker.slots = 5
    worker.connect()
    await house.settle()
    assert len(worker.runs) == 3
    assert await house.differences() == []


async def test_a_result_that_the_database_refuses_fails_its_own_run_only(house: House) -> None:
    worker = house.worker()
    bad, good = await house.trigger(1), await house.trigger(2)
    worker.begin(bad, good)
    house.faults.refuse = poisoned
    worker.finish(bad, "poison")
    worker.finish(good, "fine")
    made = await house.trigger(3)
    await house.settle()
    assert await house.status(good) == "completed"
    assert await house.status(bad) in ("failed", "system_failure")
    assert made in worker.runs
    assert worker.acked == 3
    assert await house.differences() == []


async def test_a_bug_in_a_turn_gives_its_error_to_the_caller_and_the_engine_goes_on(
    house: House,
) -> None:
    house.worker(slots=0)

    def broken(changes: Changes) -> bool:
        if poisoned(changes):
            raise ZeroDivisionError
        return False

    house.faults.refuse = broken
    with pytest.raises(MainspringError, match="ZeroDivisionError"):
        await house.trigger("poison")
    assert await house.status(await house.trigger(1)) == "queued"


@pytest.mark.parametrize("callers", [1, 10])
async def test_a_commit_that_is_refused_once_is_done_again(house: House, callers: int) -> None:
    house.worker(slots=0)
    house.faults.next.append("refused")
    await asyncio.gather(*(house.trigger(n) for n in range(callers)))
    assert await house.counts() == {"queued": callers}


async def test_a_result_that_is_refused_once_is_kept(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    await house.settle()
    house.faults.next.append("refused")
    worker.finish(run_id, 5)
    await house.settle()
    assert (await house.run(run_id)).output == "5"


async def test_an_engine_that_has_lost_its_shard_writes_nothing_and_says_so(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    old = house.engine
    await house.take_over("server-2")
    with pytest.raises(StoreUnavailable):
        await old.answer(house.env, calls.Trigger([request(9)]))
    assert not old.ready
    with pytest.raises(StoreUnavailable):
        await old.answer(house.env, calls.Trigger([request(9)]))
    with pytest.raises(StoreUnavailable):
        await beaten(old, house.env, worker.session_id)
    assert await house.counts() == {"executing": 1}


async def test_an_owner_that_was_frozen_renews_no_lease_before_it_has_looked_around(
    house: House,
) -> None:
    worker = house.worker()
    old = house.engine
    await house.take_over("server-2")
    house.clock.advance(5_001)
    with pytest.raises(StoreUnavailable, match="repeat the beat"):
        await beaten(old, house.env, worker.session_id)
    await old.tick()
    assert not old.ready


async def test_an_owner_that_was_frozen_lets_no_worker_in_before_it_has_looked_around(
    house: House,
) -> None:
    worker = house.worker()
    old = house.engine
    await house.take_over("server-2")
    worker.connect()
    run_id = await house.trigger()
    worker.begin(run_id)
    house.clock.advance(5_001)
    mine, house.engine = house.engine, old
    with pytest.raises(StoreUnavailable, match="not sure"):
        worker.connect()  # and be told that the run is not its own
    house.engine = mine
    assert list(worker.runs) == [run_id]


async def test_a_database_that_was_away_for_less_than_a_lease_costs_no_worker_its_own(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    with monkeypatch.context() as away:
        away.setattr(house.store.inner.leases, "keep", unreachable)
        house.clock.advance(11_000)
        with pytest.raises(StoreUnavailable, match="repeat the beat"):
            await worker.beat()
        house.clock.advance(3_000)
    assert await worker.beat()
    await house.live(15_000)
    assert await house.status(run_id) == "executing"


async def test_a_database_that_was_away_for_a_lease_ends_those_that_workers_have_ended(
    house: House,
) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    await house.advance(15_001)  # in one go: nobody has looked at anything meanwhile
    assert await house.status(run_id) == "queued"
    assert not await worker.beat()


async def unreachable(*_given: Any, **_named: Any) -> None:
    raise StoreUnavailable("The database does not answer (made so by a test).")


async def test_a_rebuild_that_fails_for_any_reason_is_tried_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_from, failures = house.faults.inner.take_from, [RuntimeError("of the driver")] * 2

    async def failing(*place: Any) -> int | None:
        if failures:
            raise failures.pop()
        return await take_from(*place)

    monkeypatch.setattr(house.faults, "take_from", failing, raising=False)
    house.worker()
    house.faults.next.append("lost")
    run_id = await house.trigger()
    assert failures == []
    assert await house.status(run_id) == "dequeued"


async def test_workers_are_sent_to_the_new_owner(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.engine.engine.TICK_S", 0.001)
    monkeypatch.setattr("mainspring.engine.shares.BEAT_S", 0.0)
    await house.engine.stop()
    first, second = house.new_engine("server-1"), house.new_engine("server-2")
    await first.start()
    house.engine = first
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    await house.faults.register("server-2", "")  # or the first takes the shard back from nobody
    await house.faults.take(house.env.shard_id, "server-2")
    await second.start(loops=False)
    await second.environment("dev")
    with pytest.raises(StoreUnavailable):
        await house.trigger()
    while not worker.took(Goodbye):
        await house.breathe()
    assert worker.took(Goodbye)[0].retry
    house.engine = second
    worker.connect()
    worker.finish(run_id)
    await house.settle()
    assert await house.status(run_id) == "completed"


async def test_a_commit_in_flight_at_a_takeover_is_whole_or_absent(house: House) -> None:
    house.worker(slots=0)
    house.faults.open.clear()
    trigger = asyncio.ensure_future(house.batch([request(n) for n in range(10)]))
    await house.faults.entered.wait()
    await house.take_over("server-2")
    house.faults.open.set()
    with pytest.raises(StoreUnavailable):
        await trigger
    assert await house.counts() == {}


async def test_an_owner_in_doubt_does_not_take_back_what_another_has_taken(house: House) -> None:
    house.worker(slots=0)
    house.faults.open.clear()
    trigger = asyncio.ensure_future(house.trigger())
    await house.faults.entered.wait()
    await house.take_over("server-2")
    house.faults.next.append("lost")
    house.faults.open.set()
    with pytest.raises(StoreUnavailable):
        await trigger
    assert [owner for _, owner, _ in await house.faults.owners()] == ["server-2"]
    assert await house.counts() == {}


async def test_requests_that_wait_when_the_engine_stops_are_told_to_repeat(house: House) -> None:
    house.worker(slots=0)
    run_id = await house.trigger()
    house.faults.open.clear()
    house.faults.entered.clear()
    committing = asyncio.ensure_future(house.trigger(1))
    await house.faults.entered.wait()
    waiting = asyncio.ensure_future(house.trigger(2))
    awaiting = asyncio.ensure_future(house.ask(calls.AwaitRun(run_id, 60_000)))
    await house.breathe()
    stopping = asyncio.ensure_future(house.engine.stop())
    await house.breathe()
    house.faults.open.set()
    await stopping
    await committing  # its commit was under way, so it is answered
    for refused in (waiting, awaiting):
        with pytest.raises(StoreUnavailable):
            await refused
    with pytest.raises(StoreUnavailable):
        await house.trigger(3)
    await house.start()
    assert await house.counts() == {"queued": 2}


async def test_a_restart_with_thousands_of_queued_and_active_runs_loses_nothing(
    house: House,
) -> None:
    worker = house.worker(slots=40)
    for _ in range(2):
        await house.batch(
            [
                request(n, concurrency_key=f"user-{n % 50}", priority_ms=n % 3, ttl_ms=3_600_000)
                for n in range(1000)
            ]
        )
    await house.batch([request(n, delay_ms=60_000 + n) for n in range(300)])
    active = list(worker.runs)
    worker.begin(*active[:20])
    worker.finish(active[0], outcome="failed")
    await house.cancel(active[1])
    await house.settle()
    before = await house.counts()
    held = set(worker.runs)
    await house.crash()
    await house.settle()
    assert await house.differences() == []
    worker.connect()
    await house.settle()
    after = await house.counts()
    # the new owner cannot know which bodies had begun, so all of them count as executing
    assert before.pop("executing") + before.pop("dequeued") == after.pop("executing")
    assert after == before
    assert set(worker.runs) == held
    done = set()
    worker.inside = True
    worker.connect()
    while worker.runs:
        for run_id in list(worker.runs):
            worker.finish(run_id)
            done.add(run_id)
        await house.settle()
    await house.advance(120_000)
    while worker.runs:
        for run_id in list(worker.runs):
            worker.finish(run_id)
        await house.settle()
    assert await house.counts() == {"completed": 2299, "canceled": 1}
    assert await house.differences() == []


async def test_a_request_that_comes_while_the_memory_is_rebuilt_sees_it_whole(
    house: House,
) -> None:
    worker = house.worker()
    parent = await house.trigger()
    worker.begin(parent)
    await house.settle()
    house.faults.next.append("lost")
    doubtful = asyncio.ensure_future(house.trigger())
    children = [asyncio.ensure_future(house.trigger(parent=parent)) for _ in range(20)]
    late = []
    for _ in range(300):
        await asyncio.sleep(0)
        late.append(asyncio.ensure_future(house.trigger(parent=parent)))
    await doubtful
    for child in (*children, *late):
        run = await house.run(await child)
        assert (run.parent_id, run.root_id, run.depth) == (parent, parent, 1)
    grandchild = await house.run(await house.trigger(parent=run.id))
    assert grandchild.root_id == parent


async def test_a_second_server_stands_by_and_takes_over_when_the_first_falls_silent(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.engine.engine.TICK_S", 0.001)
    worker = house.worker()
    run_id = await house.trigger()
    worker.begin(run_id)
    first, second = house.engine, house.new_engine("server-2")
    await second.start()
    assert not second.ready
    with pytest.raises(StoreUnavailable):
        await second.answer(house.env, calls.Trigger([request()]))
    ready = asyncio.Event()
    second.shares.on_take = ready.set
    for _ in range(30):
        await house.faults.beat("server-1")
        house.clock.advance(250)
        await house.faults.looked_at(1)
    assert not second.ready
    while not ready.is_set():
        house.clock.advance(250)
        await house.faults.looked_at(1)
        await asyncio.sleep(0)
    house.engine = second
    assert second.ready
    with pytest.raises(StoreUnavailable):
        await first.answer(house.env, calls.Trigger([request()]))
    worker.connect()
    worker.finish(run_id, 1)
    await house.settle()
    assert await house.status(run_id) == "completed"


async def test_a_server_that_leaves_is_followed_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.engine.engine.TICK_S", 0.001)
    monkeypatch.setattr("mainspring.engine.shares.BEAT_S", 0.0)
    house.worker(slots=0)
    run_id = await house.trigger()
    second = house.new_engine("server-2")
    ready = asyncio.Event()
    second.shares.on_take = ready.set
    await second.start()
    await house.engine.stop()
    await ready.wait()
    house.engine = second
    assert await house.status(run_id) == "queued"


async def test_two_requests_for_a_new_environment_make_one_owner(house: House) -> None:
    envs = await asyncio.gather(*(house.engine.environment("prod") for _ in range(5)))
    assert len({env.shard_id for env in envs}) == 1
    epochs = {shard_id: epoch for shard_id, _, epoch in await house.faults.owners()}
    assert epochs[envs[0].shard_id] == 1
