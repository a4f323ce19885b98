"""What the idle forms load and how much memory they take; the figures are those we publish."""

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.cli.processes import dev

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
EMBEDDED_MIB = 80
DEV_MIB = 150

PROGRAM = """
import asyncio, json, sys
from mainspring import task
from mainspring.app.embedded import Embedded

@task
async def hello() -> str:
    return "hello"

async def main() -> None:
    async with Embedded():
        assert await (await hello.trigger()).result(timeout=10) == "hello"
        print(json.dumps([name for name in sys.modules]), flush=True)
        sys.stdin.readline()

asyncio.run(main())
"""


def pss(*processes: psutil.Process) -> float:
    """Proportional memory of the processes together, in MiB."""
    return float(sum(process.memory_full_info().pss for process in processes) / MIB)


def test_an_embedded_engine_is_small_and_loads_no_server() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        loaded = set(json.loads(process.stdout.readline()))
        taken = pss(psutil.Process(process.pid))
        process.communicate("\n", timeout=20)
    unwanted = {"uvicorn", "starlette", "httpx2", "asyncpg", "rich", "click", "watchfiles"}
    assert loaded & (unwanted | {"mainspring.server", "mainspring.cli"}) == set()
    assert taken < EMBEDDED_MIB


def test_an_idle_development_server_is_small_with_all_its_processes(tmp_path: Path) -> None:
    with dev(tmp_path) as server:
        assert pss(psutil.Process(server.process.pid), *server.children()) < DEV_MIB
