"""A FastAPI application with the whole platform inside: engine, worker and database."""

from __future__ import annotations

from typing import Final

TASKS: Final = '''"""Tasks of this project."""

from mainspring import logger, task


@task
async def receipt(order: int) -> str:
    """Write the receipt of an order."""
    logger.info("writing a receipt", order=order)
    return f"receipt for order {order}"
'''

MAIN: Final = '''"""The application, with runs in its own process, kept in .mainspring."""

import json
from typing import Annotated

from fastapi import Depends, FastAPI
from tasks import receipt

from mainspring import Client
from mainspring.contrib import asgi

app = FastAPI()
asgi.mount(app, "/jobs")  # the API of the platform; let in with MAINSPRING_SECRET_KEY
Jobs = Annotated[Client, Depends(asgi.client)]


@app.post("/orders/{order}", status_code=202)
async def create(order: int) -> dict[str, str]:
    """A second request for the same order gives the same run."""
    run = await receipt.with_options(idempotency_key=f"order-{order}").trigger(order)
    return {"run": run.id}


@app.get("/runs/{run}")
async def state(run: str, jobs: Jobs) -> dict[str, object]:
    found = await jobs.runs.poll(run, timeout=20)
    return {"status": found.status, "output": json.loads(found.output or "null")}
'''

TEST: Final = '''"""The application with the platform inside, asked as a browser would."""

import httpx2
from main import app


async def test_an_order_becomes_a_receipt_once(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)  # the database is made here
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://shop") as http,
    ):
        first = (await http.post("/orders/7")).json()["run"]
        again = (await http.post("/orders/7")).json()["run"]
        assert again == first
        found = (await http.get(f"/runs/{first}")).json()
        assert found == {"status": "completed", "output": "receipt for order 7"}
'''

FILES: Final = {
    "tasks.py": TASKS,
    "main.py": MAIN,
    "test_main.py": TEST,
    "pytest.ini": "[pytest]\nasyncio_mode = auto\n",
}
NEXT: Final = "uvicorn main:app   (after: pip install fastapi uvicorn pytest-asyncio)"
THEN: Final = "curl -X POST http://127.0.0.1:8000/orders/7"
