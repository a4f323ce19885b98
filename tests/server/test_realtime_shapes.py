"""Run shapes: whole rows by offset, held until something changes, from any server at any time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest

from mainspring.model.run import Status
from mainspring.server.app import Application, build
from mainspring.server.realtime.shape import TYPES, row
from mainspring.server.serve import Listener
from mainspring.settings import ServerSettings
from mainspring.wire import calls
from mainspring.wire.worker import Execute, Op
from tests.server.clients import plain
from tests.server.conftest import KEY, PEPPER
from tests.server.electric import Electric
from tests.server.test_whole import Whole, make_store, whole

__all__ = ["make_store", "whole"]

Serve = Callable[[], Any]


@pytest.fixture
async def server(whole: Whole) -> AsyncIterator[Serve]:
    """Starts more servers on the same engine; gives the application and a client."""
    async with AsyncExitStack() as stack:

        async def start() -> tuple[Application, httpx2.AsyncClient, Listener]:
            settings = ServerSettings(port=0, drain_s=1)
            app = build(whole.house.engine, settings, whole.house.clock, pepper=PEPPER)
            listener = Listener(app, settings)
            await listener.start()
            stack.push_async_callback(listener.stop)
            client = plain(f"http://127.0.0.1:{listener.port}", {"authorization": f"Bearer {KEY}"})
            await stack.enter_async_context(client)
            return app, client, listener

        yield start


def of_run(whole: Whole, run_id: str, **query: str) -> Electric:
    return Electric(whole.client, f"/realtime/v1/runs/{run_id}", **query)


def of_tags(whole: Whole, tags: str, **query: str) -> Electric:
    return Electric(whole.client, "/realtime/v1/runs", tags=tags, **query)


async def update(whole: Whole, run_id: str, value: int) -> None:
    op = Op("set", "n", str(value))
    await whole.house.ask(calls.UpdateMetadata(run_id, [op]))


async def until(follower: Electric, **wanted: str) -> None:
    """Ask until the row has these columns."""
    async with asyncio.timeout(10):
        while not follower.rows or any(
            follower.row()[name] != text for name, text in wanted.items()
        ):
            assert (await follower.ask()).status_code == 200


async def test_a_run_is_followed_from_its_trigger_to_its_end(whole: Whole) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger({"n": 1}, tags=["b", 'a"\\'], metadata={"m": 1}, ttl="1h")
    follower = of_run(whole, run_id)
    await follower.ask()
    assert follower.told == [("insert", run_id)]
    first = follower.row()
    assert first["status"] == "PENDING"
    assert (first["payload"], first["metadata"]) == ('{"n":1}', '{"m":1}')
    assert first["runTags"] in ('{"a\\"\\\\","b"}', '{"b","a\\"\\\\"}')
    assert (first["ttl"], first["completedAt"], first["error"]) == ("1h", None, None)
    assert first["createdAt"] == "2023-11-14T22:13:20.000"
    waiting = asyncio.create_task(follower.ask())
    await whole.get("/healthz")
    assert not waiting.done()
    await whole.house.ask(calls.AddTags(run_id, ("late",)))
    await waiting
    assert "late" in follower.row()["runTags"]
    await update(whole, run_id, 7)
    await until(follower, metadata='{"m":1,"n":7}')
    await whole.post(f"/api/v2/runs/{run_id}/cancel")
    await until(follower, status="CANCELED")
    assert follower.row()["completedAt"] is not None
    assert json.loads(follower.row()["error"])["type"] == "INTERNAL_ERROR"
    assert {operation for operation, _ in follower.told[1:]} == {"update"}


async def test_claim_wait_and_end_are_told_with_the_engine_s_words(whole: Whole) -> None:
    worker = await whole.worker()
    run_id = await whole.trigger({"n": 1})
    follower = of_run(whole, run_id)
    order = await worker.next(Execute)
    await until(follower, status="EXECUTING")
    assert follower.row()["startedAt"] is not None
    await worker.finish(order, output='{"ok":true}', active_ms=12)
    await until(follower, status="COMPLETED_SUCCESSFULLY")
    last = follower.row()
    assert (last["output"], last["outputType"]) == ('{"ok":true}', "application/json")
    assert last["usageDurationMs"] == "12"


async def test_no_change_is_told_twice_and_none_is_left_out(whole: Whole) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger(metadata={"n": 0})
    follower = of_run(whole, run_id)
    await follower.ask()
    seen = [json.loads(follower.row()["metadata"])["n"]]

    async def follow() -> None:
        while seen[-1] != 40:
            told = len(follower.told)
            await follower.ask()
            if len(follower.told) > told:
                seen.append(json.loads(follower.row()["metadata"])["n"])

    following = asyncio.create_task(follow())
    for value in range(1, 41):
        await update(whole, run_id, value)
    async with asyncio.timeout(10):
        await following
    assert seen == sorted(set(seen))


async def test_an_answer_that_the_client_throws_away_loses_nothing(whole: Whole) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger(metadata={"n": 0})
    follower = of_run(whole, run_id)
    await follower.ask()
    await update(whole, run_id, 1)
    query = {"offset": follower.offset, "handle": follower.handle}
    thrown = await whole.client.get(follower.path, params=query)
    assert len(thrown.json()) == 2
    again = await whole.client.get(follower.path, params=query)
    assert again.json() == thrown.json()
    assert again.headers["electric-offset"] == thrown.headers["electric-offset"]


async def test_any_server_answers_any_question(whole: Whole, server: Serve) -> None:
    await whole.worker(slots=0)
    one, two = await whole.trigger(tags=["red"]), await whole.trigger(tags=["red"])
    follower = of_tags(whole, "red")
    await follower.ask()
    for value, run_id in ((1, one), (2, two), (3, one)):
        await update(whole, run_id, value)
        _, follower.client, _ = await server()
        await follower.ask()
    assert follower.told[2:] == [("update", one), ("update", two), ("update", one)]


async def test_a_question_without_an_answer_ends_by_itself(whole: Whole, server: Serve) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger()
    app, client, _ = await server()
    app.realtime.hold_s = 0.0
    follower = Electric(client, f"/realtime/v1/runs/{run_id}")
    await follower.ask()
    offset, rows = follower.offset, dict(follower.rows)
    response = await follower.ask()
    assert response.json() == [{"headers": {"control": "up-to-date"}}]
    assert (follower.offset, follower.rows) == (offset, rows)
    assert app.realtime.watching == 0


async def test_a_caller_who_goes_is_noticed(whole: Whole, server: Serve) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger()
    app, client, _ = await server()
    follower = Electric(client, f"/realtime/v1/runs/{run_id}")
    await follower.ask()
    asking = asyncio.create_task(follower.ask())
    async with asyncio.timeout(5):
        while not app.realtime.watching:
            await whole.get("/healthz")
        asking.cancel()
        while app.realtime.watching:
            await whole.get("/healthz")


async def test_a_server_that_stops_answers_whom_it_holds(whole: Whole, server: Serve) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger()
    app, client, listener = await server()
    follower = Electric(client, f"/realtime/v1/runs/{run_id}")
    await follower.ask()
    offset = follower.offset
    asking = asyncio.create_task(follower.ask())
    while not app.realtime.watching:
        await whole.get("/healthz")
    async with asyncio.timeout(5):
        await listener.stop()
        response = await asking
    assert response.json() == [{"headers": {"control": "up-to-date"}}]
    follower.client = whole.client
    await update(whole, run_id, 1)
    await follower.ask()
    assert follower.offset != offset
    assert len(follower.told) == 2


async def test_a_list_has_the_runs_with_all_tags(whole: Whole) -> None:
    await whole.worker(slots=0)
    both = await whole.trigger(tags=["a", "b"])
    late = await whole.trigger(tags=["a"])
    await whole.trigger(tags=["b"])
    follower = of_tags(whole, "b,a")
    await follower.ask()
    assert follower.told == [("insert", both)]
    asking = asyncio.create_task(follower.ask())
    await whole.house.ask(calls.AddTags(late, ("b",)))
    await asking
    new = await whole.trigger(tags=["b", "a"])
    async with asyncio.timeout(10):
        while len(follower.rows) < 3:
            await follower.ask()
    assert [run_id for _, run_id in follower.told] == [both, late, new]


async def test_the_window_of_a_list_is_pinned_by_its_first_question(whole: Whole) -> None:
    await whole.worker(slots=0)
    old = await whole.trigger(tags=["a"])
    whole.house.clock.advance(90 * 60_000)
    young = await whole.trigger(tags=["a"])
    follower = of_tags(whole, "a", createdAt="1h")
    wide = of_tags(whole, "a", createdAt="2h")
    default = of_tags(whole, "a")
    for one in (follower, wide, default):
        await one.ask()
    assert [run_id for _, run_id in follower.told] == [young]
    assert {run_id for _, run_id in wide.told} == {old, young}
    assert {run_id for _, run_id in default.told} == {old, young}
    whole.house.clock.advance(120 * 60_000)
    for value, run_id in enumerate((old, young)):
        await update(whole, run_id, value)
    for one in (follower, wide):
        await one.ask()
    assert [run_id for _, run_id in follower.told] == [young, young]
    assert [run_id for _, run_id in wide.told[2:]] == [old, young]


async def test_a_batch_is_followed(whole: Whole) -> None:
    await whole.worker(slots=0)
    items = [{"task": "work"}, {"task": "work"}]
    made = await whole.post("/api/v2/tasks/batch", {"items": items}, 202)
    follower = Electric(whole.client, f"/realtime/v1/batches/{made['id']}")
    await follower.ask()
    assert len(follower.rows) == 2
    (_, one), (_, two) = follower.told
    asking = asyncio.create_task(follower.ask())
    await whole.post(f"/api/v2/runs/{two}/cancel")
    await asking
    assert follower.told[2:] == [("update", two)]
    assert one != two


@pytest.mark.parametrize("path", ["runs/run_none", "batches/batch_none"])
async def test_what_is_unknown_is_final(whole: Whole, path: str) -> None:
    response = await whole.client.get(f"/realtime/v1/{path}", params={"offset": "-1"})
    assert response.status_code == 404
    assert response.headers["x-should-retry"] == "false"


async def test_runs_of_another_environment_are_unknown(whole: Whole) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger(tags=["a"])
    foreign = Electric(whole.foreign, f"/realtime/v1/runs/{run_id}")
    assert (await foreign.ask()).status_code == 404
    listed = Electric(whole.foreign, "/realtime/v1/runs", tags="a")
    await listed.ask()
    assert listed.rows == {}


@pytest.mark.parametrize(
    "query",
    [
        {"offset": "next"},
        {"offset": "-2"},
        {"offset": f"{1 << 63}_0"},
        {"tags": 'a"b'},
        {"tags": "a\\b"},
        {"tags": "a\nb"},
        {"tags": ",".join(map(str, range(101)))},
        {"createdAt": "soon"},
    ],
)
async def test_a_question_that_cannot_be_read_is_refused(
    whole: Whole, query: dict[str, str]
) -> None:
    response = await whole.client.get("/realtime/v1/runs", params=query)
    assert response.status_code == 400
    assert response.json()["error"].startswith("Query Error")


@pytest.mark.parametrize("made_by", ["another program", "a database of later"])
async def test_who_comes_with_a_foreign_place_begins_anew(whole: Whole, made_by: str) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger()
    follower = of_run(whole, run_id)
    await follower.ask()
    if made_by == "another program":
        follower.handle = "3833821-1721812114261"[::-1] + "x"
    else:
        follower.offset = f"{99 << 36}_0"
    assert (await follower.ask()).status_code == 409
    await follower.ask()
    assert follower.row()["friendlyId"] == run_id
    follower.live = False
    assert (await follower.ask()).status_code == 200


async def test_columns_are_left_out_but_for_those_that_every_client_needs(whole: Whole) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger({"n": 1})
    follower = of_run(whole, run_id, skipColumns="payload,output,status,id,nothing")
    await follower.ask()
    assert set(TYPES) - set(follower.row()) == {"payload", "output"}
    assert set(follower.schema) == set(follower.row())
    whole_row = of_run(whole, run_id)
    await whole_row.ask()
    assert set(whole_row.row()) == set(TYPES) == set(whole_row.schema)


async def test_every_status_has_a_word_and_every_error_a_known_form(whole: Whole) -> None:
    await whole.worker(slots=0)
    run = await whole.house.run(await whole.trigger())
    run.finished_at = run.created_at
    for status in Status:
        run.status = status
        shown = json.loads(row(run, ()))
        assert shown["status"]
        assert shown["status"] not in ("COMPLETED", "FAILED", "QUEUED")
        error = json.loads(shown["error"] or "null")
        assert (error is None) == (not status.is_final or status is Status.COMPLETED)
        if error is not None:
            assert error["type"] in ("BUILT_IN_ERROR", "STRING_ERROR", "INTERNAL_ERROR")


async def test_a_crash_of_the_server_costs_nobody_a_change(whole: Whole) -> None:
    await whole.worker(slots=0)
    ids = [await whole.trigger(tags=["a"]) for _ in range(3)]
    follower = of_tags(whole, "a")
    await follower.ask()
    await update(whole, ids[0], 1)
    await whole.house.engine.stop()
    engine = await whole.house.start("server-2")
    app = build(engine, ServerSettings(port=0, drain_s=1), whole.house.clock, pepper=PEPPER)
    listener = Listener(app, ServerSettings(port=0, drain_s=1))
    await listener.start()
    headers = {"authorization": f"Bearer {KEY}"}
    url = f"http://127.0.0.1:{listener.port}"
    async with httpx2.AsyncClient(base_url=url, headers=headers) as client:
        follower.client = client
        await update(whole, ids[1], 2)
        async with asyncio.timeout(10):
            while len(follower.told) < 5:
                await follower.ask()
    await listener.stop()
    assert follower.told[3:] == [("update", ids[0]), ("update", ids[1])]
