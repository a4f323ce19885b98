"""An endpoint for webhooks: it checks the signature, and makes one run of each delivery."""

from __future__ import annotations

from typing import Final

TASKS: Final = '''"""Tasks of this project."""

from mainspring import logger, task


@task
async def on_delivery(event: str, body: dict) -> str:
    """What a webhook leads to."""
    logger.info("delivered", webhook=event)
    return f"{event}: {body.get('action', 'nothing to do')}"
'''

MAIN: Final = '''"""Takes webhooks signed with HMAC-SHA256, as GitHub and others sign them.

The answer is sent once the run is stored; a delivery that is repeated gives the same run.
"""

import hashlib
import hmac
import json
import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from tasks import on_delivery

from mainspring.contrib import asgi

SECRET = os.environ.get("WEBHOOK_SECRET", "").encode()
MOST = 1024 * 1024


async def receive(request: Request) -> JSONResponse:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST:
            return JSONResponse({"error": "too large"}, 413)
    signed = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    given = request.headers.get("x-hub-signature-256", "")
    if not SECRET or not hmac.compare_digest(signed.encode(), given.encode()):
        return JSONResponse({"error": "the signature does not fit"}, 401)
    try:
        payload = json.loads(body)
    except ValueError:
        return JSONResponse({"error": "the body is not JSON"}, 400)
    event = request.headers.get("x-github-event", "unknown")
    key = request.headers.get("x-github-delivery") or hashlib.sha256(body).hexdigest()
    run = await on_delivery.with_options(idempotency_key=key).trigger(event, payload)
    return JSONResponse({"run": run.id}, 202)


app = Starlette(routes=[Route("/webhooks", receive, methods=["POST"])])
asgi.mount(app, "/jobs")  # the API of the platform; let in with MAINSPRING_SECRET_KEY
'''

TEST: Final = '''"""Signed deliveries become runs, others do not."""

import asyncio
import hashlib
import hmac

import httpx2
import main
from tasks import on_delivery

from mainspring import runs

BODY = b'{"action": "opened"}'


def headers(secret: bytes, delivery: str = "1") -> dict[str, str]:
    signed = hmac.new(secret, BODY, hashlib.sha256).hexdigest()
    return {
        "x-hub-signature-256": f"sha256={signed}",
        "x-github-event": "issues",
        "x-github-delivery": delivery,
    }


def test_a_delivery_becomes_one_run(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)  # the database is made here
    monkeypatch.setattr(main, "SECRET", b"shared secret")

    async def scenario() -> None:
        transport = httpx2.ASGITransport(main.app)
        async with (
            main.app.router.lifespan_context(main.app),
            httpx2.AsyncClient(transport=transport, base_url="http://hooks") as http,
        ):
            made = [
                await http.post("/webhooks", content=BODY, headers=headers(b"shared secret"))
                for _ in range(2)
            ]
            assert [answer.status_code for answer in made] == [202, 202]
            first, again = (answer.json()["run"] for answer in made)
            assert first == again
            ended = await runs.poll(first, timeout=20)
            assert ended.output == '"issues: opened"'
            wrong = await http.post("/webhooks", content=BODY, headers=headers(b"guessed"))
            assert wrong.status_code == 401

    asyncio.run(scenario())
'''

FILES: Final = {"tasks.py": TASKS, "main.py": MAIN, "test_main.py": TEST}
NEXT: Final = "WEBHOOK_SECRET=… uvicorn main:app"
THEN: Final = "let the sender post to http://<this machine>:8000/webhooks"
