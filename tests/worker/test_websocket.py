"""What only a link over a network does: lose its connection, and make it good."""

import asyncio
import os
import threading

import pytest

from mainspring.clock import ManualClock
from mainspring.model.run import Run, Status
from mainspring.sdk import transport
from mainspring.sdk.decorate import task
from mainspring.wire import calls
from mainspring.wire.worker import Call, Finished, Goodbye, Hello, Refused, Revoke
from mainspring.worker.lease import Lease
from mainspring.worker.outbox import WINDOW
from mainspring.worker.proxies import proxy_for
from mainspring.worker.websocket import WebSocketLink, socket_url
from tests.worker.conftest import Worker
from tests.worker.engine import KEY, Engine, Served, answered, execute

HELLO = Hello(1, "ses_1", 1, "", [], [])


async def test_a_lost_connection_is_made_again_for_the_same_session(
    engine: Engine, served: Served, remote: Worker
) -> None:
    go_on = asyncio.Event()

    @task
    async def body() -> str:
        await go_on.wait()
        return "done"

    await remote()
    engine.order(execute("body", epoch=3))
    await engine.until(lambda: engine.started)
    await served.cut()
    await engine.until(lambda: len(engine.hellos) == 2)
    go_on.set()
    await engine.until(lambda: engine.ended)

    assert engine.sessions == ["ses_1"]
    assert engine.hellos[1].runs == [("run_1", 3)]
    assert engine.ended["run_1"].output == '"done"'


async def test_what_was_not_acknowledged_is_sent_again_in_order(
    engine: Engine, served: Served, remote: Worker
) -> None:
    @task
    async def body() -> None: ...

    await remote()
    engine.stop_acks()
    for number in range(3):
        engine.order(execute("body", f"run_{number}"))
        await engine.until(lambda n=number: f"run_{n}" in engine.ended)
    engine.frames.clear()
    await served.cut()
    await engine.until(lambda: len(engine.of(Finished)) == 3)

    assert [frame.number for frame in engine.frames] == [1, 2, 3]
    assert [end.run_id for end in engine.of(Finished)] == ["run_0", "run_1", "run_2"]


async def test_what_ends_while_the_server_is_away_arrives_when_it_is_back(
    engine: Engine, served: Served, remote: Worker
) -> None:
    go_on = asyncio.Event()

    @task
    async def body() -> None:
        await go_on.wait()

    await remote()
    engine.order(execute("body"))
    await engine.until(lambda: engine.started)
    await served.stop()
    go_on.set()
    await served.start()
    await engine.until(lambda: engine.ended)

    assert engine.sessions == ["ses_1"]


async def test_a_question_about_a_held_run_comes_after_its_end(
    engine: Engine, served: Served, remote: Worker
) -> None:
    @task
    async def body() -> None: ...

    await remote()
    engine.stop_acks()
    engine.order(execute("body"))
    await engine.until(lambda: engine.ended)
    engine.frames.clear()
    await served.cut()
    await engine.until(lambda: len(engine.hellos) == 2)
    engine.order(Revoke("run_1", 1))
    await engine.until(lambda: engine.of(Refused))

    assert [type(message) for message in engine.messages] == [Finished, Refused]
    assert engine.of(Refused) == [Refused("run_1", 1, False)]


async def test_a_call_whose_answer_was_lost_is_made_again(
    engine: Engine, served: Served, remote: Worker
) -> None:
    @task
    async def body() -> str:
        return (await transport.ask(calls.Retrieve("run_9"), Run)).id

    await remote()
    engine.order(execute("body"))
    await engine.until(lambda: engine.of(Call))
    await remote.link.outbox.settled()
    await served.cut()
    await engine.until(lambda: len(engine.of(Call)) == 2)
    first, second = engine.of(Call)
    engine.order(answered(second, Run("run_9", "t", Status.COMPLETED, "q", 1, 0)))
    await engine.until(lambda: engine.ended)

    assert (first.call_id, first.body) == (second.call_id, second.body)
    assert engine.ended["run_1"].output == '"run_9"'


async def test_a_call_that_is_on_its_way_again_is_not_doubled(
    engine: Engine, served: Served, remote: Worker
) -> None:
    @task
    async def body() -> str:
        return (await transport.ask(calls.Retrieve("run_9"), Run)).id

    await remote()
    engine.stop_acks()
    engine.order(execute("body"))
    await engine.until(lambda: engine.of(Call))
    engine.frames.clear()
    engine.answer = lambda call: Run("run_9", "t", Status.COMPLETED, "q", 1, 0)
    await served.cut()
    await engine.until(lambda: engine.ended)

    assert len(engine.of(Call)) == 1


async def test_a_server_that_stops_does_not_end_the_session(
    engine: Engine, served: Served, remote: Worker
) -> None:
    go_on = asyncio.Event()

    @task
    async def body() -> None:
        await go_on.wait()

    session = await remote()
    engine.order(execute("body"))
    await engine.until(lambda: engine.started)
    engine.order(Goodbye("this server stops", retry=True))
    await engine.until(lambda: len(engine.hellos) == 2)
    go_on.set()
    await engine.until(lambda: engine.ended)

    assert not session.ended.done()


async def test_a_refused_session_ends(engine: Engine, remote: Worker) -> None:
    engine.refusal = Goodbye("another protocol", retry=False)
    session = await remote()

    assert await session.ended == Goodbye("another protocol", retry=False)


@pytest.mark.parametrize(
    "status,code", [(401, "unauthorized"), (403, "unauthorized"), (404, "configuration")]
)
async def test_a_refused_connection_ends_the_session_with_its_reason(
    served: Served, status: int, code: str
) -> None:
    served.status = status
    ended: asyncio.Future[list[object]] = asyncio.get_running_loop().create_future()
    link = WebSocketLink(served.url, KEY, lambda: HELLO)
    await link.start(ended.set_result)
    (goodbye,) = await ended
    await link.close()

    assert isinstance(goodbye, Goodbye)
    assert not goodbye.retry
    assert str(status) in goodbye.reason
    assert link.refusal_code == code


async def test_a_wrong_key_is_told_from_a_server_that_is_away(served: Served) -> None:
    ended: asyncio.Future[list[object]] = asyncio.get_running_loop().create_future()
    link = WebSocketLink(served.url, "tr_dev_sk_wrong", lambda: HELLO)
    await link.start(ended.set_result)
    (goodbye,) = await ended
    await link.close()

    assert isinstance(goodbye, Goodbye)
    assert "MAINSPRING_SECRET_KEY" in goodbye.reason


async def test_a_busy_server_is_tried_again(engine: Engine, served: Served) -> None:
    served.status = 503
    told: list[tuple[bool, str]] = []
    away = asyncio.Event()

    def tell(up: bool, reason: str) -> None:
        told.append((up, reason))
        away.set()

    link = WebSocketLink(served.url, KEY, lambda: HELLO, tell=tell)
    await link.start(lambda orders: None)
    await away.wait()
    served.status = None
    await engine.until(lambda: engine.hellos)
    await link.close()

    assert told[0] == (False, f"{socket_url(served.url)} answered 503")


async def test_messages_of_a_blocked_moment_share_a_frame(
    engine: Engine, served: Served, remote: Worker
) -> None:
    @task
    async def body() -> None: ...

    await remote(slots=100)
    await served.cut()
    for number in range(10):
        engine_frames = len(engine.frames)
        assert engine_frames == 0
        remote.link.send([Refused(f"run_{number}", 1, True)])
    await engine.until(lambda: len(engine.of(Refused)) == 10)

    assert len(engine.frames) == 1


async def test_a_server_that_acknowledges_nothing_is_sent_a_window_and_later_the_rest(
    engine: Engine, remote: Worker
) -> None:
    ran: list[int] = []

    @task
    async def body(number: int) -> None:
        ran.append(number)

    await remote()
    engine.stop_acks()
    count = 2 * WINDOW
    for number in range(count):
        engine.order(execute("body", f"run_{number}", payload=f'{{"number": {number}}}'))
        while len(ran) <= number:  # noqa: ASYNC110 - the worker runs on this loop
            await asyncio.sleep(0)
    await engine.until(lambda: len(engine.frames) == WINDOW)
    assert len(engine.ended) < count
    engine.ack_all()
    await engine.until(lambda: len(engine.ended) == count)
    assert len(engine.frames) < WINDOW + 4
    assert [frame.number for frame in engine.frames] == list(range(1, len(engine.frames) + 1))


async def test_a_large_output_passes(engine: Engine, remote: Worker) -> None:
    @task
    async def body() -> str:
        return "ü" * 4_000_000

    await remote()
    engine.order(*(execute("body", f"run_{n}") for n in range(3)))
    await engine.until(lambda: len(engine.ended) == 3)

    assert {len(end.output or "") for end in engine.ended.values()} == {4_000_002}
    assert len(engine.frames) == 3


async def test_a_welcome_renews_the_lease_from_when_hello_was_sent(
    engine: Engine, remote: Worker
) -> None:
    clock = ManualClock()
    lease = Lease("ses_1", clock)
    await remote(lease=lease)
    engine.order(execute("nowhere"))
    await engine.until(lambda: engine.ended)

    assert lease.left == 12


async def test_a_body_that_blocks_the_loop_delays_only_the_link(
    engine: Engine, remote: Worker
) -> None:
    @task
    async def body() -> None:
        threading.Event().wait(0.2)  # what a blocking call in async code does

    await remote()
    engine.order(execute("body", "run_1"), execute("body", "run_2"))
    await engine.until(lambda: len(engine.ended) == 2)

    assert len(engine.hellos) == 1


def test_the_links_address_follows_from_the_servers() -> None:
    assert socket_url("http://host:7420/") == "ws://host:7420/api/worker/v1/link"
    assert socket_url("https://host/jobs") == "wss://host/jobs/api/worker/v1/link"


def test_a_proxy_is_used_where_the_environment_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    assert proxy_for("https://jobs.example") is None

    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "inside.example")
    assert proxy_for("https://jobs.example") == "http://proxy.example:3128"
    assert proxy_for("https://inside.example") is None
    assert proxy_for("https://127.0.0.1:7420") is None
    assert proxy_for("https://localhost:7420") is None
    assert proxy_for("http://jobs.example") is None
