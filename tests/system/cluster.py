"""A server and workers as real processes, and what is needed to kill any of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainspring.model.key import new_key
from mainspring.sdk.http import HttpTransport

TASKS = Path(__file__).with_name("crash_tasks.py")
MAIN = [sys.executable, "-c", "from mainspring.cli.main import main; main()"]


@dataclass
class Cluster:
    """One database, one server on a fixed port, workers with several processes each.

    Attributes:
        deaths: when each process was killed, monotonic ns just before the signal.
        source: where the code of mainspring is that starts from now on; None = this one.
    """

    root: Path
    database: str
    key: str = ""
    port: int = 0
    deaths: dict[int, int] = field(default_factory=dict)
    server: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    tasks: Path = TASKS
    source: Path | None = None

    def __post_init__(self) -> None:
        self.key = new_key("dev", random.Random(str(self.root)))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.history = self.root / "history.jsonl"
        self.history.touch()
        self.folder = self.root / "project"
        self.folder.mkdir()
        shutil.copy(self.tasks, self.folder / "tasks.py")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> HttpTransport:
        return HttpTransport(self.url, self.key)

    def start_server(self) -> None:
        port = ["--port", str(self.port)]
        self.server = self._start("server", "--database", self.database, *port)

    def start_worker(self, processes: int, slots: int = 20) -> subprocess.Popen[bytes]:
        worker = self._start(
            "worker", "--server", self.url, "--processes", str(processes), "--slots", str(slots)
        )
        self.workers.append(worker)
        return worker

    def children(self, worker: subprocess.Popen[bytes]) -> list[int]:
        """The processes of a worker that hold code, as the kernel knows them."""
        found: list[int] = []
        for tasks in Path(f"/proc/{worker.pid}/task").glob("*/children"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found += map(int, tasks.read_text().split())
        return found

    def all_children(self) -> list[int]:
        """Those of all workers."""
        return [pid for worker in self.workers for pid in self.children(worker)]

    def kill(self, *pids: int) -> None:
        """SIGKILL, noted."""
        for pid in pids:
            self.deaths[pid] = time.monotonic_ns()
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_server(self) -> None:
        assert self.server is not None
        self.kill(self.server.pid)
        self.server.wait()

    def kill_worker(self, worker: subprocess.Popen[bytes], *, with_children: bool) -> None:
        """Kill a supervisor, alone or with its children at the same moment.

        Children that are left alone end by themselves at once, so that counts as their death too.
        """
        children = self.children(worker)
        self.workers.remove(worker)
        self.kill(worker.pid, *(children if with_children else ()))
        for child in children:
            self.deaths.setdefault(child, self.deaths[worker.pid])
        worker.wait()

    async def stop(self) -> None:
        """End everything in order, and see that nothing is left."""
        for worker in self.workers:
            worker.send_signal(signal.SIGTERM)
        for worker in self.workers:
            await asyncio.to_thread(worker.wait, 120)
        if self.server is not None:
            self.server.send_signal(signal.SIGTERM)
            await asyncio.to_thread(self.server.wait, 120)

    def abandon(self) -> None:
        """End at once what still runs."""
        for worker in list(self.workers):
            self.kill_worker(worker, with_children=True)
        if self.server is not None and self.server.poll() is None:
            self.kill_server()

    def told(self) -> list[dict[str, Any]]:
        """What the bodies wrote down, in the order of the file."""
        # the last line may be half there: a write that crosses a page is seen in two parts
        whole, _, _ = self.history.read_bytes().rpartition(b"\n")
        return [json.loads(line) for line in whole.splitlines()]

    def migrate(self) -> None:
        """Bring a PostgreSQL to the schema of the code that starts from now on."""
        assert self._start("db", "migrate", "--database", self.database).wait() == 0

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        log = (self.root / f"{arguments[0]}.log").open("ab")
        with log:
            return subprocess.Popen(
                [*MAIN, *arguments],
                cwd=self.folder,
                env={
                    **os.environ,
                    "MAINSPRING_SECRET_KEY": self.key,
                    "CRASH_HISTORY": str(self.history),
                    **({"PYTHONPATH": str(self.source)} if self.source else {}),
                },
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                process_group=0,
            )


@dataclass
class Life:
    """One execution of a body: from its first line to its last, or to the death of its process."""

    run: str
    epoch: int
    queue: str
    key: str
    begun: int
    over: int


def lives(told: list[dict[str, Any]], deaths: dict[int, int]) -> list[Life]:
    """Every execution of a body in the history."""
    found: dict[tuple[str, int, int], Life] = {}
    for line in told:
        name = (line["run"], line["epoch"], line["pid"])
        if line["event"] == "begin":
            found[name] = Life(
                line["run"],
                line["epoch"],
                line["queue"],
                line["key"],
                line["at"],
                deaths.get(line["pid"], time.monotonic_ns()),
            )
        elif line["event"] == "over":
            found[name].over = line["at"]
    return list(found.values())


def most_at_once(lives: list[Life]) -> int:
    """How many of these executions overlapped at most."""
    moments = sorted(
        [(life.begun, 1) for life in lives] + [(life.over, -1) for life in lives],
    )
    most = now = 0
    for _, step in moments:
        now += step
        most = max(most, now)
    return most
