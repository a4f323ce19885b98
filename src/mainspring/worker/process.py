"""One child process as its supervisor sees it: started, told, heard, ended. No decisions."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from mainspring.worker.channel import (
    GO,
    ChildConfig,
    Connection,
    Opened,
    Ready,
    Refused,
    Report,
    config_line,
    decode_report,
)

LINE_LIMIT: Final = 16 * 1024 * 1024
MODULE: Final = "mainspring.worker.child"
LAST_WORDS_S: Final = 1.0
"""How long reports of an ended child are waited for; a process it forked may hold its channel."""

T = TypeVar("T")


class ChildProcess:
    """A child from `start` to `ended`.

    Attributes:
        ready: answered with what it imported; with None when it ended before.
        connected: answered when its link came up for the first time, or it ended.
        ended: answered with its exit status, negative for the signal that killed it.
        refused: why the server does not want it, if so.
        session_ids: the sessions that it was, the last one being current.
        began: when it was started, by `time.monotonic`.
        asked: whether its supervisor has told it to end.
    """

    def __init__(self, config: ChildConfig, heard: Callable[[ChildProcess, Report], None]) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[Ready | None] = loop.create_future()
        self.connected: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[int] = loop.create_future()
        self.refused: Refused | None = None
        self.session_ids: list[str] = []
        self.pid = 0
        self.began = time.monotonic()
        self.asked = False
        self._config = config
        self._heard = heard
        self._loop = loop
        self._process: subprocess.Popen[bytes] | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def start(self) -> None:
        """Start the process and hand it its configuration."""
        ours, theirs = socket.socketpair()
        with theirs:
            # a group of its own: Ctrl-C reaches the supervisor only, and `kill` its own children
            self._process = subprocess.Popen(  # noqa: ASYNC220 - takes about a millisecond
                [self._config.python or sys.executable, "-m", MODULE, str(theirs.fileno())],
                cwd=self._config.folder or None,
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                process_group=0,
            )
        self.pid = self._process.pid
        reader, self._writer = await asyncio.open_connection(sock=ours, limit=LINE_LIMIT)
        self._listening = asyncio.create_task(self._listen(reader), name=f"child {self.pid}")
        # last: a child that is killed at once has all that its end needs
        threading.Thread(target=self._wait, name=f"child {self.pid}", daemon=True).start()
        self._write(config_line(self._config))

    def go(self) -> None:
        """Let it work."""
        self._write(GO)

    def drain(self) -> None:
        """Ask it to finish what it has and end."""
        self.asked = True
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it and everything that it has started, at once."""
        self.asked = True
        if not self.ended.done() and self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if not self.ended.done() and self._process is not None:
            self._process.send_signal(number)

    def _write(self, line: bytes) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(line)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            async for line in reader:
                self._hear(decode_report(line))

    def _hear(self, report: Report) -> None:
        if isinstance(report, Ready):
            _answer(self.ready, report)
        elif isinstance(report, Opened):
            self.session_ids.append(report.session_id)
        elif isinstance(report, Connection) and report.up:
            _answer(self.connected, None)
        elif isinstance(report, Refused):
            self.refused = report
        self._heard(self, report)

    def _wait(self) -> None:
        """In a thread: wait for the end, and take what a crashed child leaves behind with it."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            # while it is not reaped its number cannot name another group
            end = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            if end is not None and end.si_status != 0:
                os.killpg(self.pid, signal.SIGKILL)
        status = self._process.wait()
        with contextlib.suppress(RuntimeError):  # the supervisor's loop is gone
            self._loop.call_soon_threadsafe(self._end, status)

    def _end(self, status: int) -> None:
        """The process is gone; what it said last may still be on its way."""

        async def end() -> None:
            await asyncio.wait({self._listening}, timeout=LAST_WORDS_S)
            if self._writer is not None:
                self._writer.close()
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
            _answer(self.ready, None)
            _answer(self.connected, None)
            _answer(self.ended, status)

        self._ending = self._loop.create_task(end())


def _answer(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)
