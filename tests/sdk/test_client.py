"""Clients: each speaks to its own server, whatever the process and the runs in it talk to."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator

import pytest

from mainspring import (
    Client,
    InvalidOptions,
    RunFailed,
    ServerUnreachable,
    SyncClient,
    Unauthorized,
    idempotency,
    sync,
    task,
)
from mainspring.errors import ConfigurationError, Misplaced
from mainspring.model.run import RunPage, Status
from mainspring.sdk import client_names, transport
from mainspring.sdk.context import Context
from mainspring.wire import calls
from tests.sdk.conftest import Recorder, finished

KEY = "tr_prod_sk_" + "k" * 24


@task
async def doubled(n: int) -> int:
    return n * 2


def two_pages(ask: calls.ListRuns) -> RunPage:
    if ask.filter.after is None:
        return RunPage([finished("run_1", None), finished("run_2", None)], next="run_2")
    return RunPage([finished("run_3", None)])


async def test_every_client_asks_its_own_server_and_the_process_another(engine: Recorder) -> None:
    one, other = Recorder(), Recorder()
    async with Client(transport=one) as first, Client(transport=other) as second:
        await first.tasks.trigger("mail", {"n": 1}, tags=["x"])
        await second.runs.cancel("run_9")
        await doubled.trigger(4)
    assert [type(request) for request in one.asked[:-1]] == [calls.Trigger]
    assert other.asked[:-1] == [calls.CancelRun("run_9")]
    assert [request.task for request in engine.triggered] == ["doubled"]
    assert (one.last.task, one.payload, one.last.options.tags) == ("mail", {"n": 1}, ("x",))


async def test_clients_are_used_at_the_same_time_by_many_tasks() -> None:
    servers = [Recorder() for _ in range(5)]
    clients = [Client(transport=server) for server in servers]

    async def use(index: int) -> None:
        for n in range(20):
            await clients[index].tasks.trigger(f"task-{index}", n)
            await asyncio.sleep(0)

    await asyncio.gather(*(use(index) for index in range(5) for _ in range(3)))
    for index, server in enumerate(servers):
        assert {request.task for request in server.triggered} == {f"task-{index}"}
        assert len(server.triggered) == 60


async def test_handles_stay_with_the_server_that_made_them(engine: Recorder) -> None:
    server = Recorder()
    client = Client(transport=server)
    made = await client.tasks.trigger("far", 1)
    again = await client.runs.replay("run_a")
    known = client.runs.handle("run_b")
    inner = await client.tasks.batch([client.tasks.call("far", 1)])
    for handle in (made, again, known, *inner):
        await handle.run()
        await handle.cancel()
    assert [r.run_id for r in server.asked if isinstance(r, calls.Retrieve)] == [
        made.id, again.id, "run_b", inner[0].id
    ]  # fmt: skip
    assert engine.asked == []


async def test_typed_tasks_go_to_a_client_by_an_option(engine: Recorder) -> None:
    server = Recorder()
    server.answers[calls.AwaitRun] = lambda ask: finished(ask.run_id, "8")
    client = Client(transport=server)
    handle = await doubled.with_options(client=client, tags=["x"]).trigger(4)
    assert await handle.result() == 8
    many = doubled.with_options(client=client)
    await many.batch_trigger([doubled.call(1), doubled.call(2)])
    assert [request.payload for request in server.triggered] == ['{"n":4}', '{"n":1}', '{"n":2}']
    assert engine.asked == []


async def test_calls_for_different_servers_are_no_batch() -> None:
    one, other = Client(transport=Recorder()), Client(transport=Recorder())
    calls_ = [doubled.with_options(client=client).call(1) for client in (one, other)]
    with pytest.raises(InvalidOptions, match="different clients"):
        await doubled.batch_trigger(calls_)
    both = doubled.with_options(client=one, connection=object())
    with pytest.raises(InvalidOptions, match="both a client and a connection"):
        await both.trigger(1)


async def test_in_a_run_a_client_is_no_part_of_the_run(in_run: Context, engine: Recorder) -> None:
    server = Recorder()
    client = Client(transport=server)
    await client.tasks.trigger("far", 1, idempotency_key="k")
    await doubled.with_options(client=client).trigger(1)
    assert [request.options.parent_id for request in server.triggered] == [None, None]
    assert server.triggered[0].options.idempotency_key == idempotency.create_key("k", "global")
    with pytest.raises(InvalidOptions, match="another server"):
        await doubled.with_options(client=client).trigger_and_wait(1)
    await doubled.trigger(1)
    assert engine.last.options.parent_id == in_run.run_id


async def test_lists_are_walked_page_by_page_and_leave_nothing_in_force(engine: Recorder) -> None:
    server = Recorder()
    server.answers[calls.ListRuns] = two_pages
    client = Client(transport=server)
    found = []
    async for run in client.runs.list(status="completed"):
        found.append(run.id)
        await doubled.trigger(1)  # goes where it always goes
    assert found == ["run_1", "run_2", "run_3"]
    assert len(engine.triggered) == 3
    assert [ask.filter.status for ask in server.asked] == [(Status.COMPLETED,)] * 2


async def test_a_walk_that_is_broken_off_asks_for_no_more_pages() -> None:
    server = Recorder()
    server.answers[calls.ListRuns] = two_pages
    walk = Client(transport=server).runs.list()
    assert (await anext(walk)).id == "run_1"
    await walk.aclose()  # type: ignore[attr-defined]
    assert len(server.asked) == 1


async def test_trigger_and_poll_gives_the_run_however_it_ended() -> None:
    server = Recorder()
    server.answers[calls.AwaitRun] = lambda ask: finished(ask.run_id, None, Status.FAILED)
    client = Client(transport=server)
    run = await client.tasks.trigger_and_poll("far", 1, timeout="1m", tags="x")
    assert (run.status, server.last.options.tags) == (Status.FAILED, ("x",))
    with pytest.raises(RunFailed):
        await client.runs.result(run.id)


async def test_batch_trigger_makes_a_run_for_each_payload() -> None:
    server = Recorder()
    handles = await Client(transport=server).tasks.batch_trigger("far", [1, {"a": 2}], queue="q")
    assert [handle.id for handle in handles] == ["run_1", "run_2"]
    assert [(r.payload, r.options.queue) for r in server.triggered] == [
        ("1", "q"),
        ('{"a":2}', "q"),
    ]


def test_the_blocking_client_has_the_same_verbs() -> None:
    for name in client_names.__dict__:
        if name.startswith("Sync"):
            blocking, awaited = (getattr(client_names, n) for n in (name, name[4:]))
            verbs = {v for v in vars(awaited) if not v.startswith("_")}
            assert {v for v in vars(blocking) if not v.startswith("_")} == verbs
            assert all(vars(awaited)[v].__doc__ for v in verbs), name


def test_the_blocking_client_gives_results_and_plain_iterators() -> None:
    server = Recorder()
    server.answers[calls.ListRuns] = two_pages
    with SyncClient(transport=server) as client:
        handle = client.tasks.trigger("far", 1)
        assert handle.run_sync().id == handle.id
        assert client.runs.retrieve("run_7").id == "run_7"
        assert [run.id for run in client.runs.list(limit=3)] == ["run_1", "run_2", "run_3"]
        assert client.queues.list()[0].name == "mail"
        assert client.runs.poll("run_7").status is Status.COMPLETED
    assert server.asked[-1] == "close"


def test_the_blocking_client_serves_many_threads() -> None:
    server = Recorder()
    client = SyncClient(transport=server)
    handles: list[str] = []

    def use() -> None:
        handles.extend(client.tasks.trigger("far", n).id for n in range(20))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(handles) == len(set(handles)) == 160


async def test_on_a_running_loop_the_blocking_client_is_refused() -> None:
    server = Recorder()
    with pytest.raises(Misplaced):
        SyncClient(transport=server).tasks.trigger("far", 1)
    assert server.asked == []


def test_a_blocking_walk_that_is_dropped_ends_its_iterator() -> None:
    ended = threading.Event()

    async def numbers() -> AsyncIterator[int]:
        try:
            for n in range(9):
                yield n
        finally:
            ended.set()

    for number in sync.iterate(numbers()):
        assert number == 0
        break
    gc.collect()
    assert ended.wait(5)


def test_url_and_key_come_from_the_arguments_else_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.chdir(str(tmp_path))
    for name in ("MAINSPRING_URL", "MAINSPRING_SECRET_KEY", "MAINSPRING_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ServerUnreachable, match="No server is known"):
        Client()
    with pytest.raises(Unauthorized, match=r"No key for http://jobs\.test"):
        Client("http://jobs.test")
    monkeypatch.setenv("MAINSPRING_URL", "http://jobs.test/")
    monkeypatch.setenv("MAINSPRING_SECRET_KEY", KEY)
    found = Client().transport
    assert (found.url, found.environment) == ("http://jobs.test", "prod")  # type: ignore[attr-defined]
    own = Client("http://other.test", "tr_stg_sk_" + "s" * 24).transport
    assert (own.url, own.environment) == ("http://other.test", "stg")  # type: ignore[attr-defined]
    assert transport.active.get() is None


@pytest.mark.parametrize("timeout", [-1, "soon"])
def test_a_timeout_that_is_none_is_refused(timeout: object) -> None:
    with pytest.raises(InvalidOptions, match="timeout"):
        Client("http://jobs.test", KEY, timeout=timeout)  # type: ignore[arg-type]


async def test_an_engine_of_this_process_signs_no_public_tokens() -> None:
    with pytest.raises(ConfigurationError, match="URL and key of the server"):
        await Client(transport=Recorder()).tokens.public("read:runs")
