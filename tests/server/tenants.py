"""Two tenants in one shard, with one thing of each kind each, and what each route is asked with."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx2
import msgspec
from msgspec import Struct
from websockets.asyncio.client import connect

from mainspring.ids import IdSource
from mainspring.model.run import RunError
from mainspring.model.task import QueueSpec, TaskSpec, default_queue
from mainspring.server.peoplebook import PeopleBook
from mainspring.store.postgres import PostgresStore
from mainspring.store.protocol import Store
from mainspring.store.sqlite import SqliteStore
from mainspring.wire.beats import LINK
from mainspring.wire.worker import PROTOCOL, Execute, Hello, LogLine, Logs, Started, encoder
from tests.engine.house import House
from tests.server.clients import plain
from tests.server.conftest import KEY, OTHER_KEY, PEPPER
from tests.server.houses import serve
from tests.server.test_whole import CURRENT, Worker

BUNDLE = b"\x1f\x8b the code of somebody"
SHARED = "UPDATE environment SET shard_id = 1"


class Ids(Struct):
    """The names of one tenant's things, or of things that nobody has."""

    slug: str
    env_id: str
    run: str
    child: str
    ended: str
    delayed: str
    failed: str
    batch: str
    open_batch: str
    token: str
    done_token: str
    callback: str
    schedule: str
    bulk: str
    queue: str
    queue_name: str
    task: str
    tag: str
    key: str
    path: str
    upload: str
    download: str
    variable: str
    stream: str
    span: str
    key_id: str
    session: str
    deployment: str
    pending: str
    error: str


class Tenant:
    """One environment: its key, its worker, its things."""

    def __init__(self, name: str, slug: str, key: str, house: House, port: int) -> None:
        self.name = name
        self.canary = f"canary of {name}"
        self.slug = slug
        self.key = key
        self.house = house
        self.port = port
        self.client = self.client_of(key)
        self.ids: Ids

    def client_of(self, key: str, **headers: str) -> httpx2.AsyncClient:
        headers = {"authorization": f"Bearer {key}"} | CURRENT | headers
        return plain(f"http://127.0.0.1:{self.port}", headers)

    async def post(self, path: str, body: Any) -> Any:
        answer = await self.client.post(path, json=body)
        assert answer.status_code < 300, (path, answer.text)
        return answer.json()

    async def trigger(self, task: str, **options: Any) -> str:
        body = {"payload": {"it": self.canary}, "options": options}
        return str((await self.post(f"/api/v1/tasks/{task}/trigger", body))["id"])

    async def make(self, stack: AsyncExitStack, person: str) -> None:
        """Make one thing of each kind; `person` is the token of somebody who may see keys."""
        task, queue = f"task-{self.name}", f"queue-{self.name}"
        self.made = {"slug": self.slug, "task": task, "tag": f"tag-{self.name}"}
        self.made |= {"queue_name": queue, "session": f"session_{self.name}"}
        self.made |= {"key": "same key", "stream": "out", "variable": "SAME_NAME"}
        self.worker = await self._connect(stack)
        await self._make_runs()
        self.made["batch"] = await self._batch(task, full=True)
        self.made["open_batch"] = await self._batch(task, full=False)
        await self._make_others()
        await self._upload()
        await self._find_names(person)
        self.ids = Ids(**self.made)

    async def _connect(self, stack: AsyncExitStack) -> Worker:
        url = f"ws://127.0.0.1:{self.port}{LINK}"
        headers = {"authorization": f"Bearer {self.key}"}
        socket = await stack.enter_async_context(
            connect(url, additional_headers=headers, proxy=None)
        )
        worker = Worker(socket)
        tasks = [TaskSpec(id_, default_queue(id_)) for id_ in (self.made["task"], "work")]
        queues = [QueueSpec(self.made["queue_name"], limit=3)]
        version = f"v-{self.name}"
        hello = Hello(PROTOCOL, self.made["session"], 4, version, tasks, queues)
        await socket.send(encoder.encode(hello))
        await worker.next(object)
        return worker

    async def _make_runs(self) -> None:
        worker, task = self.worker, self.made["task"]
        tags, metadata = [self.made["tag"], "shared"], {"it": self.canary}
        common: dict[str, Any] = {"tags": tags, "metadata": metadata}
        queue = {"name": self.made["queue_name"]}
        run = await self.trigger(
            task, **common, idempotencyKey="same key", concurrencyKey="same", queue=queue
        )
        order = await worker.next(Execute)
        line = LogLine(run, self.house.clock.now(), "info", self.canary, '{"it":1}')
        await worker.send(Started([(run, order.epoch)]), Logs([line]))
        self.made["run"] = run
        self.made["child"] = await self.trigger(task, **common, parentRunId=run)
        await worker.next(Execute)
        self.made["ended"] = await self.trigger("work", **common)
        await worker.finish(await worker.next(Execute), output=json.dumps(self.canary))
        self.made["failed"] = await self.trigger("work", **common)
        error = RunError(self.canary, "Error" + self.name)
        await worker.finish(await worker.next(Execute), "aborted", error=error)
        await worker.durable()
        stream = f"/realtime/v1/streams/{run}/self/out"
        assert (await self.client.post(stream, content=json.dumps(self.canary))).status_code == 200
        await self.post(f"/realtime/v1/streams/{run}/input/in", {"data": self.canary})
        self.made["delayed"] = await self.trigger(task, **common, delay="1h")

    async def _make_others(self) -> None:
        tag, task = self.made["tag"], self.made["task"]
        wanted: dict[str, Any] = {"idempotencyKey": "same key", "tags": [tag], "timeout": "10h"}
        token = await self.post("/api/v1/waitpoints/tokens", wanted)
        self.made |= {"token": token["id"], "callback": token["url"].rpartition("/")[2]}
        done = await self.post("/api/v1/waitpoints/tokens", {"tags": [tag]})
        self.made["done_token"] = done["id"]
        await self.post(f"/api/v1/waitpoints/tokens/{done['id']}/complete", {"data": self.canary})
        wanted = {"task": task, "cron": "0 4 * * *", "deduplicationKey": "same", "externalId": tag}
        self.made["schedule"] = (await self.post("/api/v1/schedules", wanted))["id"]
        wanted = {"action": "cancel", "filter": {"tag": "no such tag"}, "name": self.canary}
        self.made["bulk"] = (await self.post("/api/v1/bulk-actions", wanted))["id"]
        digest = hashlib.sha256(BUNDLE).hexdigest()
        pending = await self.post("/api/v1/deployments", {"contentHash": digest})
        self.made["pending"] = pending["id"]
        wanted = {"name": self.made["variable"], "value": self.canary}
        await self.post(f"/api/v1/projects/p/envvars/{self.slug}", wanted)

    async def _upload(self) -> None:
        path = "trigger/same/payload.json"
        packet = quote(path, safe="")
        upload = (await self.client.put(f"/api/v2/packets/{packet}")).json()["presignedUrl"]
        kept = await self.client.put(
            upload,
            content=json.dumps({"it": self.canary}),
            headers={"content-type": "application/json"},
        )
        assert kept.status_code == 200
        found = (await self.client.get(f"/api/v1/packets/{packet}")).json()["presignedUrl"]
        self.made |= {"path": path, "upload": upload, "download": found}

    async def _find_names(self, person: str) -> None:
        queues = (await self.client.get("/api/v1/queues")).json()["data"]
        [queue] = [one["id"] for one in queues if one["name"] == self.made["queue_name"]]
        trace = (await self.client.get(f"/api/v1/runs/{self.made['run']}/trace")).json()
        async with self.client_of(person, **{"x-mainspring-environment": self.slug}) as people:
            listed = await people.get("/api/mainspring/v1/keys")
        [key_id] = [row["id"] for row in listed.json()["data"]]
        current = (await self.client.get("/api/v1/deployments/current")).json()
        claims = (await self.client.post("/api/v1/auth/jwt/claims")).json()
        [error] = (await self.client.get("/api/mainspring/v1/errors")).json()["data"]
        self.made |= {"queue": queue, "span": trace["trace"]["rootSpan"]["id"], "key_id": key_id}
        self.made |= {"deployment": current["id"], "env_id": claims["sub"], "error": error["id"]}

    async def _batch(self, task: str, *, full: bool) -> str:
        made = await self.post("/api/v3/batches", {"runCount": 2, "idempotencyKey": f"same {full}"})
        lines = [
            json.dumps({"index": number, "task": task, "payload": {"it": self.canary}})
            for number in range(2 if full else 1)
        ]
        answer = await self.client.post(
            f"/api/v3/batches/{made['id']}/items",
            content="\n".join(lines),
            headers={"content-type": "application/x-ndjson"},
        )
        assert answer.json()["sealed"] is full, answer.text
        return str(made["id"])

    async def look(self) -> dict[str, Any]:
        """Everything of it that a foreigner might change."""
        ids, found = self.ids, {}
        for path in (
            *(f"/api/v3/runs/{id_}" for id_ in (ids.run, ids.child, ids.ended, ids.delayed)),
            f"/api/v1/runs/{ids.run}/events", f"/api/mainspring/v1/runs/{ids.run}/journal",
            f"/api/v2/batches/{ids.batch}", f"/api/v2/batches/{ids.open_batch}",
            "/api/v1/runs", "/api/v1/waitpoints/tokens", "/api/v1/schedules", "/api/v1/queues",
            "/api/v1/bulk-actions", "/api/v1/deployments", f"/api/v1/waitpoints/tokens/{ids.token}",
            f"/api/v1/projects/p/envvars/{self.slug}", ids.download,
        ):  # fmt: skip
            answer = await self.client.get(path)
            assert answer.status_code == 200, (path, answer.text)
            found[path] = answer.json()
        return found


class World:
    """Both tenants, and a person who is an admin of the first one only."""

    mine: Tenant
    theirs: Tenant
    person: str

    def __init__(self, house: House, port: int) -> None:
        self.house = house
        self.port = port

    def unknown(self) -> Ids:
        """Ids of the same form that nobody has."""
        source = IdSource(random.Random(7))

        def new(prefix: str) -> str:
            return source.new(prefix, self.house.clock.now(), 1)

        theirs = self.theirs.ids
        made = {name: new("run") for name in ("run", "child", "ended", "failed", "delayed")}
        made |= {name: new("batch") for name in ("batch", "open_batch")}
        made |= {name: new("waitpoint") for name in ("token", "done_token")}
        made |= {name: new(name) for name in ("bulk", "deployment")}
        made |= {"schedule": new("sched"), "key_id": new("key"), "queue": "queue_" + "0" * 24}
        made |= {"slug": "stg", "env_id": "env_77", "callback": "0" * 64, "span": "0" * 16}
        made |= {"error": "0" * 16, "pending": "pending_" + "0" * 24}
        made |= {"session": "session_nobody", "queue_name": "queue-nobody"}
        made |= {"tag": "tag-nobody", "task": "task-nobody"}
        made |= {"upload": theirs.upload.replace("1-2", "1-77")}
        made |= {"download": theirs.download.replace("1-2", "1-77")}
        return msgspec.structs.replace(theirs, **made)


@asynccontextmanager
async def world_of(kind: str, folder: Path, postgres_url: str) -> AsyncIterator[World]:
    """A server for both, on that database."""
    async with AsyncExitStack() as stack:
        store = await _store(kind, folder, postgres_url)
        house, port = await serve(store, stack)
        world = World(house, port)
        rows = {slug: await house.engine.environment(slug) for slug in ("dev", "prod")}
        assert rows["dev"].shard_id == rows["prod"].shard_id
        people = PeopleBook(house.engine.access, PEPPER, house.clock.now(), "test")
        world.person = await people.add("ann", "admin", rows["dev"])
        other = await people.add("bob", "admin", rows["prod"])
        world.mine = Tenant("mine", "dev", KEY, house, port)
        world.theirs = Tenant("theirs", "prod", OTHER_KEY, house, port)
        for tenant, person in ((world.mine, world.person), (world.theirs, other)):
            await stack.enter_async_context(tenant.client)
            await tenant.make(stack, person)
        yield world


async def _store(kind: str, folder: Path, postgres_url: str) -> Store:
    """An empty database whose two environments share a shard, as they do when all are in use."""
    file = str(folder / "state.db")
    store: Store = SqliteStore(file) if kind == "sqlite" else PostgresStore(postgres_url)
    await store.open()
    for slug in ("dev", "prod"):
        await store.catalog.ensure_environment(slug)
    await store.close()
    if kind == "sqlite":
        await asyncio.to_thread(_share_file, file)
        return SqliteStore(file)
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(SHARED)
    await connection.close()
    return PostgresStore(postgres_url)


def _share_file(file: str) -> None:
    connection = sqlite3.connect(file)
    connection.execute(SHARED)
    connection.commit()
    connection.close()
