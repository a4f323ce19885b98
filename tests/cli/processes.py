"""Real processes of the command, started and ended in order; their output is awaited by name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

COMMAND = (sys.executable, "-c", "from mainspring.cli.main import main; main()")
READY = "Ready"
TIMEOUT = 25.0

TASKS = '''
import asyncio

from mainspring import Context, logger, task


@task
async def hello(name: str = "world") -> str:
    """Say hello."""
    logger.info("saying hello", name=name)
    return f"Hello, {name}!"


@task
async def fail() -> None:
    raise ValueError("not today")


@task
async def forever(ctx: Context) -> None:
    await asyncio.Event().wait()
'''


class Running:
    """A process whose lines of both streams are collected as they come."""

    def __init__(self, arguments: tuple[str, ...], folder: Path, extra: Mapping[str, str]) -> None:
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._ended = False
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=folder,
            env=environment() | dict(extra),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def wait_for(self, word: str, count: int = 1) -> str:
        """Wait until so many lines hold the word, and give back the last of them."""
        with self._news:
            self._news.wait_for(lambda: len(self._with(word)) >= count or self._ended, TIMEOUT)
            found = self._with(word)
        assert len(found) >= count, f"no {word!r} in:\n{self.text}"
        return found[count - 1]

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal it and give back its exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        code = self.process.wait(TIMEOUT)
        self._reader.join(TIMEOUT)
        return code

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def _with(self, word: str) -> list[str]:
        return [line for line in self.lines if word in line]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()


def environment() -> dict[str, str]:
    """That of this process, without what would lead the command to another server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MAINSPRING_")}


@contextmanager
def running(*arguments: str, folder: Path, **extra: str) -> Iterator[Running]:
    """Start the command; whatever happens, it and its children are gone afterwards."""
    started = Running(arguments, folder, extra)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            for process in (*started.children(), started.process):
                process.kill()
        started.wait()
        assert started.process.stdout is not None
        started.process.stdout.close()


@contextmanager
def dev(folder: Path, *arguments: str, tasks: str | None = TASKS) -> Iterator[Running]:
    """`mainspring dev` on a free port, once it is ready."""
    if tasks is not None:
        (folder / "tasks.py").write_text(tasks)
    with running("dev", "--port", "0", *arguments, folder=folder) as started:
        started.wait_for(READY)
        yield started


def note(folder: Path) -> dict[str, Any]:
    """What dev wrote for other commands."""
    found: dict[str, Any] = json.loads((folder / ".mainspring" / "dev.json").read_text())
    return found


def command(folder: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command in the folder, as a person in a second terminal would."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(),
        input=text,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def lines(printed: str) -> list[dict[str, Any]]:
    """The JSON lines that a command printed."""
    return [json.loads(line) for line in printed.splitlines()]
