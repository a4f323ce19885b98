"""Worker processes with the variables of their environment, against a real server."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

from mainspring.model.variables import HIDDEN
from mainspring.wire import calls
from tests.worker import test_real_server
from tests.worker.test_real_server import House

database = test_real_server.database
pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]
CANARY = "cänary/secret+value%&x=1"
LINES = "-----BEGIN KEY-----\nkAnArYlineNumber1\nkAnArYlineNumber2\n-----END KEY-----\n"

TASKS = """
import base64, json, logging, os, subprocess, sys, urllib.parse
import mainspring
from mainspring import logger, task

AT_IMPORT = os.environ.get("PLAIN", "missing")
SECRET = os.environ.get("SECRET", "missing")
PEM = os.environ.get("PEM", "missing")
print("imported with", SECRET)

def tell() -> None:
    print("printed", SECRET, PEM)
    print("in base64", base64.b64encode(b"x" + SECRET.encode()).decode())
    sys.stderr.write(f"url https://u:{urllib.parse.quote(SECRET, safe='')}@host/\\n")
    print(repr(SECRET), json.dumps(SECRET))
    logging.getLogger("lib").warning("logged %s", SECRET)
    logger.info(f"said {SECRET}", data={"deep": [SECRET], "pem": PEM})

@task
async def seen() -> list[str]:
    shown = [os.environ.get(name, "missing") for name in ("PLAIN", "SECRET", "PEM", "OWN")]
    child = subprocess.run(
        [sys.executable, "-c", "import os; print(os.environ['PLAIN'])"],
        capture_output=True, text=True,
    )
    return [AT_IMPORT, *shown, child.stdout.strip()]

@task
async def parent() -> bool:
    return (await seen.trigger_and_wait())[2] == SECRET

@task(retry=mainspring.Retry(max_attempts=1))
async def leak() -> None:
    tell()
    try:
        raise ValueError(f"inner {SECRET}")
    except ValueError as error:
        raise RuntimeError({"outer": SECRET, "lines": PEM}) from error

@task(isolation="process", retry=mainspring.Retry(max_attempts=1))
def leak_apart() -> None:
    tell()
    os.write(1, f"raw {SECRET}\\n".encode())
    raise RuntimeError(SECRET)
"""


@pytest.fixture
async def house(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    monkeypatch.setenv("PLAIN", "inherited")
    made = House(tmp_path, database)
    (tmp_path / "jobs.py").write_text(TASKS)
    await made.open_server()
    env = await made.server.engine.environment("dev")
    values = {"PLAIN": "from the server"}
    await made.server.engine.answer(env, calls.SetVariables(values))
    secret = {"SECRET": CANARY, "PEM": LINES}
    await made.server.engine.answer(env, calls.SetVariables(secret, secret=True))
    await made.close_server()
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def output(house: House, task: str) -> object:
    (run_id,) = await house.trigger(task, "{}")
    env = await house.server.engine.environment("dev")
    await house.ended(run_id)
    # as the code of another run would get it
    run = await house.server.engine.answer(env, calls.Retrieve(run_id), run_id)
    return json.loads(run.output or "null")


async def test_variables_are_there_before_anything_is_imported(house: House) -> None:
    server = "from the server"
    assert await output(house, "seen") == [server, server, CANARY, LINES, "missing", server]
    assert await output(house, "parent") is True
    assert os.environ["PLAIN"] == "inherited"


async def test_changes_reach_new_processes(house: House) -> None:
    env = await house.server.engine.environment("dev")
    await house.server.engine.answer(env, calls.SetVariables({"PLAIN": "changed", "OWN": "new"}))
    assert (await output(house, "seen"))[0] == "from the server"
    assert await house.supervisor.replace()
    assert await output(house, "seen") == [*["changed"] * 2, CANARY, LINES, "new", "changed"]


async def test_secrets_leave_a_worker_in_no_form(
    house: House, capfd: pytest.CaptureFixture[str]
) -> None:
    ids = [*await house.trigger("leak", "{}"), *await house.trigger("leak_apart", "{}")]
    runs = [await house.ended(run_id) for run_id in ids]
    env = await house.server.engine.environment("dev")
    stored: list[object] = []
    for run_id in ids:
        stored.append(await house.server.engine.answer(env, calls.Retrieve(run_id), run_id))
        stored.append(await house.server.engine.answer(env, calls.ListLogs(run_id), run_id))
    printed = capfd.readouterr()
    text = repr(stored) + printed.out + printed.err
    forms = (CANARY, quote(CANARY, safe=""), repr(CANARY)[1:-1], json.dumps(CANARY)[1:-1])
    assert not [form for form in (*forms, "kAnArYline") if form in text]
    for before in range(3):
        encoded = base64.b64encode(b"x" * before + CANARY.encode()).decode()
        assert encoded[4:-4] not in text
    assert text.count(HIDDEN) > 15
    assert {run.error.name for run in runs if run.error is not None} == {"RuntimeError"}
    assert "raw " + HIDDEN in text
