"""The public API on the real engine and both databases, with a worker on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect

from mainspring.model.run import RunError
from mainspring.model.task import QueueSpec, TaskSpec, default_queue
from mainspring.store.postgres import PostgresStore
from mainspring.store.protocol import Store
from mainspring.store.sqlite import SqliteStore
from mainspring.wire.beats import BEAT, LINK, LOST
from mainspring.wire.worker import (
    PROTOCOL,
    Ack,
    Execute,
    Finished,
    Frame,
    FromWorker,
    Hello,
    LogLine,
    Logs,
    Park,
    Resume,
    Started,
    ToWorker,
    Wait,
    decode_orders,
    encoder,
)
from tests.engine.house import House
from tests.server.clients import plain
from tests.server.conftest import KEY, OTHER_KEY
from tests.server.houses import serve

SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "lines": {"items": {"type": "string"}}},
    "required": ["id"],
}
TASKS = [
    TaskSpec("work", default_queue("work")),
    TaskSpec("mail/send", "mail", payload_schema=SCHEMA),
]
CURRENT = {"x-trigger-api-version": "2025-07-16"}


class Worker:
    """A worker session on a socket, which does what a test says."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.number = 0
        self.orders: list[ToWorker] = []

    async def next(self, kind: type[Any]) -> Any:
        """The next order of that type; others are kept aside."""
        async with asyncio.timeout(10):
            while True:
                for order in self.orders:
                    if isinstance(order, kind):
                        self.orders.remove(order)
                        return order
                data = await self.socket.recv()
                assert isinstance(data, bytes)
                self.orders += decode_orders(data)

    async def send(self, *messages: FromWorker) -> None:
        self.number += 1
        await self.socket.send(encoder.encode(Frame(self.number, list(messages))))

    async def durable(self) -> None:
        """Until everything that was sent is acknowledged."""
        while (await self.next(Ack)).number < self.number:
            continue

    async def finish(self, order: Execute, outcome: str = "completed", **found: Any) -> None:
        await self.send(Finished(order.run_id, order.epoch, outcome, **found))


class Whole:
    """A server on a real engine; everything a client does with it."""

    def __init__(self, house: House, port: int, stack: AsyncExitStack) -> None:
        self.house = house
        self.port = port
        self.client = self._client(KEY)
        self.foreign = self._client(OTHER_KEY)
        self._stack = stack

    def _client(self, key: str) -> httpx2.AsyncClient:
        headers = {"authorization": f"Bearer {key}"} | CURRENT
        return plain(f"http://127.0.0.1:{self.port}", headers)

    async def worker(
        self, slots: int = 10, *, version: str = "1", session: str = "session_1"
    ) -> Worker:
        socket = await self._stack.enter_async_context(
            connect(
                f"ws://127.0.0.1:{self.port}{LINK}",
                additional_headers={"authorization": f"Bearer {KEY}"},
                proxy=None,
                max_queue=None,  # with a full queue it would not see the end
            )
        )
        worker = Worker(socket)
        queues = [QueueSpec("mail", limit=3)]
        await socket.send(encoder.encode(Hello(PROTOCOL, session, slots, version, TASKS, queues)))
        await worker.next(object)
        return worker

    async def get(self, path: str, status: int = 200) -> Any:
        response = await self.client.get(path)
        assert response.status_code == status, response.text
        return response.json()

    async def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        response = await self.client.post(path, json={} if body is None else body)
        assert response.status_code == status, response.text
        return response.json()

    async def trigger(self, payload: Any = None, task: str = "work", **options: Any) -> str:
        body = {"payload": payload, "options": options}
        return str((await self.post(f"/api/v1/tasks/{task}/trigger", body))["id"])

    async def run(self, run_id: str) -> Any:
        return await self.get(f"/api/v3/runs/{run_id}")


@pytest.fixture(params=["sqlite", "postgres"])
def make_store(request: pytest.FixtureRequest) -> Callable[[], Store]:
    if request.param == "sqlite":
        return lambda: SqliteStore(":memory:")
    url = request.getfixturevalue("kept_postgres")
    return lambda: PostgresStore(url)


@pytest.fixture
async def whole(make_store: Callable[[], Store]) -> AsyncIterator[Whole]:
    async with AsyncExitStack() as stack:
        house, port = await serve(make_store(), stack)
        whole = Whole(house, port, stack)
        await stack.enter_async_context(whole.client)
        await stack.enter_async_context(whole.foreign)
        yield whole


async def test_a_run_goes_all_the_way_and_shows_each_step(whole: Whole) -> None:
    worker = await whole.worker()
    run_id = await whole.trigger({"n": [1, "é"]}, tags=["a"], metadata={"m": 1}, ttl="1h")
    order = await worker.next(Execute)
    assert (order.run_id, order.payload, order.tags) == (run_id, '{"n":[1,"é"]}', ("a",))
    assert (await whole.run(run_id))["status"] == "DEQUEUED"
    line = LogLine(run_id, whole.house.clock.now(), "info", "hello", '{"x":1}')
    await worker.send(Started([(run_id, order.epoch)]), Logs([line]))
    await worker.finish(order, output='{"ok":true}', active_ms=12)
    await worker.durable()
    shown = await whole.run(run_id)
    assert shown["status"] == "COMPLETED"
    assert shown["output"] == {"ok": True}
    assert shown["payload"] == {"n": [1, "é"]}
    assert shown["metadata"] == {"m": 1}
    assert shown["tags"] == ["a"]
    assert shown["ttl"] == "1h"
    assert shown["isSuccess"]
    assert shown["attemptCount"] == 1
    assert shown["durationMs"] == 12
    assert "error" not in shown
    result = await whole.get(f"/api/v1/runs/{run_id}/result")
    assert (result["ok"], result["output"]) == (True, '{"ok":true}')
    await whole.house.engine.tick()
    events = (await whole.get(f"/api/v1/runs/{run_id}/events"))["events"]
    assert [(event["message"], event["data"]) for event in events] == [("hello", {"x": 1})]


async def test_unknown_tasks_and_payloads_that_do_not_fit_leave_nothing_behind(
    whole: Whole,
) -> None:
    await whole.worker()
    answer = await whole.post("/api/v1/tasks/mail%2Fsent/trigger", {}, 404)
    assert answer["code"] == "unknown_task"
    assert "mail/send" in answer["error"]
    body = {"payload": {"id": "x", "lines": ["a", 1]}}
    answer = await whole.post("/api/v1/tasks/mail%2Fsend/trigger", body, 422)
    assert answer["code"] == "invalid_payload"
    assert {problem["path"] for problem in answer["details"]} == {"id", "lines[1]"}
    items = [{"task": "mail/send", "payload": {"id": 1}}, {"task": "mail/send", "payload": {}}]
    answer = await whole.post("/api/v2/tasks/batch", {"items": items}, 422)
    assert (await whole.get("/api/v1/runs"))["data"] == []


async def test_keys_make_one_run_of_many_requests(whole: Whole) -> None:
    await whole.worker(slots=0)
    path = "/api/v1/tasks/work/trigger"
    body = {"options": {"idempotencyKey": "k" * 64, "idempotencyKeyOptions": {"key": "mine"}}}
    first = await whole.post(path, body)
    again = await whole.post(path, body)
    assert (first["isCached"], again["isCached"], again["id"]) == (False, True, first["id"])
    assert (await whole.run(first["id"]))["idempotencyKey"] == "mine"
    reset = f"/api/v1/idempotencyKeys/{'k' * 64}/reset"
    await whole.post(reset, {"taskIdentifier": "work"})
    await whole.post(reset, {"taskIdentifier": "work"}, 404)
    assert (await whole.post(path, body))["id"] != first["id"]


async def test_a_repeated_request_is_one_run_and_not_called_cached(whole: Whole) -> None:
    await whole.worker(slots=0)
    headers = {"x-trigger-request-idempotency-key": "a-uuid"}
    path = "/api/v1/tasks/work/trigger"
    answers = [
        (await whole.client.post(path, json={"payload": n}, headers=headers)).json()
        for n in range(3)
    ]
    assert answers == [{"id": answers[0]["id"], "isCached": False}] * 3
    items = {"items": [{"task": "work"}, {"task": "work"}]}
    first, again = [
        (await whole.client.post("/api/v2/tasks/batch", json=items, headers=headers)).json()
        for _ in range(2)
    ]
    assert first["runs"] == again["runs"]
    assert len({run["id"] for run in first["runs"]}) == 2


async def test_pages_walked_forth_and_back_are_the_list(whole: Whole) -> None:
    await whole.worker(slots=0)
    body = {"items": [{"task": "work", "options": {"tags": [f"t{n % 2}"]}} for n in range(11)]}
    batch = await whole.post("/api/v2/tasks/batch", body, 202)
    newest_first = sorted((run["id"] for run in batch["runs"]), reverse=True)
    seen: list[str] = []
    page = await whole.get("/api/v1/runs?page[size]=4")
    while True:
        seen += [run["id"] for run in page["data"]]
        if "next" not in page["pagination"]:
            break
        page = await whole.get(
            f"/api/v1/runs?page[size]=4&page[after]={page['pagination']['next']}"
        )
    assert seen == newest_first
    back = page["data"][:1]
    while "previous" in page["pagination"]:
        before = page["pagination"]["previous"]
        # both cursors arrive when a page is walked back, and before wins
        query = f"page[size]=4&page[after]={newest_first[-1]}&page[before]={before}"
        page = await whole.get(f"/api/v1/runs?{query}")
        back = page["data"] + back
    assert [run["id"] for run in back][-8:] == newest_first[1:9]
    tagged = await whole.get("/api/v1/runs?filter[tag]=t1&filter[status]=QUEUED&page[size]=100")
    assert len(tagged["data"]) == 5
    in_batch = await whole.get(f"/api/v1/runs?filter[batch]={batch['id']}&page[size]=100")
    assert len(in_batch["data"]) == 11
    assert (await whole.get("/api/v1/runs?filter[taskIdentifier]=other"))["data"] == []
    assert (await whole.get("/api/v1/runs?filter[isTest]=true"))["data"] == []


async def test_a_delayed_run_is_moved_tagged_and_canceled(whole: Whole) -> None:
    await whole.worker()
    run_id = await whole.trigger(delay="1h")
    shown = await whole.run(run_id)
    assert (shown["status"], shown["isQueued"]) == ("DELAYED", True)
    path = f"/api/v1/runs/{run_id}"
    moved = await whole.post(f"{path}/reschedule", {"delay": "2030-01-01T00:00:00Z"})
    assert moved["delayedUntil"] == "2030-01-01T00:00:00.000Z"
    await whole.post(f"{path}/tags", {"tags": ["x", "y"]})
    await whole.post(f"{path}/tags", {"tags": [f"t{n}" for n in range(9)]}, 422)
    assert sorted((await whole.run(run_id))["tags"]) == ["x", "y"]
    assert await whole.post(f"/api/v2/runs/{run_id}/cancel") == {"id": run_id}
    assert await whole.post(f"/api/v2/runs/{run_id}/cancel") == {"id": run_id}
    shown = await whole.run(run_id)
    assert (shown["status"], shown["isCancelled"], shown["isCompleted"]) == ("CANCELED", True, True)
    await whole.post(f"{path}/reschedule", {"delay": "1h"}, 400)
    result = await whole.get(f"{path}/result")
    assert result["error"]["code"] == "TASK_RUN_CANCELLED"


async def test_a_replay_is_a_new_run_of_the_same_or_another_payload(whole: Whole) -> None:
    worker = await whole.worker()
    run_id = await whole.trigger({"n": 1}, tags=["a"])
    order = await worker.next(Execute)
    await worker.send(Started([(run_id, order.epoch)]))
    await worker.finish(order, output="1")
    again = await whole.post(f"/api/v1/runs/{run_id}/replay")
    assert (await worker.next(Execute)).payload == '{"n":1}'
    assert (await whole.run(again["id"]))["tags"] == ["a"]
    await whole.post(f"/api/v1/runs/{run_id}/replay", {"payload": '{"n":2}'})
    assert (await worker.next(Execute)).payload == '{"n":2}'


async def test_a_failure_shows_its_error(whole: Whole) -> None:
    worker = await whole.worker()
    run_id = await whole.trigger()
    order = await worker.next(Execute)
    await worker.send(Started([(run_id, order.epoch)]))
    await worker.finish(order, "aborted", error=RunError("no", "ValueError", "trace"))
    await worker.durable()
    shown = await whole.run(run_id)
    assert (shown["status"], shown["isFailed"]) == ("FAILED", True)
    assert shown["error"] == {"message": "no", "name": "ValueError", "stackTrace": "trace"}


async def test_queues_are_paused_limited_and_shown(whole: Whole) -> None:
    worker = await whole.worker()
    path = "/api/v1/queues/mail"
    await whole.post(f"{path}/pause", {"type": "custom", "action": "pause"})
    await whole.trigger({"id": 1}, "mail%2Fsend")
    shown = await whole.get(f"{path}?type=custom")
    assert (shown["paused"], shown["queued"], shown["running"]) == (True, 1, 0)
    assert (shown["concurrencyLimit"], shown["concurrency"]["base"]) == (3, 3)
    body = {"type": "custom", "concurrencyLimit": 1}
    shown = await whole.post(f"{path}/concurrency/override", body)
    assert (shown["concurrency"]["current"], shown["concurrency"]["override"]) == (1, 1)
    shown = await whole.post(f"{path}/concurrency/reset", {"type": "custom"})
    assert shown["concurrency"]["override"] is None
    await whole.post(f"{path}/pause", {"type": "custom", "action": "resume"})
    assert (await worker.next(Execute)).task == "mail/send"
    page = await whole.get("/api/v1/queues")
    assert [queue["name"] for queue in page["data"]] == ["mail", "work"]
    assert await whole.get("/api/v1/queues/mail%252Fsend?type=task", 404)


async def test_another_environment_sees_nothing_of_it(whole: Whole) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger()
    unknown = run_id[:-1] + ("0" if run_id[-1] != "0" else "1")
    for path in ("/api/v3/runs/{}", "/api/v1/runs/{}/result", "/api/v1/runs/{}/events"):
        answers = []
        for id_ in (run_id, unknown):
            response = await whole.foreign.get(path.format(id_))
            answers.append((response.status_code, response.text.replace(id_, "ID")))
        assert answers[0] == answers[1]
        assert answers[0][0] == 404
    for path in ("v2/runs/{}/cancel", "v1/runs/{}/replay"):
        response = await whole.foreign.post(f"/api/{path.format(run_id)}")
        assert response.status_code == 404
    assert (await whole.foreign.get("/api/v1/runs")).json()["data"] == []
    assert (await whole.run(run_id))["status"] == "QUEUED"


async def test_ids_that_are_none_are_not_found(whole: Whole) -> None:
    for id_ in ("x", "run_", "run_1", "run_" + "z" * 22, "é", "a" * 500, "..", "%2F"):
        assert (await whole.get(f"/api/v3/runs/{id_}", 404))["code"] == "not_found"


async def test_a_session_lives_by_its_beats_and_dies_when_it_is_said_to(whole: Whole) -> None:
    worker = await whole.worker()
    run_id = await whole.trigger()
    order = await worker.next(Execute)
    await worker.send(Started([(run_id, order.epoch)]))
    assert await whole.post(BEAT, {"session_id": "session_1"}) == {"known": True}
    assert await whole.post(BEAT, {"session_id": "session_2"}) == {"known": False}
    response = await whole.foreign.post(BEAT, json={"session_id": "session_1"})
    assert response.json() == {"known": False}
    await whole.post(LOST, {"session_id": "session_1"})
    assert await whole.post(BEAT, {"session_id": "session_1"}) == {"known": False}
    await whole.house.settle()
    assert (await whole.run(run_id))["status"] == "QUEUED"


async def test_a_run_waits_for_a_token_that_a_stranger_completes(whole: Whole) -> None:
    worker = await whole.worker()
    run_id = await whole.trigger()
    order = await worker.next(Execute)
    made = await whole.post("/api/v1/waitpoints/tokens", {"timeout": "1h", "tags": ["a"]})
    wait = Wait(run_id, order.epoch, 0, "pay", 1, "token", [made["id"]])
    await worker.send(wait, Park(run_id, order.epoch, ["pay"]))
    await worker.durable()
    assert (await whole.run(run_id))["status"] == "WAITING"
    stranger = httpx2.AsyncClient()
    async with stranger:
        wrong = await stranger.post(made["url"][:-1] + "x", json={})
        assert wrong.status_code == 401
        right = await stranger.post(made["url"], json={"paid": True})
    assert (right.status_code, right.json()) == (200, {"success": True})
    resume = await worker.next(Resume)
    assert [(entry.key, entry.data) for entry in resume.entries] == [("pay", '{"paid":true}')]
    token = await whole.get(f"/api/v1/waitpoints/tokens/{made['id']}")
    assert (token["status"], token["output"]) == ("COMPLETED", '{"paid":true}')
    listed = await whole.get("/api/v1/waitpoints/tokens?filter[tags]=a&filter[status]=COMPLETED")
    assert [found["id"] for found in listed["data"]] == [made["id"]]
    journal = await whole.get(f"/api/mainspring/v1/runs/{run_id}/journal")
    assert [entry["key"] for entry in journal["entries"]] == ["pay"]


async def test_tokens_inputs_and_metadata_of_others_are_not_found(whole: Whole) -> None:
    await whole.worker()
    run_id = await whole.trigger()
    token_id = (await whole.post("/api/v1/waitpoints/tokens"))["id"]
    for method, path, body in (
        ("GET", f"/api/v1/waitpoints/tokens/{token_id}", None),
        ("POST", f"/api/v1/waitpoints/tokens/{token_id}/complete", {}),
        ("PUT", f"/api/v1/runs/{run_id}/metadata", {"metadata": {}}),
        ("GET", f"/api/v1/runs/{run_id}/metadata", None),
        ("POST", f"/realtime/v1/streams/{run_id}/input/chat", {"data": 1}),
        ("GET", f"/api/mainspring/v1/runs/{run_id}/journal", None),
        ("POST", f"/api/mainspring/v1/runs/{run_id}/restart", {}),
        ("POST", f"/api/mainspring/v1/runs/{run_id}/settle", {"action": "accept"}),
    ):
        response = await whole.foreign.request(method, path, json=body)
        assert response.status_code == 404, path


async def test_metadata_goes_there_and_back(whole: Whole) -> None:
    await whole.worker()
    run_id = await whole.trigger(metadata={"a": [1]})
    path = f"/api/v1/runs/{run_id}/metadata"
    body = {"operations": [{"type": "append", "key": "a", "value": 2}]}
    once = {"x-trigger-request-idempotency-key": "once"}
    for _ in range(2):
        response = await whole.client.put(path, json=body, headers=once)
        assert response.json() == {"metadata": {"a": [1, 2]}}
    bad = await whole.client.put(
        path, json={"operations": [{"type": "increment", "key": "a", "value": 1}]}
    )
    assert (bad.status_code, "a list, not a number" in bad.text) == (422, True)
    assert (await whole.get(path))["metadata"] == '{"a":[1,2]}'
    assert (await whole.run(run_id))["metadata"] == {"a": [1, 2]}
