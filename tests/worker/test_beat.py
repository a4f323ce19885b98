"""The signs of life: their thread, their connection, and what silence means."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator

import pytest

from mainspring.clock import ManualClock
from mainspring.errors import MainspringError, ServerUnreachable, Unauthorized
from mainspring.sdk import observe
from mainspring.sdk.context import current
from mainspring.sdk.decorate import task
from mainspring.wire.worker import Entry, Park, Resume, Wait
from mainspring.worker.beat import Beats
from mainspring.worker.lease import Lease
from mainspring.worker.posts import Posts
from tests.worker.conftest import Worker
from tests.worker.engine import KEY, Engine, Served, execute


class Heart:
    """A beat thread with a short interval, and what it has called."""

    def __init__(self, posts: Posts, lifeline: int | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self.renewed: list[str] = []
        self.lapsed: list[str] = []
        self.orphaned: list[bool] = []
        self.beats = Beats(
            posts,
            renewed=lambda lease: self._note(self.renewed.append, lease.session_id),
            lapsed=lambda lease: self._note(self.lapsed.append, lease.session_id),
            lifeline=lifeline,
            orphaned=lambda: self._note(self.orphaned.append, True),
            interval_s=0.01,
        )
        self.beats.start()

    def _note(self, add: Callable[..., None], value: object) -> None:
        def now() -> None:
            add(value)
            self._changed.set()

        self._loop.call_soon_threadsafe(now)

    async def until(self, met: Callable[[], object]) -> None:
        async with asyncio.timeout(90):
            while not met():
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
async def hearts() -> Iterator[Callable[..., Heart]]:
    made: list[Heart] = []

    def make(*arguments: object) -> Heart:
        made.append(Heart(*arguments))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for heart in made:
        # not on the loop: a beat under way is answered there
        await asyncio.to_thread(heart.beats.stop)


def begun(name: str, clock: ManualClock) -> Lease:
    lease = Lease(name, clock)
    lease.renew(lease.now())
    return lease


async def test_beats_keep_a_lease_alive(
    engine: Engine, served: Served, hearts: Callable[..., Heart]
) -> None:
    clock = ManualClock()
    lease = begun("ses_1", clock)
    heart = hearts(Posts(served.url, KEY))
    heart.beats.follow(lease)
    for _ in range(5):
        before = len(heart.renewed)
        clock.advance(8_000)
        await heart.until(lambda n=before: len(heart.renewed) > n + 1)
        assert lease.left > 3

    assert set(engine.beats) == {"ses_1"}
    assert heart.lapsed == []


async def test_a_session_that_was_never_welcomed_does_not_beat(
    engine: Engine, served: Served, hearts: Callable[..., Heart]
) -> None:
    clock = ManualClock()
    heart = hearts(Posts(served.url, KEY))
    heart.beats.follow(Lease("ses_1", clock))
    heart.beats.follow(begun("ses_2", clock))
    await heart.until(lambda: len(heart.renewed) > 3)

    assert set(engine.beats) == {"ses_2"}


async def test_a_lease_lapses_when_beats_are_not_acknowledged(
    engine: Engine, served: Served, hearts: Callable[..., Heart]
) -> None:
    clock = ManualClock()
    engine.known = None
    heart = hearts(Posts(served.url, KEY))
    heart.beats.follow(begun("ses_1", clock))
    await engine.until(lambda: len(engine.beats) > 3)
    assert heart.lapsed == []
    clock.advance(12_000)
    await heart.until(lambda: heart.lapsed)

    assert heart.lapsed == ["ses_1"]
    assert heart.renewed == []


async def test_a_server_that_has_just_begun_does_not_end_sessions_that_come_back_to_it(
    engine: Engine, served: Served, hearts: Callable[..., Heart]
) -> None:
    lease = begun("ses_1", ManualClock())
    lease.linked = False
    engine.known = False
    heart = hearts(Posts(served.url, KEY))
    heart.beats.follow(lease)
    await engine.until(lambda: len(engine.beats) > 3)
    assert heart.lapsed == []

    engine.known = True
    await heart.until(lambda: heart.renewed)


async def test_a_session_that_the_server_does_not_know_is_over_at_once(
    engine: Engine, served: Served, hearts: Callable[..., Heart]
) -> None:
    engine.known = False
    heart = hearts(Posts(served.url, KEY))
    heart.beats.follow(begun("ses_1", ManualClock()))
    await heart.until(lambda: heart.lapsed)

    assert heart.lapsed == ["ses_1"]


async def test_a_blocked_event_loop_does_not_stop_the_beats(
    engine: Engine, hearts: Callable[..., Heart]
) -> None:
    beaten = threading.Event()

    class Counting(Posts):
        def beat(self, session_id: str) -> bool:
            beaten.set()
            return True

    heart = hearts(Counting("http://127.0.0.1:1", KEY))
    heart.beats.follow(begun("ses_1", ManualClock()))

    assert beaten.wait(10)  # and this very wait blocks the loop


async def test_the_end_of_the_lifeline_is_noticed(hearts: Callable[..., Heart]) -> None:
    ours, theirs = os.pipe()
    heart = hearts(Posts("http://127.0.0.1:1", KEY), ours)
    os.close(theirs)
    await heart.until(lambda: heart.orphaned)
    os.close(ours)

    assert heart.orphaned == [True]


async def test_posts_keep_their_connection_and_survive_its_loss(
    engine: Engine, served: Served
) -> None:
    posts = Posts(served.url, KEY)
    assert await asyncio.to_thread(posts.beat, "ses_1")
    await served.stop()
    with pytest.raises(ServerUnreachable, match="does not answer"):
        await asyncio.to_thread(posts.beat, "ses_1")
    await served.start()
    assert await asyncio.to_thread(posts.beat, "ses_1")
    await asyncio.to_thread(posts.lost, "ses_1")
    posts.close()

    assert engine.beats == ["ses_1", "ses_1"]
    assert engine.lost == ["ses_1"]


async def test_an_error_of_the_server_keeps_its_code(engine: Engine, served: Served) -> None:
    engine.known = None
    posts = Posts(served.url, KEY)
    with pytest.raises(MainspringError) as caught:
        await asyncio.to_thread(posts.beat, "ses_1")
    posts.close()

    assert not isinstance(caught.value, Unauthorized)


async def test_those_who_watch_see_claim_renewal_and_durable_end(
    engine: Engine, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[observe.WorkerEvent] = []
    monkeypatch.setattr(observe, "observers", [seen.append])
    go_on = asyncio.Event()

    @task
    async def body() -> None:
        await go_on.wait()

    clock = ManualClock(7)
    session = await worker(clock=clock)
    engine.stop_acks()
    engine.order(execute("body", epoch=3, attempt=2))
    await engine.until(lambda: engine.started)
    session.renewed()
    go_on.set()
    await engine.until(lambda: engine.ended)
    assert [event.kind for event in seen] == ["claim", "renew"]
    engine.ack_all()
    await worker.link.outbox.settled()

    assert [event.kind for event in seen] == ["claim", "renew", "end"]
    assert {(e.run_id, e.epoch, e.attempt, e.task, e.session_id, e.at) for e in seen} == {
        ("run_1", 3, 2, "body", "ses_1", 7)
    }
    assert seen[-1].outcome == "completed"


async def test_those_who_watch_see_durable_steps_and_every_claim_of_a_run_that_waits(
    engine: Engine, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int, str]] = []
    known: list[str] = []

    def watch(event: observe.WorkerEvent) -> None:
        seen.append((event.kind, event.epoch, event.task))

    monkeypatch.setattr(observe, "observers", [watch])

    @task
    async def waiter() -> None:
        journal = current().journal
        place = journal.place("first")
        await journal.record(Entry(place.key, place.seq, "step", data="1"))
        known.append(seen[-1][0])
        place = journal.place("token")
        await journal.wait(place, Wait("", 0, 0, place.key, place.seq, "token", ["token"]))

    await worker()
    engine.order(execute("waiter"))
    await engine.until(lambda: engine.of(Park))
    engine.order(Resume("run_1", 2, 1, [Entry("token", 2, "token", data="1")]))
    await engine.until(lambda: engine.ended)
    await worker.link.outbox.settled()

    assert known == ["step"]
    assert seen == [
        ("claim", 1, "waiter"),
        ("step", 1, "waiter"),
        ("claim", 2, "waiter"),
        ("end", 2, "waiter"),
    ]


async def test_orders_that_lay_here_until_the_lease_ran_out_are_not_obeyed(
    engine: Engine, worker: Worker
) -> None:
    executed: list[str] = []

    @task
    async def body() -> None:
        executed.append(current().run_id)

    clock = ManualClock()
    session = await worker(clock=clock, lease=begun("ses_9", clock))
    clock.advance(12_000)
    session.receive([execute("body")])
    goodbye = await session.ended

    assert goodbye.retry
    assert session.running == 0
    assert executed == []
