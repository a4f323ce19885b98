"""The platform inside FastAPI and Starlette: one process, one port, one start and end."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx2
import pytest
import uvicorn
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from mainspring import Client, Handle, task
from mainspring.app.embedded import Embedded
from mainspring.contrib import asgi
from mainspring.errors import ConfigurationError, StoreInUse
from mainspring.sdk import transport
from mainspring.sdk.registry import registry
from mainspring.store.postgres import PostgresStore

KEY = "tr_dev_sk_" + "k" * 24


@pytest.fixture(autouse=True)
def tasks() -> Iterator[None]:
    with registry.isolated():

        @task
        async def greet(name: str) -> str:
            return f"Hello, {name}!"

        @task(id="mail/send")
        async def send() -> str:
            return "sent"

        yield


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """The application under a real server; its URL."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    server.capture_signals = asynccontextmanager  # type: ignore
    serving = asyncio.create_task(server._serve())
    while not server.started:
        assert not serving.done(), serving.result()
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


def shop(database: Path) -> FastAPI:
    app = FastAPI()
    asgi.mount(app, "/jobs", database=str(database), key=KEY)

    @app.post("/greet/{name}")
    async def greet(name: str, jobs: Annotated[Client, Depends(asgi.client)]) -> dict[str, str]:
        handle: Handle[str] = await jobs.tasks.trigger("greet", {"name": name})
        return {"run": handle.id, "said": await handle.result(timeout=10)}

    return app


async def test_fastapi_runs_tasks_in_its_own_process(tmp_path: Path) -> None:
    async with served(shop(tmp_path / "state.db")) as url, httpx2.AsyncClient() as http:
        answer = await http.post(f"{url}/greet/Ada")
        assert answer.json()["said"] == "Hello, Ada!"
        run = await http.get(
            f"{url}/jobs/api/v3/runs/{answer.json()['run']}",
            headers={"authorization": f"Bearer {KEY}"},
        )
        assert run.json()["output"] == "Hello, Ada!"
        assert (await http.get(f"{url}/jobs/healthz")).status_code == 200
        assert (await http.get(f"{url}/jobs/api/v1/runs")).status_code == 401
        assert (await http.get(f"{url}/healthz")).status_code == 404


async def test_clients_elsewhere_use_what_is_mounted(tmp_path: Path) -> None:
    async with served(shop(tmp_path / "state.db")) as url, Client(f"{url}/jobs", KEY) as client:
        handle = await client.tasks.trigger("greet", {"name": "Bo"})
        states = [run.output async for run in handle.subscribe()]
        assert states[-1] == '"Hello, Bo!"'


async def test_runs_of_the_environment_that_the_key_names_are_executed(tmp_path: Path) -> None:
    app = FastAPI()
    key = "tr_prod_sk_" + "k" * 24
    asgi.mount(app, "/jobs", database=str(tmp_path / "state.db"), key=key)
    async with served(app) as url, Client(f"{url}/jobs", key) as client:
        handle: Handle[str] = await client.tasks.trigger("greet", {"name": "Ann"})
        assert await handle.result(timeout=10) == "Hello, Ann!"


async def test_two_processes_do_not_execute_for_one_environment(postgres_url: str) -> None:
    store = PostgresStore(postgres_url)
    await store.open(migrate=True)
    await store.close()
    first = Embedded(postgres_url)
    async with first:
        with pytest.raises(StoreInUse, match="Another process executes"):
            await Embedded(postgres_url).start()
        assert first.environment.shard_id in first.engine.owners
    async with Embedded(postgres_url) as third:
        assert third.environment.shard_id in third.engine.owners


async def test_paths_below_the_prefix_are_matched_as_they_were_sent(tmp_path: Path) -> None:
    async with served(shop(tmp_path / "state.db")) as url, httpx2.AsyncClient() as http:
        made = await http.post(
            f"{url}/jobs/api/v1/tasks/mail%2Fsend/trigger",
            json={"payload": {}},
            headers={"authorization": f"Bearer {KEY}"},
        )
        assert made.status_code == 200, made.text


async def test_what_was_triggered_survives_a_restart(tmp_path: Path) -> None:
    async with served(shop(tmp_path / "state.db")) as url, Client(f"{url}/jobs", KEY) as client:
        late = await client.tasks.trigger("greet", {"name": "Di"}, delay="2s")
    async with served(shop(tmp_path / "state.db")) as url, Client(f"{url}/jobs", KEY) as client:
        assert await client.runs.result(late.id, timeout=10) == "Hello, Di!"


async def test_the_lifespan_of_the_application_runs_within(tmp_path: Path) -> None:
    told: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, int]]:
        told.append("begun")
        yield {"answer": 42}
        told.append("ended")

    async def state(request: Request) -> JSONResponse:
        return JSONResponse({"answer": request.state.answer})

    app = Starlette(routes=[Route("/", state)], lifespan=lifespan)
    asgi.mount(app, database=str(tmp_path / "state.db"))
    async with served(app) as url, httpx2.AsyncClient() as http:
        assert (await http.get(url)).json() == {"answer": 42}
        assert told == ["begun"]
    assert told == ["begun", "ended"]
    assert transport.install(None) is None


async def test_only_a_client_is_enough(tmp_path: Path) -> None:
    app = FastAPI()

    @app.get("/runs/{run}")
    async def state(run: str, jobs: Annotated[Client, Depends(asgi.client)]) -> str:
        return (await jobs.runs.retrieve(run)).status

    async with served(shop(tmp_path / "state.db")) as jobs:
        asgi.connect(app, f"{jobs}/jobs", KEY)
        async with served(app) as url, httpx2.AsyncClient() as http:
            run = (await http.post(f"{jobs}/greet/Ed")).json()["run"]
            assert (await http.get(f"{url}/runs/{run}")).json() == "completed"


async def test_before_its_start_the_api_says_so_and_the_dependency_too(tmp_path: Path) -> None:
    app = shop(tmp_path / "state.db")
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/jobs/healthz", "headers": []}
    scope |= {"query_string": b"", "root_path": "", "app": app}
    await app(scope, None, send)  # type: ignore[arg-type]
    assert sent[0]["status"] == 503
    with pytest.raises(ConfigurationError, match="mount"):
        asgi.client(Request({**scope, "app": Starlette()}))
