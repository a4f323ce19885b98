"""Worker processes with a zygote: what is refused, what is killed, and what is left of it."""

import json
import os
import signal
from pathlib import Path

import psutil
import pytest

from mainspring.wire.worker import Capacity
from tests.worker.engine import Engine, Served, execute
from tests.worker.test_isolation import gone, until
from tests.worker.test_supervise import team

pytestmark = pytest.mark.slow

TASKS = """
import os, subprocess, sys, time
from mainspring.sdk.decorate import task

@task(isolation="process")
def quick() -> int:
    return os.getpid()

@task
async def elsewhere() -> int:
    return os.getpid()

@task(isolation="process")
def breed(folder: str) -> None:
    sleeper = [sys.executable, "-c", "import time; time.sleep(1000)"]
    far = subprocess.Popen(sleeper, start_new_session=True)
    with open(f"{folder}/part", "w") as file:
        file.write(f"{os.getpid()} {far.pid}")
    os.rename(f"{folder}/part", f"{folder}/pids")
    time.sleep(1000)
"""
THREAD = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
CONNECTION = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
connection = socket.create_connection(listener.getsockname())
"""


def folder(root: Path, before: str = "") -> Path:
    (root / "jobs.py").write_text(before + TASKS)
    return root


def zygote_of(worker: int) -> int:
    (child,) = psutil.Process(worker).children()
    return child.pid


async def bred(engine: Engine, root: Path) -> list[int]:
    """The process of a run, and one that it has started in a session of its own."""
    engine.order(execute("breed", payload=json.dumps({"folder": str(root)})))
    await until(lambda: (root / "pids").exists())
    pids = [int(pid) for pid in (root / "pids").read_text().split()]
    assert not any(map(gone, pids))
    return pids


async def test_a_worker_executes_each_task_where_it_asks_to_be(
    engine: Engine, served: Served, tmp_path: Path
) -> None:
    async with team(folder(tmp_path), served) as t:
        await t.supervisor.start()
        await engine.until(lambda: engine.hellos)
        engine.order(execute("quick", "run_1"), execute("elsewhere", "run_2"))
        await engine.until(lambda: len(engine.ended) == 2)

        worker = engine.hellos[0].pid
        assert engine.ended["run_2"].output == str(worker)
        assert engine.ended["run_1"].output not in (str(worker), str(zygote_of(worker)))


async def test_nothing_outlives_a_killed_worker(
    engine: Engine, served: Served, tmp_path: Path
) -> None:
    async with team(folder(tmp_path), served) as t:
        await t.supervisor.start()
        await engine.until(lambda: engine.hellos)
        worker = engine.hellos[0].pid
        zygote, pids = zygote_of(worker), await bred(engine, tmp_path)
        os.kill(worker, signal.SIGKILL)

        await until(lambda: all(map(gone, [zygote, *pids])))


async def test_nothing_outlives_a_killed_supervisor(
    engine: Engine, served: Served, tmp_path: Path
) -> None:
    async with team(folder(tmp_path), served) as t:
        await t.supervisor.start()
        await engine.until(lambda: engine.hellos)
        worker = engine.hellos[0].pid
        zygote, pids = zygote_of(worker), await bred(engine, tmp_path)
        t.supervisor.kill()  # as its own end does: with the whole group of the worker

        await until(lambda: all(map(gone, [worker, zygote, *pids])))


async def test_a_drained_worker_takes_the_processes_of_its_runs_with_it(
    engine: Engine, served: Served, tmp_path: Path
) -> None:
    async with team(folder(tmp_path), served, drain_s=0.1) as t:
        await t.supervisor.start()
        await engine.until(lambda: engine.hellos)
        zygote, pids = zygote_of(engine.hellos[0].pid), await bred(engine, tmp_path)
        await t.supervisor.drain()

        assert engine.ended == {}
        await until(lambda: all(map(gone, [zygote, *pids])))


async def test_a_worker_without_its_zygote_is_replaced(
    engine: Engine, served: Served, tmp_path: Path
) -> None:
    async with team(folder(tmp_path), served, drain_s=5.0) as t:
        await t.supervisor.start()
        await engine.until(lambda: engine.hellos)
        pids = await bred(engine, tmp_path)
        os.kill(zygote_of(engine.hellos[0].pid), signal.SIGKILL)
        await engine.until(lambda: len(engine.hellos) == 2)

        assert engine.of(Capacity) == [Capacity(0)]
        assert engine.ended["run_1"].outcome == "crashed"
        await until(lambda: gone(pids[0]))
        engine.order(execute("quick", "run_2"))
        await engine.until(lambda: "run_2" in engine.ended)
        assert engine.ended["run_2"].outcome == "completed"
        os.kill(pids[1], signal.SIGKILL)  # who kills the zygote has to look after its wards


@pytest.mark.parametrize(
    "before,reason",
    [(THREAD, "has started threads (Thread-1"), (CONNECTION, "has connected to 127.0.0.1, port ")],
    ids=["thread", "connection"],
)
async def test_imported_code_that_forks_badly_is_refused_by_name(
    engine: Engine, served: Served, tmp_path: Path, before: str, reason: str
) -> None:
    async with team(folder(tmp_path, before), served) as t:
        await t.supervisor.start()
        await engine.until(lambda: engine.hellos)
        engine.order(execute("quick", "run_1"), execute("elsewhere", "run_2"))
        await engine.until(lambda: len(engine.ended) == 2)

        assert engine.ended["run_2"].outcome == "completed"
        error = engine.ended["run_1"].error
        assert error is not None
        assert error.code == "isolation_unavailable"
        assert reason in error.message
