"""Runs in processes of their own: real processes that crash, hog, spin, breed and are killed."""

import asyncio
import importlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mainspring.clock import SystemClock
from mainspring.model.run import TriggerAnswer
from mainspring.sdk.registry import registry
from mainspring.sdk.task import Task
from mainspring.wire.calls import Triggered
from mainspring.wire.worker import (
    Call,
    Cancel,
    Dropped,
    Entry,
    Fenced,
    Finished,
    Park,
    Record,
    Resolved,
    Resume,
    Wait,
)
from mainspring.worker.capture import Capture
from mainspring.worker.isolation import control
from mainspring.worker.isolation.apart import Apart
from mainspring.worker.isolation.control import Up
from mainspring.worker.isolation.forks import Forks
from mainspring.worker.session import Session
from tests.worker.conftest import Worker
from tests.worker.engine import Engine, execute

pytestmark = pytest.mark.slow


class Host:
    """A zygote process that outlives single tests."""

    def __init__(self, *options: str) -> None:
        self.control, theirs = control.pair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.worker.zygote_host", str(theirs.fileno()),
                 str(os.getpid()), *options],
                pass_fds=(theirs.fileno(),),
            )  # fmt: skip
        up = control.decode_up(self.control.recv(control.PACKET))
        assert isinstance(up, Up)
        self.up = up

    def stop(self) -> None:
        self.control.close()
        self.process.wait(10)


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    made = Host()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def watching_host() -> Iterator[Host]:
    made = Host("watch")
    yield made
    made.stop()


class Isolating:
    """A session whose runs execute in processes of a zygote."""

    def __init__(self, engine: Engine, worker: Worker) -> None:
        self.engine = engine
        self.forks: Forks
        self.lost = 0
        self._worker = worker
        module = importlib.import_module("tests.worker.isolated_tasks")
        for value in vars(module).values():
            if isinstance(value, Task):
                registry.add_task(value)

    async def start(self, host: Host, **options: Any) -> Session:
        capture = Capture(SystemClock())
        session = await self._worker(capture=capture)
        self.forks = Forks(host.control.dup(), host.up, self._count_lost)
        self.forks.start()
        self.apart = Apart(session, self.forks, capture, **options)
        return session

    def _count_lost(self) -> None:
        self.lost += 1

    async def run(self, name: str, **order: Any) -> Finished:
        self.engine.order(execute(name, **order))
        await self.engine.until(lambda: self.engine.ended)
        return self.engine.ended["run_1"]

    async def empty(self) -> None:
        """Return once no process is left."""
        async with asyncio.timeout(90):
            while self.forks.count:  # noqa: ASYNC110 - nobody else wants to know
                await asyncio.sleep(0.01)


@pytest.fixture
async def isolating(engine: Engine, worker: Worker) -> AsyncIterator[Isolating]:
    made = Isolating(engine, worker)
    yield made
    await worker.close()
    await made.empty()
    made.forks.close()


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def until(met: Callable[[], object]) -> None:
    async with asyncio.timeout(90):
        while not met():  # noqa: ASYNC110 - a stranger's process sends no signal
            await asyncio.sleep(0.01)


def payload(**fields: object) -> str:
    return json.dumps(fields)


async def test_each_attempt_has_a_fresh_process(isolating: Isolating, host: Host) -> None:
    await isolating.start(host)
    isolating.engine.order(execute("about", "run_1"), execute("about", "run_2"))
    await isolating.engine.until(lambda: len(isolating.engine.ended) == 2)
    ends = isolating.engine.ended
    first, second = (json.loads(ends[run].output or "") for run in ("run_1", "run_2"))

    assert first["pid"] != second["pid"]
    assert os.getpid() not in (first["pid"], second["pid"])
    assert first["session"] == first["pid"]
    assert first["chance"] != second["chance"]
    assert (first["main"], first["handled"], first["run"]) == (True, [], "run_1")
    await until(lambda: gone(first["pid"]) and gone(second["pid"]))


async def test_a_plain_function_has_the_main_thread(isolating: Isolating, host: Host) -> None:
    await isolating.start(host)
    end = await isolating.run("plain_about")
    told = json.loads(end.output or "")

    assert (told["main"], told["environment"]) == (True, "dev")
    assert isolating.engine.started == [("run_1", 1)]


async def test_all_that_a_process_says_is_kept_in_order(isolating: Isolating, host: Host) -> None:
    await isolating.start(host)
    end = await isolating.run("talk")
    lines = isolating.engine.lines

    assert end.outcome == "completed"
    python = [line.message for line in lines if line.message not in ("raw", "of another program")]
    assert python == ["printed", "logged", "of logging"]
    others = [line for line in lines if line.message not in python]
    assert [(line.level, line.message) for line in others] == [
        ("info", "raw"),
        ("info", "of another program"),
    ]


async def test_an_error_of_the_body_is_what_it_is_in_every_worker(
    isolating: Isolating, host: Host
) -> None:
    await isolating.start(host)
    end = await isolating.run("fail")

    assert end.outcome == "failed"
    assert end.error is not None
    assert (end.error.name, end.error.message) == ("ValueError", "no")
    assert "isolated_tasks.py" in end.error.stack
    assert "isolation" not in end.error.stack


@pytest.mark.parametrize("status", [0, 3])
async def test_a_process_that_exits_has_crashed(
    isolating: Isolating, host: Host, status: int
) -> None:
    await isolating.start(host)
    end = await isolating.run("leave", payload=payload(status=status))

    assert end.outcome == "crashed"
    assert end.error is not None
    assert end.error.code == "process_exited"
    assert f"ended with exit status {status} before the task returned" in end.error.message
    assert [line.message for line in isolating.engine.lines] == ["last words"]


async def test_a_fault_of_a_library_is_named_with_the_python_code_that_led_there(
    isolating: Isolating, host: Host
) -> None:
    await isolating.start(host)
    end = await isolating.run("fall_over")

    assert end.outcome == "crashed"
    assert end.error is not None
    assert end.error.code == "process_killed"
    assert "was killed by SIGSEGV" in end.error.message
    assert "in fall_over" in end.error.stack


async def test_a_killed_process_is_named_as_such(isolating: Isolating, host: Host) -> None:
    await isolating.start(host)
    end = await isolating.run("be_killed")

    assert end.outcome == "crashed"
    assert end.error is not None
    assert "was killed by SIGKILL" in end.error.message


@pytest.mark.parametrize("which", ["host", "watching_host"])
async def test_a_run_that_takes_too_much_memory_crashes_and_asks_for_more(
    isolating: Isolating, which: str, request: pytest.FixtureRequest
) -> None:
    await isolating.start(request.getfixturevalue(which))
    end = await isolating.run("hog", payload=payload(megabytes=4000))

    assert end.outcome == "crashed"
    assert end.error is not None
    assert end.error.code == "out_of_memory"
    assert "more memory than its limit of 64 MB" in end.error.message
    assert end.machine == "micro"


@pytest.mark.parametrize("which", ["host", "watching_host"])
async def test_the_machine_of_the_order_comes_before_that_of_the_task(
    isolating: Isolating, which: str, request: pytest.FixtureRequest
) -> None:
    await isolating.start(request.getfixturevalue(which))
    end = await isolating.run("hog", payload=payload(megabytes=130), machine="micro")

    assert (end.outcome, end.output) == ("completed", "130")


async def test_a_memory_error_counts_as_reaching_the_limit(
    isolating: Isolating, host: Host
) -> None:
    await isolating.start(host)
    end = await isolating.run("give_up")

    assert end.outcome == "crashed"
    assert end.error is not None
    assert (end.error.code, end.machine) == ("out_of_memory", "small-1x")


async def test_processor_time_is_limited(isolating: Isolating, host: Host) -> None:
    await isolating.start(host)
    end = await isolating.run("spin")

    assert end.outcome == "crashed"
    assert end.error is not None
    assert end.error.code == "cpu_time_exceeded"


async def test_a_body_that_blocks_its_loop_is_ended_when_its_time_is_over(
    isolating: Isolating, host: Host
) -> None:
    await isolating.start(host, clean_up_s=0.2)
    end = await isolating.run("block", max_duration_ms=100)

    assert end.outcome == "timed_out"
    await isolating.empty()


@pytest.mark.parametrize("name", ["wait_long", "sleep_long"])
async def test_a_canceled_body_cleans_up(
    isolating: Isolating, host: Host, tmp_path: Path, name: str
) -> None:
    await isolating.start(host)
    isolating.engine.order(execute(name, payload=payload(folder=str(tmp_path))))
    await until(lambda: (tmp_path / "began").exists())
    isolating.engine.order(Cancel("run_1", 1, 600))
    await isolating.engine.until(lambda: isolating.engine.ended)

    assert isolating.engine.ended["run_1"].outcome == "canceled"
    assert [line.message for line in isolating.engine.lines] == ["cleans up"]


async def test_after_the_grace_time_nothing_of_a_run_is_left(
    isolating: Isolating, host: Host, tmp_path: Path
) -> None:
    await isolating.start(host)
    isolating.engine.order(execute("breed", payload=payload(folder=str(tmp_path))))
    await until(lambda: (tmp_path / "pids").exists())
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert not any(map(gone, pids))
    isolating.engine.order(Cancel("run_1", 1, 300))
    await isolating.engine.until(lambda: isolating.engine.ended)

    assert isolating.engine.ended["run_1"].outcome == "canceled"
    await until(lambda: all(map(gone, pids)))


async def test_a_fork_bomb_leaves_nothing(isolating: Isolating, host: Host, tmp_path: Path) -> None:
    await isolating.start(host)
    isolating.engine.order(execute("bomb", payload=payload(folder=str(tmp_path), depth=6)))
    log = tmp_path / "bomb"
    await until(lambda: log.exists() and len(set(log.read_text().split())) == 64)
    isolating.engine.order(Fenced("run_1", 1))

    await until(lambda: all(gone(int(pid)) for pid in set(log.read_text().split())))


async def test_a_fenced_run_ends_without_a_word(
    isolating: Isolating, host: Host, tmp_path: Path
) -> None:
    await isolating.start(host)
    isolating.engine.order(execute("wait_long", payload=payload(folder=str(tmp_path))))
    await until(lambda: (tmp_path / "began").exists())
    isolating.engine.order(Fenced("run_1", 1))
    await isolating.empty()

    assert isolating.engine.ended == {}
    assert isolating.engine.lines == []


async def test_what_a_process_asks_reaches_the_engine_in_the_name_of_its_run(
    isolating: Isolating, host: Host
) -> None:
    await isolating.start(host)
    asked: list[Call] = []

    def answer(call: Call) -> Triggered:
        asked.append(call)
        return Triggered([TriggerAnswer("run_2")])

    isolating.engine.answer = answer
    end = await isolating.run("trigger_another")

    assert (end.outcome, end.output) == ("completed", '"run_2"')
    assert [call.run_id for call in asked] == ["run_1"]


async def test_the_death_of_the_zygote_is_noticed_and_nothing_outlives_it(
    isolating: Isolating, tmp_path: Path
) -> None:
    host = Host()
    await isolating.start(host)
    isolating.engine.order(execute("wait_long", payload=payload(folder=str(tmp_path))))
    await until(lambda: (tmp_path / "began").exists())
    host.process.kill()
    await isolating.engine.until(lambda: isolating.engine.ended)

    end = isolating.engine.ended["run_1"]
    assert end.outcome == "crashed"
    assert end.error is not None
    assert end.error.code == "isolation_unavailable"
    assert isolating.lost == 1
    await until(lambda: gone(int((tmp_path / "began").read_text())))
    host.stop()


async def test_nothing_outlives_a_worker_that_closes_its_end(
    isolating: Isolating, tmp_path: Path
) -> None:
    host = Host()
    await isolating.start(host)
    isolating.engine.order(execute("breed", payload=payload(folder=str(tmp_path))))
    await until(lambda: (tmp_path / "pids").exists())
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    host.control.close()
    isolating.forks.close()

    assert await asyncio.to_thread(host.process.wait, 10) == 0
    await until(lambda: all(map(gone, pids)))


WAITERS = pytest.mark.parametrize("name", ["wait_durably", "wait_durably_plain"])


def came(data: str) -> Entry:
    return Entry("tok", 2, "token", data=data)


@WAITERS
async def test_a_run_waits_in_its_process_and_goes_on_there(
    isolating: Isolating, host: Host, name: str
) -> None:
    engine, session = isolating.engine, await isolating.start(host)
    engine.order(execute(name))
    await engine.until(lambda: engine.of(Park))
    (recorded,) = engine.of(Record)
    assert (session.running, isolating.forks.count) == (0, 1)
    assert engine.of(Wait)[0].epoch == 1
    engine.order(Resume("run_1", 2, 1, [came("7")]))
    await engine.until(lambda: engine.ended)

    pid = recorded.entries[0].data
    assert pid is not None
    assert json.loads(engine.ended["run_1"].output or "") == [pid, "7", int(pid), 2]
    assert engine.ended["run_1"].epoch == 2


@WAITERS
async def test_an_outcome_that_is_there_already_keeps_the_slot(
    isolating: Isolating, host: Host, name: str
) -> None:
    engine, session = isolating.engine, await isolating.start(host)
    engine.order(execute(name))
    await engine.until(lambda: engine.of(Wait))
    engine.order(Resolved("run_1", 1, [came('"early"')]))
    await engine.until(lambda: engine.ended)

    assert json.loads(engine.ended["run_1"].output or "")[1] == '"early"'
    assert engine.ended["run_1"].epoch == 1
    assert session.running == 0


async def test_a_run_that_parks_while_it_is_told_an_outcome_keeps_its_slot(
    isolating: Isolating, host: Host, tmp_path: Path
) -> None:
    engine, session = isolating.engine, await isolating.start(host)
    engine.order(execute("wait_twice", payload=payload(folder=str(tmp_path))))
    await engine.until(lambda: engine.of(Wait))
    (process,) = isolating.forks._processes.values()
    (tmp_path / "go").touch()
    select.select([process.link], [], [])  # it has said that it waits for both; nobody has read it
    engine.order(Resolved("run_1", 1, [Entry("0/a", 1, "token", data="1")]))
    await engine.until(lambda: engine.of(Park))

    assert [park.keys for park in engine.of(Park)] == [["1/b"]]
    assert session.running == 0
    engine.order(Resolved("run_1", 1, [Entry("1/b", 2, "token", data="2")]))
    await engine.until(lambda: engine.ended)
    assert engine.ended["run_1"].output == '["1","2"]'


@WAITERS
async def test_a_cold_run_leaves_its_process_without_a_word_and_is_replayed_in_another(
    isolating: Isolating, host: Host, name: str
) -> None:
    engine = isolating.engine
    await isolating.start(host, warm_s=0.05)
    engine.order(execute(name))
    await engine.until(lambda: engine.of(Dropped))
    await isolating.empty()
    (recorded,) = engine.of(Record)
    assert engine.of(Dropped) == [Dropped([("run_1", 1)])]
    assert (engine.ended, engine.lines) == ({}, [])
    engine.order(execute(name, epoch=2, journal=[*recorded.entries, came("7")]))
    await engine.until(lambda: engine.ended)

    before, got, pid, epoch = json.loads(engine.ended["run_1"].output or "")
    assert (before, got, epoch) == (recorded.entries[0].data, "7", 2)
    assert str(pid) != before


@WAITERS
async def test_a_run_that_goes_on_in_time_is_not_let_go(
    isolating: Isolating, host: Host, name: str
) -> None:
    engine = isolating.engine
    await isolating.start(host, warm_s=0.3)
    engine.order(execute(name, "run_1"))
    await engine.until(lambda: engine.of(Park))
    engine.order(Resume("run_1", 2, 1, []))
    await engine.until(lambda: len(engine.of(Park)) == 2)
    engine.order(Resume("run_1", 3, 2, [came("7")]))
    await engine.until(lambda: engine.ended)

    assert engine.of(Dropped) == []


async def test_a_parked_run_that_is_canceled_cleans_up(isolating: Isolating, host: Host) -> None:
    engine = isolating.engine
    await isolating.start(host)
    engine.order(execute("wait_durably"))
    await engine.until(lambda: engine.of(Park))
    engine.order(Cancel("run_1", 1, 1000))
    await engine.until(lambda: engine.ended)

    assert engine.ended["run_1"].outcome == "canceled"
    assert [line.message for line in engine.lines] == ["finally"]


async def test_a_process_that_dies_while_its_run_is_parked_is_only_let_go_of(
    isolating: Isolating, host: Host
) -> None:
    engine = isolating.engine
    await isolating.start(host)
    engine.order(execute("wait_durably"))
    await engine.until(lambda: engine.of(Park))
    (recorded,) = engine.of(Record)
    os.kill(int(recorded.entries[0].data or ""), signal.SIGKILL)
    await isolating.empty()
    await engine.until(lambda: engine.of(Dropped))

    assert engine.ended == {}
