"""One run as server-sent events: changes and lines, with replay from any of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mainspring.wire import calls
from mainspring.wire.worker import Execute, LogLine, Logs, Op
from tests.server.sse import Event, EventSource
from tests.server.test_realtime_shapes import Serve, server
from tests.server.test_whole import Whole, make_store, whole

__all__ = ["make_store", "server", "whole"]


def source(whole: Whole, run_id: str, last: str = "") -> EventSource:
    return EventSource(whole.client, f"/api/v1/runs/{run_id}/events", last)


def told(events: list[Event]) -> list[Any]:
    """What the events say, short."""
    short = {"run": "status", "log": "message"}
    return [event.data[short[event.name]] if event.name in short else "" for event in events]


async def update(whole: Whole, run_id: str, value: int) -> None:
    await whole.house.ask(calls.UpdateMetadata(run_id, [Op("set", "n", str(value))]))


async def finished(whole: Whole, lines: int = 3) -> str:
    """A run that has ended and wrote so many lines, which nobody has stored yet."""
    worker = await whole.worker()
    run_id = await whole.trigger({"n": 1}, tags=["a"])
    order = await worker.next(Execute)
    written = [LogLine(run_id, n, "info", f"line {n}", '{"x":1}') for n in range(1, lines + 1)]
    await worker.send(Logs(written))
    await worker.finish(order, output='{"ok":true}')
    await worker.durable()
    return run_id


async def test_an_ended_run_is_told_with_all_its_lines_before_its_end(whole: Whole) -> None:
    run_id = await finished(whole)
    events = await source(whole, run_id).all()
    assert told(events) == ["line 1", "line 2", "line 3", "COMPLETED", ""]
    last = events[-2].data
    assert (last["id"], last["output"], last["payload"]) == (run_id, {"ok": True}, {"n": 1})
    assert events[0].data == {
        "seq": 1,
        "time": "1970-01-01T00:00:00.001Z",
        "level": "info",
        "message": "line 1",
        "data": {"x": 1},
    }
    assert events[-1].name == "end"


@pytest.mark.parametrize("lines", [0, 500, 501])
async def test_every_line_is_told_however_many_there_are(whole: Whole, lines: int) -> None:
    run_id = await finished(whole, lines)
    events = await source(whole, run_id).all()
    assert [event.data["seq"] for event in events if event.name == "log"] == list(
        range(1, lines + 1)
    )


async def test_a_replay_begins_after_any_event(whole: Whole) -> None:
    run_id = await finished(whole)
    events = await source(whole, run_id).all()
    for at, event in enumerate(events[:-2]):
        again = await source(whole, run_id, event.id).all()
        assert told(again) == told(events[at + 1 :])
    over = source(whole, run_id, events[-1].id)
    assert await over.all() == []
    assert over.status == 204


async def test_changes_and_lines_are_told_as_they_come(whole: Whole) -> None:
    worker = await whole.worker(slots=1)
    run_id = await whole.trigger()
    order = await worker.next(Execute)
    async with source(whole, run_id).open() as events, asyncio.timeout(10):
        assert (await anext(events)).data["status"] == "EXECUTING"
        await worker.send(Logs([LogLine(run_id, 1, "info", "one")]))
        await worker.durable()
        await whole.house.engine.tick()
        assert (await anext(events)).data["message"] == "one"
        await update(whole, run_id, 1)
        assert (await anext(events)).data["metadata"] == {"n": 1}
        await worker.send(Logs([LogLine(run_id, 2, "info", "two")]))
        await worker.finish(order, output="1")
        assert [told([event]) async for event in events] == [["two"], ["COMPLETED"], [""]]


async def test_a_slow_reader_gets_the_newest_row_and_every_line(whole: Whole) -> None:
    worker = await whole.worker(slots=1)
    run_id = await whole.trigger()
    order = await worker.next(Execute)
    async with source(whole, run_id).open() as events, asyncio.timeout(20):
        for n in range(1, 31):
            await update(whole, run_id, n)
            await worker.send(Logs([LogLine(run_id, n, "info", f"line {n}")]))
        await worker.finish(order, output="1")
        found = [event async for event in events]
    assert [event.data["seq"] for event in found if event.name == "log"] == list(range(1, 31))
    rows = [event.data for event in found if event.name == "run"]
    seen = [row["metadata"]["n"] for row in rows if "metadata" in row]
    assert seen == sorted(seen)
    assert seen[-1] == 30


async def test_a_server_that_stops_ends_its_streams_and_the_next_goes_on(
    whole: Whole, server: Serve
) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger()
    app, client, listener = await server()
    following = EventSource(client, f"/api/v1/runs/{run_id}/events")
    async with following.open() as events, asyncio.timeout(10):
        assert (await anext(events)).data["status"] == "QUEUED"
        await listener.stop()
        assert [event async for event in events] == []
    assert len(following.retry) == 2
    await update(whole, run_id, 1)
    following.client = whole.client
    async with following.open() as events, asyncio.timeout(10):
        assert (await anext(events)).data["metadata"] == {"n": 1}
    assert app.realtime.watching == 0


async def test_a_reader_who_goes_is_noticed(whole: Whole, server: Serve) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger()
    app, client, _ = await server()
    async with EventSource(client, f"/api/v1/runs/{run_id}/events").open() as events:
        await anext(events)
        assert app.realtime.watching == 1
    async with asyncio.timeout(5):
        while app.realtime.watching:
            await whole.get("/healthz")


async def test_a_quiet_stream_says_that_it_lives(whole: Whole, server: Serve) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger()
    app, client, _ = await server()
    app.realtime.ping_s = 0.0
    headers = {"accept": "text/event-stream"}
    path = f"/api/v1/runs/{run_id}/events"
    async with client.stream("GET", path, headers=headers) as response, asyncio.timeout(5):
        async for line in response.aiter_lines():
            if line == ": ping":
                break


async def test_without_asking_for_events_the_lines_are_a_list(whole: Whole) -> None:
    run_id = await finished(whole)
    listed = await whole.get(f"/api/v1/runs/{run_id}/events")
    assert [event["message"] for event in listed["events"]] == ["line 1", "line 2", "line 3"]


@pytest.mark.parametrize("client", ["client", "foreign"])
async def test_unknown_and_foreign_runs_have_no_events(whole: Whole, client: str) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger() if client == "foreign" else "run_none"
    response = await getattr(whole, client).get(
        f"/api/v1/runs/{run_id}/events", headers={"accept": "text/event-stream"}
    )
    assert response.status_code == 404


async def test_a_bad_place_is_refused(whole: Whole) -> None:
    await whole.worker(slots=0)
    following = source(whole, await whole.trigger(), "soon")
    async with following.open():
        assert following.status == 400
