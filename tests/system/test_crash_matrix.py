"""Worker processes killed at every point of a run's journal, on both databases, in each isolation.

Every point is a run of its own, and all of a test's runs are under way at once, so that each is
also hit by the ends of others at points of chance.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import time
import urllib.parse
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from mainspring.errors import MainspringError
from mainspring.model.run import Run, RunFilter, RunPage, Status, TriggerRequest
from mainspring.sdk.http import HttpTransport
from mainspring.wire import calls
from tests.system.cluster import Cluster
from tests.system.watching import registered, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

TASKS = Path(__file__).with_name("matrix_tasks.py")
POINTS = (
    "claimed", "resumed", "acked", "ended", "child acked", "child ended", "begin", "body one",
    "effect one", "sent 0", "sent 2", "passed", "on_wait", "parked", "on_resume", "body child",
    "body beside", "effect two", "over 0", "over 2",
)  # fmt: skip
ISOLATIONS = ("async", "thread", "process")
FULL = os.environ.get("MAINSPRING_CHAOS") == "full"
ALL = [(kind, database) for kind in ISOLATIONS for database in ("sqlite", "postgres")]
PAIRS = ALL if FULL else [("async", "sqlite"), ("thread", "postgres"), ("process", "postgres")]
"""Processes are isolated by the worker, and rows are kept by the server, so that on each change
every isolation and every database are tested, and all pairs by `./dev chaos`.
"""
HELD = (
    "begin", "body one", "effect one", "passed", "parked", "woken", "body child", "body two",
    "returning",
)  # fmt: skip
ROUNDS = 6
PAUSE_S = 0.3
LONG_S = 3.0
"""How long those wait that are killed meanwhile."""
PATIENCE_S = 100.0
LIVE = ("ready", "active", "parked", "timer", "wait_edge")
"""Tables in which nothing is left of a run that has ended."""


@pytest.fixture
async def cluster(cluster: Cluster) -> Cluster:
    await start_server(cluster)
    return cluster


async def start_server(cluster: Cluster) -> None:
    """Start the server, and return once it listens: so that nobody pauses before they try again."""
    cluster.start_server()
    while True:
        with contextlib.suppress(ConnectionError):
            _, writer = await asyncio.open_connection("127.0.0.1", cluster.port)
            writer.close()
            return
        await asyncio.sleep(0.02)


class Matrix:
    """Runs of many points at once, what happens around them, and what has to hold in the end.

    Attributes:
        names: of the tasks of the runs.
    """

    def __init__(self, cluster: Cluster, client: HttpTransport) -> None:
        self.names: dict[str, str] = {}
        self._cluster = cluster
        self._client = client
        self._seen: dict[str, Status] = {}
        self._waiting: dict[str, int] = {}

    async def trigger(self, names: Iterable[str]) -> list[str]:
        """One run of each of these tasks."""
        wanted = list(names)
        requests = [
            TriggerRequest(name, msgspec.json.encode({"pause": _pause(name)}).decode())
            for name in wanted
        ]
        answer = await self._client.call(calls.Trigger(requests))
        assert isinstance(answer, calls.Triggered)
        runs = [one.run_id for one in answer.answers]
        self.names |= zip(runs, wanted, strict=True)
        return runs

    async def kill_while_waiting(self, run_id: str) -> None:
        """Kill the process that a run waits in for time, which the engine knows of."""
        await self.waits(run_id)
        self._waiting[run_id] = _now()
        self._cluster.kill(self.worker_of(run_id))

    @contextlib.asynccontextmanager
    async def attended(self) -> AsyncIterator[None]:
        """Meanwhile tokens are completed, and nothing that has ended is seen otherwise."""
        async with asyncio.TaskGroup() as group:
            attending = [group.create_task(self._grant()), group.create_task(self._watch())]
            yield
            for task in attending:
                task.cancel()

    async def waits(self, run_id: str) -> None:
        """Until the run waits without a slot."""
        while True:
            with contextlib.suppress(MainspringError):
                run = await self._client.call(calls.Retrieve(run_id))
                assert isinstance(run, Run)
                assert not run.status.is_final, (self.names[run_id], run.status)
                if run.status is Status.WAITING:
                    return
            await asyncio.sleep(0.02)

    def worker_of(self, run_id: str) -> int:
        """The worker process that executed the run last."""
        return [one["worker"] for one in self._cluster.told() if one["run"] == run_id][-1]

    def hit(self) -> set[str]:
        """The tasks whose runs have come to their point, or their children have."""
        told = self._cluster.told()
        parents = {line["run"]: line["parent"] for line in told if "parent" in line}
        runs = {line["run"] for line in told if line["event"] == "fired"} | set(self._waiting)
        return {self.names[parents.get(run_id, run_id)] for run_id in runs}

    async def ends(self, runs: list[str]) -> list[Run]:
        """How the runs have ended."""
        ending = {run_id: asyncio.create_task(self._ended(run_id)) for run_id in runs}
        _, left = await asyncio.wait(ending.values(), timeout=PATIENCE_S)
        stuck = [run_id for run_id, task in ending.items() if task in left]
        assert not stuck, [await self._explain(run_id) for run_id in stuck]
        return [task.result() for task in ending.values()]

    async def check(self, ends: list[Run], zombie: int = 0) -> None:
        """What has to hold. What `zombie` was stopped in goes on until it looks at its lease."""
        told = self._cluster.told()
        pair = "held", zombie
        stopped = {line["run"] for line in told if (line["event"], line["worker"]) == pair}
        told = [
            line
            for line in told
            if (line["event"], line["worker"]) != ("did", zombie) or line["run"] not in stopped
        ]
        wrong = {
            self.names[run.id]: (run.status, run.attempt, run.error)
            for run in ends
            if run.status is not Status.COMPLETED
            or run.attempt > 1 + self.names[run.id].endswith("crash")
        }
        assert not wrong
        words = _check_steps(told)
        for run in ends:
            name = self.names[run.id]
            lines = [line for line in told if line["run"] == run.id]
            children = {line["run"] for line in told if line.get("parent") == run.id}
            output = msgspec.json.decode(run.output or "")
            assert len(children) == 1, (name, children)
            (child,) = children
            assert output["words"] == [words[run.id, "one"], words[run.id, "two"]], name
            assert output["child"] == words[child, "child"], name
            assert output["granted"] == f"granted {output['token']}", name
            assert {one["token"] for one in lines if one["event"] == "token"} == {output["token"]}
            await self._check_wait(name, run.id, lines)

    async def _check_wait(self, name: str, run_id: str, lines: list[dict[str, Any]]) -> None:
        """It began once, whoever has asked for it again since, and was not over too early."""
        journal = await self._client.call(calls.ListJournal(run_id))
        assert isinstance(journal, calls.Journal)
        (line,) = [line for line in journal.lines if line.kind == "time"]
        due_at = line.started_at + int(_pause(name) * 1000)
        assert line.status == "completed"
        assert line.ended_at is not None
        assert line.ended_at >= due_at, name
        assert min(one["at"] for one in lines if one["event"] == "woken") >= due_at, name
        known = [self._waiting[run_id]] if run_id in self._waiting else []
        if name.endswith("beside"):
            known += [one["at"] for one in lines if one["event"] == "fired"]
        assert all(line.started_at <= at for at in known), name

    async def _ended(self, run_id: str) -> Run:
        while True:
            try:
                run = await self._client.call(calls.AwaitRun(run_id, 10_000))
            except MainspringError:
                continue
            assert isinstance(run, Run)
            if run.status.is_final:
                assert self._seen.setdefault(run.id, run.status) is run.status
                return run

    async def _explain(self, run_id: str) -> str:
        """What there is to know of a run that does not end."""
        run = await self._client.call(calls.Retrieve(run_id))
        journal = await self._client.call(calls.ListJournal(run_id))
        return f"{self.names[run_id]} {run} {journal}"

    async def _grant(self) -> None:
        """Complete each token that a run makes; again after a lost answer."""
        known: set[str] = set()
        while True:
            for line in self._cluster.told():
                token = line.get("token")
                if token is not None and token not in known:
                    with contextlib.suppress(MainspringError):
                        output = msgspec.json.encode(f"granted {token}").decode()
                        await self._client.call(calls.CompleteToken(token, output))
                        known.add(token)
            await asyncio.sleep(0.1)

    async def _watch(self) -> None:
        """Nobody ever sees another end than the first one."""
        while True:
            with contextlib.suppress(MainspringError):
                page = await self._client.call(calls.ListRuns(RunFilter(limit=100)))
                assert isinstance(page, RunPage)
                for run in page.runs:
                    if run.status.is_final:
                        assert self._seen.setdefault(run.id, run.status) is run.status
            await asyncio.sleep(0.3)


def _pause(name: str) -> float:
    return LONG_S if name.endswith(("parked", "beside")) else PAUSE_S


def _now() -> int:
    return time.time_ns() // 1_000_000


def _check_steps(told: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """A result that was acknowledged is never made again, and is the same ever after.

    Returns the results by run and step. A run has one step at a time, so what is acknowledged is
    what was done last.
    """
    done: dict[str, tuple[str, str]] = {}
    acknowledged: dict[tuple[str, str], str] = {}
    for line in told:
        run, event = line["run"], line["event"]
        if event == "did":
            assert (run, line["step"]) not in acknowledged, line
            done[run] = line["step"], line["word"]
        elif event == "acked" and run in done:
            step, word = done[run]
            assert acknowledged.setdefault((run, step), word) == word, line
        elif event == "passed":
            assert acknowledged.setdefault((run, line["step"]), line["word"]) == line["word"], line
    return acknowledged


async def rows_left(database: str) -> dict[str, int]:
    """How many rows there are of runs that have not ended."""
    counts = {table: f"SELECT count(*) FROM {table}" for table in LIVE}
    if not urllib.parse.urlsplit(database).scheme:
        with contextlib.closing(sqlite3.connect(database)) as file:
            return {table: file.execute(count).fetchone()[0] for table, count in counts.items()}
    connection = await asyncpg.connect(database)
    try:
        return {table: await connection.fetchval(count) for table, count in counts.items()}
    finally:
        await connection.close()


@pytest.mark.parametrize("isolation, database", PAIRS, indirect=["database"])
async def test_worker_processes_may_die_at_any_point_of_a_journal(
    cluster: Cluster, client: HttpTransport, database: str, isolation: str
) -> None:
    cluster.start_worker(processes=6, slots=3)
    await registered(cluster)
    matrix = Matrix(cluster, client)
    wanted = {f"{isolation}.{point}" for point in POINTS}
    wanted.discard("thread.body beside")  # a plain function does one thing at a time
    if isolation == "process":
        wanted.add("process.crash")
    missed, ends = set(wanted), []
    async with matrix.attended():
        for _ in range(ROUNDS):
            # those again whose process was killed by another run when they had passed their point
            runs = await matrix.trigger(sorted(missed))
            for run_id in runs:
                if matrix.names[run_id].endswith("parked"):
                    await matrix.kill_while_waiting(run_id)
            ends += await matrix.ends(runs)
            missed -= matrix.hit()
            if not missed:
                break
    assert matrix.hit() == wanted
    await matrix.check(ends)
    await cluster.stop()
    assert set((await rows_left(database)).values()) == {0}


async def hold_all(matrix: Matrix, cluster: Cluster) -> list[str]:
    """Runs of every isolation, each where it is held, or waiting."""
    names = [f"held-{kind}.{point}" for kind in ISOLATIONS for point in HELD]
    runs = await matrix.trigger(names)
    for run_id in runs:
        if matrix.names[run_id].endswith("parked"):
            await matrix.waits(run_id)
    held = 0
    while held < len(ISOLATIONS) * (len(HELD) - 1):
        await asyncio.sleep(0.05)
        held = sum(line["event"] == "held" for line in cluster.told())
    return runs


async def test_servers_may_die_at_any_point_of_a_journal(
    cluster: Cluster, client: HttpTransport, database: str
) -> None:
    cluster.start_worker(processes=2, slots=100)
    await registered(cluster)
    matrix = Matrix(cluster, client)
    async with matrix.attended():
        runs = await hold_all(matrix, cluster)
        assert cluster.server is not None
        # what the workers send now is received by nobody, or by the next server
        cluster.server.send_signal(signal.SIGSTOP)
        (cluster.root / "let go").touch()
        gone = 0
        while gone < len(ISOLATIONS) * (len(HELD) - 1):
            await asyncio.sleep(0.05)
            gone = sum(line["event"] == "let go" for line in cluster.told())
        await asyncio.to_thread(cluster.kill_server)
        await start_server(cluster)
        ends = await matrix.ends(runs)
    await matrix.check(ends)
    await cluster.stop()
    assert set((await rows_left(database)).values()) == {0}


async def test_stopped_and_killed_workers_write_nothing_once_their_leases_have_run_out(
    cluster: Cluster, client: HttpTransport, database: str
) -> None:
    stopped, killed = cluster.start_worker(1), cluster.start_worker(1)
    await until(lambda: len(cluster.all_children()) == 2)
    await registered(cluster)
    matrix = Matrix(cluster, client)
    async with matrix.attended():
        runs = await hold_all(matrix, cluster)
        (zombie,) = cluster.children(stopped)
        os.kill(zombie, signal.SIGSTOP)
        await asyncio.to_thread(cluster.kill_worker, killed, with_children=True)
        (cluster.root / "let go").touch()
        last = cluster.start_worker(2)
        ends = await matrix.ends(runs)
        before = await state_of(client, cluster)
        os.kill(zombie, signal.SIGCONT)
        last.send_signal(signal.SIGTERM)
        await asyncio.to_thread(last.wait)
        cluster.workers.remove(last)
        # it is of use again, as somebody else
        (later,) = await matrix.trigger(["held-async.begin"])
        ends += await matrix.ends([later])
    assert matrix.worker_of(later) == zombie
    assert before.items() <= (await state_of(client, cluster)).items()
    await matrix.check(ends, zombie)
    await cluster.stop()
    assert set((await rows_left(database)).values()) == {0}


async def state_of(client: HttpTransport, cluster: Cluster) -> dict[str, Any]:
    """All that is kept of every run that has begun."""
    found: dict[str, Any] = {}
    for run_id in {line["run"] for line in cluster.told()}:
        run = await client.call(calls.Retrieve(run_id))
        journal = await client.call(calls.ListJournal(run_id))
        found[run_id] = msgspec.to_builtins((run, journal))
    return found
