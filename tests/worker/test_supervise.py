"""Real worker processes: killed, drained, replaced, refused."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from mainspring.errors import ConfigurationError, Unauthorized
from mainspring.wire.worker import Capacity, Dropped
from mainspring.worker.channel import ChildConfig
from mainspring.worker.process import ChildProcess
from mainspring.worker.reload import reload_on_change
from mainspring.worker.supervise import News, Supervisor
from tests.worker.engine import KEY, Engine, Served, execute

TASKS = """
import asyncio, os, pathlib, sys, time
from mainspring.sdk.decorate import task
from mainspring.sdk import wait
from mainspring.sdk.context import Context

print("imported by", os.getpid())

@task
async def quick() -> int:
    return 1

@task
async def wait_for(path: str) -> int:
    while not pathlib.Path(path).exists():
        await asyncio.sleep(0.01)
    return os.getpid()

@task
async def endless() -> None:
    print("endless")
    await asyncio.Event().wait()

@task
def stuck() -> None:
    time.sleep(100)

@task
async def hang_the_process() -> None:
    while True:
        time.sleep(1)

@task
async def waits(path: str) -> None:
    try:
        await wait.token("tok")
    finally:
        pathlib.Path(path).touch()

@task
async def spawn() -> int:
    import subprocess
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"]).pid
"""


class Team:
    """A supervisor over a folder of task files, with what it told."""

    def __init__(self, root: Path, url: str, **config: object) -> None:
        self.root = root
        self.news: list[News] = []
        self._changed = asyncio.Event()
        fields = {"url": url, "key": KEY, "root": str(root), **config}
        processes = int(str(fields.pop("processes", 1)))
        self.supervisor = Supervisor(ChildConfig(**fields), processes, self._tell)  # type: ignore[arg-type]

    def _tell(self, news: News) -> None:
        self.news.append(news)
        self._changed.set()

    def told(self, kind: str) -> list[News]:
        return [news for news in self.news if news.kind == kind]

    async def until(self, met: Callable[[], object]) -> None:
        async with asyncio.timeout(90):
            while not met():
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "jobs.py").write_text(TASKS)
    return tmp_path


@contextlib.asynccontextmanager
async def team(root: Path, served: Served, **config: object) -> AsyncIterator[Team]:
    made = Team(root, served.url, **config)
    try:
        yield made
    finally:
        made.supervisor.kill()
        with contextlib.suppress(Unauthorized, ConfigurationError):
            await made.supervisor.wait()


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(90):
        while not gone(pid):  # noqa: ASYNC110 - a stranger's process sends no signal
            await asyncio.sleep(0.01)


pytestmark = pytest.mark.slow


@pytest.mark.parametrize("number, how", [("SIGKILL", "killed"), ("SIGSEGV", "crashed")])
async def test_a_killed_child_takes_only_its_own_attempts_with_it(
    engine: Engine, served: Served, root: Path, number: str, how: str
) -> None:
    flag = root / "flag"
    async with team(root, served, processes=2) as t:
        await t.supervisor.start()
        await engine.until(lambda: len(engine.hellos) == 2)
        first, second = engine.hellos
        payload = f'{{"path": "{flag}"}}'
        engine.order_to(first.session_id, execute("wait_for", "run_1", payload=payload))
        engine.order_to(second.session_id, execute("wait_for", "run_2", payload=payload))
        await engine.until(lambda: len(engine.started) == 2)

        os.kill(first.pid, signal.Signals[number])
        await engine.until(lambda: engine.lost)
        assert (engine.lost, engine.how) == ([first.session_id], [how])

        await engine.until(lambda: len(engine.hellos) == 3)
        third = engine.hellos[2]
        assert (first.apart, third.apart) == (False, True)
        engine.order_to(third.session_id, execute("wait_for", "run_1", 2, payload=payload))
        await engine.until(lambda: len(engine.started) == 3)
        flag.touch()
        await engine.until(lambda: len(engine.ended) == 2)

        assert engine.ended["run_1"].output == str(third.pid)
        assert engine.ended["run_2"].output == str(second.pid)
        (died,) = t.told("died")
        assert died.text == (
            f"Worker process {first.pid} was killed by {number}; another one starts."
        )


async def test_a_child_that_is_killed_while_it_is_being_started_is_known_to_be_dead(
    root: Path,
) -> None:
    config = ChildConfig("http://127.0.0.1:1", KEY, root=str(root))
    child = ChildProcess(config, lambda child, report: None)
    starting = asyncio.create_task(child.start())
    await asyncio.sleep(0)
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 - dead at once
    await starting

    assert await child.ended == -signal.SIGKILL


async def test_what_a_killed_child_had_started_ends_with_it(
    engine: Engine, served: Served, root: Path
) -> None:
    async with team(root, served) as t:
        await t.supervisor.start()
        await engine.until(lambda: engine.hellos)
        engine.order(execute("spawn"))
        await engine.until(lambda: engine.ended)
        grandchild = int(engine.ended["run_1"].output or 0)
        assert not gone(grandchild)
        os.kill(engine.hellos[0].pid, signal.SIGKILL)

        await until_gone(grandchild)


async def test_children_end_with_a_supervisor_that_was_killed(
    engine: Engine, served: Served, root: Path
) -> None:
    script = f"""
import asyncio
from mainspring.worker.channel import ChildConfig
from mainspring.worker.supervise import Supervisor

async def main():
    supervisor = Supervisor(ChildConfig({served.url!r}, {KEY!r}, root={str(root)!r}), 2)
    await supervisor.start()
    await supervisor.wait()

asyncio.run(main())
"""
    command = [sys.executable, "-c", script]
    supervisor = subprocess.Popen(command)  # noqa: ASYNC220 - killed from outside below
    try:
        await engine.until(lambda: len(engine.hellos) == 2)
        first, second = engine.hellos
        engine.order_to(first.session_id, execute("hang_the_process"))
        engine.order_to(second.session_id, execute("endless"))
        await engine.until(lambda: engine.started)
    finally:
        supervisor.kill()
        supervisor.wait()

    await until_gone(first.pid)
    await until_gone(second.pid)


async def test_a_drain_lets_runs_end_and_takes_nothing_new(
    engine: Engine, served: Served, root: Path
) -> None:
    flag = root / "flag"
    async with team(root, served) as t:
        await t.supervisor.start()
        await engine.until(lambda: engine.hellos)
        engine.order(execute("wait_for", payload=f'{{"path": "{flag}"}}'))
        await engine.until(lambda: engine.started)
        draining = asyncio.create_task(t.supervisor.drain())
        await engine.until(lambda: engine.of(Capacity))
        assert engine.of(Capacity) == [Capacity(0)]
        await t.until(lambda: t.told("draining"))
        assert t.told("draining")[0].left == 1
        flag.touch()
        await draining
        await t.supervisor.wait()

        assert engine.ended["run_1"].outcome == "completed"
        assert engine.lost == engine.sessions
        assert set(engine.how) == {""}
        assert t.told("died") == []
        assert t.supervisor.pids == []


@pytest.mark.parametrize("name", ["endless", "stuck"])
async def test_what_does_not_end_in_time_is_left_to_others(
    engine: Engine, served: Served, root: Path, name: str
) -> None:
    async with team(root, served, drain_s=0.1) as t:
        await t.supervisor.start()
        await engine.until(lambda: engine.hellos)
        engine.order(execute(name))
        await engine.until(lambda: engine.started)
        await t.supervisor.drain()

        assert engine.ended == {}
        assert engine.lost == engine.sessions
        assert set(engine.how) == {""}


async def test_a_child_that_cannot_even_be_asked_is_killed(
    engine: Engine, served: Served, root: Path
) -> None:
    async with team(root, served) as t:
        await t.supervisor.start()
        await engine.until(lambda: engine.hellos)
        engine.order(execute("hang_the_process"))
        pid = engine.hellos[0].pid
        t.supervisor.kill()
        await t.supervisor.wait()

        assert gone(pid)
        assert engine.lost == engine.sessions
        assert set(engine.how) == {""}
        assert [news.pid for news in t.told("killed")] == [pid]


async def test_a_broken_file_is_shown_and_the_other_tasks_load(
    engine: Engine, served: Served, root: Path
) -> None:
    (root / "broken.py").write_text("from mainspring.sdk.decorate import task\n1 / 0\n")
    async with team(root, served) as t:
        await t.supervisor.start()
        await engine.until(lambda: engine.hellos)

        (problem,) = t.told("import_failed")
        assert "broken.py cannot be imported: ZeroDivisionError" in problem.text
        assert "1 / 0" in problem.traceback
        assert "quick" in t.told("ready")[0].tasks
        engine.order(execute("quick"))
        await engine.until(lambda: engine.ended)


async def test_a_fresh_child_takes_over_and_the_old_one_finishes(
    engine: Engine, served: Served, root: Path
) -> None:
    flag = root / "flag"
    async with team(root, served) as t:
        await t.supervisor.start()
        await engine.until(lambda: engine.hellos)
        old = engine.hellos[0]
        engine.order(execute("wait_for", payload=f'{{"path": "{flag}"}}'))
        await engine.until(lambda: engine.started)

        (root / "jobs.py").write_text(TASKS.replace("return 1", "return 2"))
        assert await t.supervisor.replace()
        await engine.until(lambda: len(engine.hellos) == 2)
        engine.order(execute("quick", "run_2"))
        await engine.until(lambda: "run_2" in engine.ended)
        assert engine.ended["run_2"].output == "2"

        flag.touch()
        await engine.until(lambda: "run_1" in engine.ended)
        assert engine.ended["run_1"].output == str(old.pid)
        await engine.until(lambda: engine.lost)
        assert engine.lost == [old.session_id]
        assert t.told("died") == []


async def test_a_child_in_which_too_many_runs_wait_is_replaced_and_ends_as_if_killed(
    engine: Engine, served: Served, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.worker.supervise.SETTLED_S", 0.0)
    touched = tmp_path / "finally"
    async with team(root, served, parked=2) as made:
        await made.supervisor.start()
        await engine.until(lambda: engine.hellos)
        (old,) = made.supervisor.pids
        for number in range(3):
            payload = f'{{"path":"{touched}"}}'
            engine.order(execute("waits", f"run_{number}", payload=payload))
        await engine.until(lambda: engine.of(Dropped))
        await until_gone(old)
        await made.until(lambda: made.told("drained"))

        assert "3 runs wait in it, and 2 may" in made.told("full")[0].text
        dropped = [pair for message in engine.of(Dropped) for pair in message.runs]
        assert sorted(dropped) == [("run_0", 1), ("run_1", 1), ("run_2", 1)]
        assert len(made.supervisor.pids) == 1
        assert not touched.exists()


async def test_a_child_that_takes_too_much_memory_while_runs_wait_in_it_is_replaced(
    engine: Engine, served: Served, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.worker.supervise.SETTLED_S", 0.0)
    async with team(root, served, memory=1) as made:
        await made.supervisor.start()
        await engine.until(lambda: engine.hellos)
        payload = f'{{"path":"{tmp_path / "finally"}"}}'
        engine.order(execute("waits", payload=payload))
        await engine.until(lambda: engine.of(Dropped))

        assert "0 MiB are allowed" in made.told("full")[0].text


async def test_code_that_cannot_be_imported_leaves_the_old_one_at_work(
    engine: Engine, served: Served, root: Path
) -> None:
    async with team(root, served) as t:
        await t.supervisor.start()
        await engine.until(lambda: engine.hellos)
        (root / "jobs.py").write_text(TASKS + "\nthis is no python\n")
        assert not await t.supervisor.replace()
        assert "SyntaxError" in t.told("import_failed")[0].text
        assert t.told("kept")

        engine.order(execute("quick"))
        await engine.until(lambda: engine.ended)
        assert len(engine.hellos) == 1

        (root / "jobs.py").write_text(TASKS)
        assert await t.supervisor.replace()


async def test_code_that_ends_its_process_leaves_the_old_one_at_work(
    engine: Engine, served: Served, root: Path
) -> None:
    async with team(root, served) as t:
        await t.supervisor.start()
        await engine.until(lambda: engine.hellos)
        (root / "jobs.py").write_text(TASKS + "\nos._exit(7)\n")

        assert not await t.supervisor.replace()
        engine.order(execute("quick"))
        await engine.until(lambda: engine.ended)
        assert len(engine.hellos) == 1


async def test_children_that_die_at_their_start_are_told_of_and_started_ever_more_slowly(
    served: Served, root: Path
) -> None:
    (root / "jobs.py").write_text("import os  # mainspring\nos._exit(7)\n")
    async with team(root, served) as t:
        await t.supervisor.start()
        await t.until(lambda: t.told("crash_loop"))

        assert len(t.told("died")) == 5
        assert "ended with status 7" in t.told("crash_loop")[0].text


async def test_a_wrong_key_ends_the_worker_with_the_reason(served: Served, root: Path) -> None:
    async with team(root, served, key="tr_dev_sk_wrong") as t:
        await t.supervisor.start()
        with pytest.raises(Unauthorized, match="MAINSPRING_SECRET_KEY"):
            await t.supervisor.wait()
        assert t.supervisor.pids == []


async def test_a_supervisor_that_nobody_listens_to_ends_all_the_same(
    served: Served, root: Path
) -> None:
    async with team(root, served) as made:
        await made.supervisor.start()
        await served.stop()

        def tell(news: News) -> None:
            raise BrokenPipeError

        made.supervisor._news = tell
        async with asyncio.timeout(90):
            await made.supervisor.drain()


async def test_a_supervisor_whose_tasks_are_canceled_ends_all_the_same(
    engine: Engine, served: Served, root: Path
) -> None:
    async with team(root, served) as made:
        await made.supervisor.start()
        for task in asyncio.all_tasks():
            if task.get_name().startswith("watch "):
                task.cancel()
        made.supervisor.kill()
        await made.supervisor.wait()


async def test_a_server_that_is_away_is_told_once_and_found_when_it_is_back(
    engine: Engine, served: Served, root: Path
) -> None:
    await served.stop()
    async with team(root, served) as t:
        starting = asyncio.create_task(t.supervisor.start())
        await t.until(lambda: t.told("disconnected"))
        assert not t.told("ready")  # without its variables it imports nothing
        await served.start()
        await t.until(lambda: t.told("connected"))
        await starting

        assert len(t.told("disconnected")) == 1
        assert served.url in t.told("disconnected")[0].text


async def test_a_session_that_the_server_has_given_up_is_followed_by_another(
    engine: Engine, served: Served, root: Path
) -> None:
    async with team(root, served) as t:
        await t.supervisor.start()
        await engine.until(lambda: engine.hellos)
        engine.order(execute("endless"))
        await engine.until(lambda: engine.started)
        engine.known = False  # it hears so with its next beat
        await engine.until(lambda: len(engine.sessions) == 2)
        engine.known = True

        assert engine.ended == {}
        assert engine.hellos[0].pid == engine.hellos[1].pid
        assert engine.hellos[-1].runs == []


async def test_output_of_imports_and_runs_reaches_the_terminal_as_it_is(
    engine: Engine, served: Served, root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with team(root, served, echo=True, drain_s=0) as t:
        await t.supervisor.start()
        await engine.until(lambda: engine.hellos)
        engine.order(execute("endless"))
        await engine.until(lambda: engine.lines)
        await t.supervisor.drain()

    out = capfd.readouterr().out
    assert out == f"imported by {engine.hellos[0].pid}\nendless\n"


async def test_a_changed_file_has_the_workers_replaced(root: Path) -> None:
    stop, replaced = asyncio.Event(), asyncio.Event()
    seen: list[str] = []

    async def replace() -> None:
        replaced.set()

    watching = asyncio.create_task(reload_on_change([root], replace, stop, changed=seen.extend))
    async with asyncio.timeout(90):
        while not replaced.is_set():
            # until the watch is in place, changes are not seen
            (root / "jobs.py").write_text(TASKS)
            (root / "notes.txt").write_text("not code")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(replaced.wait(), 0.5)
    stop.set()
    await watching

    assert set(seen) == {str(root / "jobs.py")}


async def test_nothing_is_watched_where_no_folder_is(tmp_path: Path) -> None:
    stop = asyncio.Event()
    stop.set()

    async def replace() -> None: ...

    await reload_on_change([tmp_path / "missing"], replace, stop)
