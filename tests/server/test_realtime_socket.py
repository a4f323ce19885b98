"""The WebSocket of subscribers: many topics on one, each from its own place, at its own pace."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from mainspring.errors import StoreUnavailable
from mainspring.server.realtime.socket import MOST, PATH
from mainspring.server.realtime.subscription import ROWS, WINDOW
from mainspring.wire import calls
from mainspring.wire.worker import Execute, LogLine, Logs, Op
from tests.server.conftest import KEY, OTHER_KEY
from tests.server.test_realtime_shapes import Serve, server
from tests.server.test_whole import Whole, make_store, whole

__all__ = ["make_store", "server", "whole"]


class Socket:
    """A connected subscriber that acknowledges what it gets, unless told otherwise."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.patient = True

    async def say(self, op: str, id_: str = "a", **fields: Any) -> None:
        await self.connection.send(json.dumps({"op": op, "id": id_, **fields}))

    async def hear(self) -> Any:
        """The next message."""
        async with asyncio.timeout(10):
            message = json.loads(await self.connection.recv())
        if self.patient and message["op"] in ("runs", "lines"):
            await self.say("ack", message["id"], offset=message["offset"])
        return message

    async def until(self, op: str) -> list[Any]:
        """The messages up to the first one of that kind."""
        found = [await self.hear()]
        while found[-1]["op"] != op:
            found.append(await self.hear())
        return found

    async def subscribe(self, topic: str, id_: str = "a", **fields: Any) -> None:
        await self.say("subscribe", id_, topic=topic, **fields)
        assert await self.hear() == {"op": "subscribed", "id": id_, "window": WINDOW}


@asynccontextmanager
async def joined(port: int, key: str = KEY, **options: Any) -> AsyncIterator[Socket]:
    options.setdefault("additional_headers", {"authorization": f"Bearer {key}"})
    query = options.pop("query", "")
    url = f"ws://127.0.0.1:{port}{PATH}{query}"
    async with connect(url, proxy=None, **options) as connection:
        yield Socket(connection)


def ids(message: Any) -> list[str]:
    return [run["id"] for run in message["runs"]]


async def update(whole: Whole, run_id: str, value: int) -> None:
    await whole.house.ask(calls.UpdateMetadata(run_id, [Op("set", "n", str(value))]))


async def test_a_run_is_followed_to_its_end(whole: Whole) -> None:
    worker = await whole.worker(slots=1)
    run_id = await whole.trigger({"n": 1})
    order = await worker.next(Execute)
    async with joined(whole.port) as socket:
        await socket.subscribe("run", run=run_id)
        first = await socket.hear()
        assert (ids(first), first["runs"][0]["status"]) == ([run_id], "EXECUTING")
        await worker.finish(order, output='{"ok":true}')
        [last, ended] = await socket.until("ended")
        assert last["runs"][0]["output"] == {"ok": True}
        assert ended == {"op": "ended", "id": "a", "offset": last["offset"], "reason": "finished"}
        await socket.subscribe("run", run=run_id, **{"from": last["offset"]})
        assert (await socket.hear())["reason"] == "finished"


async def test_the_lines_of_a_run_come_once_and_in_order_from_any_offset(whole: Whole) -> None:
    worker = await whole.worker(slots=1)
    run_id = await whole.trigger()
    order = await worker.next(Execute)
    async with joined(whole.port) as socket:
        await socket.subscribe("logs", run=run_id)
        for n in range(1, 4):
            await worker.send(Logs([LogLine(run_id, n, "info", f"line {n}")]))
            await worker.durable()
            await whole.house.engine.tick()
            heard = await socket.hear()
            assert [line["message"] for line in heard["lines"]] == [f"line {n}"]
        await worker.send(Logs([LogLine(run_id, 9, "info", "last")]))
        await worker.finish(order)
        [last, ended] = await socket.until("ended")
        assert [line["seq"] for line in last["lines"]] == [4]
        assert ended["reason"] == "finished"
        await socket.subscribe("logs", run=run_id, **{"from": "2"})
        [again, _] = await socket.until("ended")
        assert [line["seq"] for line in again["lines"]] == [3, 4]


async def test_many_topics_share_a_socket(whole: Whole) -> None:
    await whole.worker(slots=0)
    red = await whole.trigger(tags=["red"])
    blue = await whole.trigger(tags=["blue"])
    async with joined(whole.port) as socket:
        await socket.subscribe("tags", "t", tags=["red"])
        assert ids(await socket.hear()) == [red]
        await socket.subscribe("list", "l")
        assert ids(await socket.hear()) == [red, blue]
        await socket.subscribe("run", "r", run=blue)
        assert ids(await socket.hear()) == [blue]
        await update(whole, red, 1)
        heard = [await socket.hear(), await socket.hear()]
        assert {message["id"]: ids(message) for message in heard} == {"t": [red], "l": [red]}
        await socket.say("unsubscribe", "l")
        assert (await socket.hear())["reason"] == "unsubscribed"
        await update(whole, blue, 1)
        heard = await socket.hear()
        assert (heard["id"], ids(heard)) == ("r", [blue])


async def test_a_subscription_goes_on_from_its_offset(whole: Whole) -> None:
    await whole.worker(slots=0)
    one, two = await whole.trigger(tags=["red"]), await whole.trigger(tags=["red"])
    async with joined(whole.port) as socket:
        await socket.subscribe("tags", tags=["red"])
        offset = (await socket.hear())["offset"]
    await update(whole, two, 1)
    async with joined(whole.port) as socket:
        await socket.subscribe("tags", tags=["red"], **{"from": offset})
        assert ids(await socket.hear()) == [two]
        await update(whole, one, 1)
        assert ids(await socket.hear()) == [one]


async def test_a_long_list_comes_in_parts_that_no_offset_splits_wrongly(whole: Whole) -> None:
    await whole.worker(slots=0)
    items = [{"task": "work"} for _ in range(ROWS + 20)]
    made = await whole.post("/api/v2/tasks/batch", {"items": items}, 202)
    wanted = {run["id"] for run in made["runs"]}
    async with joined(whole.port) as socket:
        await socket.subscribe("batch", batch=made["id"])
        first, second = await socket.hear(), await socket.hear()
        assert set(ids(first)) | set(ids(second)) == wanted
        assert len(ids(first)) == ROWS
        await socket.subscribe("batch", "b", batch=made["id"], **{"from": first["offset"]})
        again = [*ids(await socket.hear()), *ids(await socket.hear())]
        assert set(again) >= set(ids(second))  # one commit: all of it again, and nothing lost


async def test_who_does_not_acknowledge_is_sent_no_more_and_then_cut(
    whole: Whole, server: Serve
) -> None:
    worker = await whole.worker(slots=1)
    run_id = await whole.trigger()
    await worker.next(Execute)
    app, _, listener = await server()
    app.realtime.ping_s = 0.02
    async with joined(listener.port) as socket:
        socket.patient = False
        await socket.subscribe("logs", run=run_id)
        seen = []
        for n in range(1, WINDOW + 3):
            await worker.send(Logs([LogLine(run_id, n, "info", f"line {n}")]))
            await worker.durable()
            await whole.house.engine.tick()
            if n <= WINDOW:
                seen += [line["seq"] for line in (await socket.hear())["lines"]]
        assert seen == list(range(1, WINDOW + 1))
        await socket.say("ack", offset="2")
        heard = await socket.hear()
        assert [line["seq"] for line in heard["lines"]] == [WINDOW + 1, WINDOW + 2]
        app.realtime.ack_s = 0.0
        await worker.send(Logs([LogLine(run_id, n, "info", "more") for n in range(2)]))
        await worker.durable()
        await whole.house.engine.tick()
        ended = (await socket.until("ended"))[-1]
        assert ended["reason"] == "slow"
        await socket.subscribe("logs", "b", run=run_id, **{"from": ended["offset"]})
        app.realtime.ack_s = 30.0


async def test_rows_for_somebody_slow_are_the_newest_only(whole: Whole) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger()
    async with joined(whole.port) as socket:
        socket.patient = False
        await socket.subscribe("run", run=run_id)
        offsets = [(await socket.hear())["offset"]]
        for n in range(1, WINDOW + 10):
            await update(whole, run_id, n)
            if n < WINDOW:
                offsets.append((await socket.hear())["offset"])
        await socket.say("ack", offset=offsets[-1])
        heard = await socket.hear()
        assert heard["runs"][0]["metadata"] == {"n": WINDOW + 9}


@pytest.mark.parametrize(
    "fields, code",
    [
        ({"topic": "run"}, "bad_request"),
        ({"topic": "run", "run": "run_none"}, "not_found"),
        ({"topic": "run", "run": "run_none", "from": "x"}, "bad_request"),
        ({"topic": "batch"}, "bad_request"),
        ({"topic": "tags"}, "bad_request"),
        ({"topic": "tags", "tags": ['"']}, "bad_request"),
        ({"topic": "list", "createdAt": "soon"}, "bad_request"),
    ],
)
async def test_what_cannot_be_subscribed_is_refused_with_a_reason(
    whole: Whole, fields: dict[str, Any], code: str
) -> None:
    await whole.worker(slots=0)
    async with joined(whole.port) as socket:
        await socket.say("subscribe", **fields)
        heard = await socket.hear()
        assert (heard["op"], heard["id"], heard["code"]) == ("error", "a", code)
        await socket.subscribe("list")


async def test_a_name_is_used_once_and_their_number_is_bounded(whole: Whole) -> None:
    await whole.worker(slots=0)
    async with joined(whole.port) as socket:
        await socket.subscribe("list", "0")
        await socket.say("subscribe", "0", topic="list")
        assert (await socket.hear())["op"] == "error"
        for n in range(1, MOST):
            await socket.subscribe("list", str(n))
        await socket.say("subscribe", "more", topic="list")
        assert (await socket.hear())["op"] == "error"


@pytest.mark.parametrize("text", ["{", '{"op":"shout","id":"a"}', b"\x00\xff", "[" * 5000])
async def test_what_cannot_be_read_closes_the_socket(whole: Whole, text: str | bytes) -> None:
    async with joined(whole.port) as socket:
        await socket.connection.send(text)
        assert (await socket.hear())["code"] == "bad_request"
        with pytest.raises(ConnectionClosed):
            await socket.hear()


async def test_a_message_that_is_too_long_closes_the_socket(whole: Whole) -> None:
    async with joined(whole.port) as socket:
        await socket.say("ack", "x" * 70_000, offset="1")
        with pytest.raises(ConnectionClosed):
            await socket.hear()


async def test_browsers_send_their_token_where_they_can(whole: Whole) -> None:
    await whole.worker(slots=0)
    for options in (
        {"query": f"?token={KEY}"},
        {"subprotocols": ["mainspring", f"token.{KEY}"]},
    ):
        async with joined(whole.port, additional_headers={}, **options) as socket:
            await socket.subscribe("list")
    with pytest.raises(InvalidStatus) as refused:
        async with joined(whole.port, additional_headers={}):
            pass
    assert refused.value.response.status_code == 401


async def test_a_public_token_sees_what_it_covers(whole: Whole) -> None:
    await whole.worker(slots=0)
    other = await whole.trigger()
    made = await whole.client.post(
        "/api/v1/tasks/work/trigger", json={}, headers={"trigger-version": "4.8.3"}
    )
    run_id, token = made.json()["id"], made.headers["x-trigger-jwt"]
    bearer = {"authorization": f"Bearer {token}"}
    for path, status in (
        (f"/realtime/v1/runs/{run_id}", 200),
        (f"/realtime/v1/runs/{other}", 403),
        (f"/api/v1/runs/{run_id}/events", 200),
        (f"/api/v1/runs/{other}/events", 403),
        ("/realtime/v1/runs?tags=red", 403),
        ("/realtime/v1/runs", 403),
    ):
        assert (await whole.client.get(path, headers=bearer)).status_code == status, path
    subprotocols = ["mainspring", f"token.{token}"]
    async with joined(whole.port, additional_headers={}, subprotocols=subprotocols) as socket:
        await socket.subscribe("run", run=run_id)
        assert ids(await socket.hear()) == [run_id]
        for fields in (
            {"topic": "run", "run": other},
            {"topic": "logs", "run": other},
            {"topic": "list"},
            {"topic": "tags", "tags": ["red"]},
            {"topic": "batch", "batch": "batch_x"},
        ):
            await socket.say("subscribe", "b", **fields)
            assert (await socket.hear())["code"] == "forbidden", fields


async def test_runs_of_another_environment_are_not_shown(whole: Whole) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger(tags=["red"])
    async with joined(whole.port, OTHER_KEY) as socket:
        await socket.say("subscribe", topic="run", run=run_id)
        assert (await socket.hear())["code"] == "not_found"
        await socket.subscribe("tags", tags=["red"])
        await update(whole, run_id, 1)
        await socket.say("unsubscribe")
        assert (await socket.hear())["op"] == "ended"


async def test_a_server_that_stops_says_when_to_come_again(whole: Whole, server: Serve) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger()
    app, _, listener = await server()
    async with joined(listener.port) as socket:
        await socket.subscribe("run", run=run_id)
        await socket.hear()
        stopping = asyncio.create_task(listener.stop())
        heard = (await socket.until("goodbye"))[-1]
        assert heard["retry"] >= 500
        with pytest.raises(ConnectionClosed) as closed:
            await socket.hear()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        await stopping
    assert app.realtime.watching == 0


async def test_a_subscriber_who_goes_leaves_nothing_behind(whole: Whole, server: Serve) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger()
    app, _, listener = await server()
    async with joined(listener.port) as socket:
        await socket.subscribe("run", run=run_id)
        await socket.hear()
        await socket.subscribe("list", "l")
        assert app.realtime.watching == 3
    async with asyncio.timeout(5):
        while app.realtime.watching:
            await whole.get("/healthz")


async def test_another_owner_ends_the_subscription(whole: Whole) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger()
    async with joined(whole.port) as socket:
        await socket.subscribe("run", run=run_id)
        offset = (await socket.hear())["offset"]
        engine, env = whole.house.engine, whole.house.env
        await whole.house.take_over("server-2")
        with pytest.raises(StoreUnavailable):
            await engine.answer(env, calls.AddTags(run_id, ("late",)))
        heard = (await socket.until("ended"))[-1]
        assert (heard["reason"], heard["offset"]) == ("moved", offset)


async def test_what_a_host_notes_in_the_scope_does_no_harm(whole: Whole, server: Serve) -> None:
    app, _, _ = await server()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    scope = {
        "type": "websocket",
        "http_version": "1.1",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "subprotocols": [],
        "client": None,
        "extensions": {"websocket.http.response": {}},
        "route": object(),
    }
    await app(scope, receive, send)
    assert sent[0]["status"] == 401


async def test_who_asks_from_now_on_hears_only_of_what_comes(whole: Whole) -> None:
    await whole.worker(slots=0)
    old = await whole.trigger()
    async with joined(whole.port) as socket:
        await socket.subscribe("list", **{"from": "now"})
        new = await whole.trigger()
        assert ids(await socket.hear()) == [new]
        await update(whole, old, 1)
        assert ids(await socket.hear()) == [old]
        await socket.say("subscribe", "b", topic="logs", run=old, **{"from": "now"})
        assert (await socket.hear())["code"] == "bad_request"
