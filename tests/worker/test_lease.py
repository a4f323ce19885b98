"""Until when a worker may act for its session."""

import asyncio

from mainspring.clock import ManualClock
from mainspring.sdk.decorate import task
from mainspring.wire.worker import LEASE_S
from mainspring.worker.lease import MARGIN_S, Lease
from tests.worker.conftest import Worker
from tests.worker.engine import Engine, execute

WHOLE_MS = int((LEASE_S - MARGIN_S) * 1000)


def test_a_lease_counts_from_the_moment_its_beat_was_sent() -> None:
    clock = ManualClock()
    lease = Lease("ses_1", clock)
    sent_at = lease.now()
    clock.advance(4_000)  # the answer took so long
    lease.renew(sent_at)
    clock.advance(WHOLE_MS - 5_000)
    assert not lease.lapsed
    clock.advance(1_000)
    assert lease.lapsed


def test_a_lease_that_never_began_does_not_lapse() -> None:
    clock = ManualClock()
    lease = Lease("ses_1", clock)
    clock.advance(60_000)

    assert not lease.lapsed
    assert not lease.begun


def test_a_late_answer_does_not_revive_a_lease() -> None:
    clock = ManualClock()
    lease = Lease("ses_1", clock)
    lease.renew(lease.now())
    clock.advance(WHOLE_MS)
    lease.renew(lease.now())

    assert lease.lapsed


def test_an_answer_that_comes_out_of_order_does_not_shorten_a_lease() -> None:
    clock = ManualClock()
    lease = Lease("ses_1", clock)
    first = lease.now()
    clock.advance(5_000)
    lease.renew(lease.now())
    lease.renew(first)

    assert lease.left == LEASE_S - MARGIN_S


async def test_no_end_is_reported_after_the_lease_ran_out(engine: Engine, anywhere: Worker) -> None:
    clock, go_on = ManualClock(), asyncio.Event()

    @task
    async def body() -> None:
        await go_on.wait()

    lease = Lease("ses_1", clock)
    lease.renew(lease.now())
    session = await anywhere(clock=clock, lease=lease)
    engine.order(execute("body"))
    await engine.until(lambda: engine.started)
    clock.advance(WHOLE_MS)
    go_on.set()
    goodbye = await session.ended

    assert goodbye.retry
    assert engine.ended == {}
    await session.abandon()
    assert session.running == 0


async def test_bodies_of_an_abandoned_session_are_stopped(engine: Engine, worker: Worker) -> None:
    stopped = asyncio.Event()

    @task
    async def body() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    session = await worker()
    engine.order(execute("body"))
    await engine.until(lambda: engine.started)
    await session.abandon()
    await stopped.wait()

    assert engine.ended == {}


def test_only_the_first_welcome_begins_a_lease_and_beats_alone_renew_it() -> None:
    clock = ManualClock()
    lease = Lease("ses_1", clock)
    lease.welcome(15.0, lease.now())
    clock.advance(5_000)
    lease.welcome(15.0, lease.now())  # of another server, after the link was lost
    assert lease.left == 7.0
    lease.renew(lease.now())
    assert lease.left == 12.0
