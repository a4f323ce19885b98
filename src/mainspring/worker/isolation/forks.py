"""The worker's side of its zygote: orders processes, hears how they end. Links are `relay`'s."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable

from mainspring.model.machine import Limits
from mainspring.worker.isolation import control
from mainspring.worker.isolation.control import Fork, Forked, Gone, Kill, Up

ZYGOTE_GONE = -1


class Process:
    """A process of one run, from its order to its end.

    Attributes:
        link: our end of the link.
        out, err: where its stdout and stderr can be read, beside what its Python code prints.
        gone: answered when it has ended.
    """

    def __init__(self, token: int, forks: Forks) -> None:
        self.token = token
        self.pid = 0
        self.gone: asyncio.Future[Gone] = asyncio.get_running_loop().create_future()
        self.link, self._their_link = socket.socketpair()
        self.out, self._their_out = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.err, self._their_err = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        for end in (self._their_out, self._their_err):
            os.set_blocking(end, True)  # a pipe's two ends are opened apart
        self.link.setblocking(False)
        self._forks = forks

    def theirs(self) -> tuple[int, int, int]:
        """The descriptors that it gets."""
        return self._their_link.fileno(), self._their_out, self._their_err

    def handed_over(self) -> None:
        """The descriptors have been sent."""
        self._their_link.close()
        os.close(self._their_out)
        os.close(self._their_err)

    def kill(self) -> None:
        """End it and everything that it has started, at once."""
        if not self.gone.done():
            self._forks.order(Kill(self.token))


class Forks:
    """Makes processes for the runs of this worker, on its event loop, from `start` to `close`.

    `lost` is called when the zygote has died: nothing can be isolated any more.
    """

    def __init__(self, control_end: socket.socket, up: Up, lost: Callable[[], None]) -> None:
        self.up = up
        self._control = control_end
        self._lost = lost
        self._processes: dict[int, Process] = {}
        self._tokens = 0
        self._orders: deque[tuple[Fork | Kill, Process | None]] = deque()
        self._closed = False

    @property
    def problem(self) -> str:
        """Why no process can be made; empty when they can."""
        if self.up.problem:
            return self.up.problem
        return "The zygote of this worker has died; the worker restarts." if self._closed else ""

    @property
    def count(self) -> int:
        """How many processes exist."""
        return len(self._processes)

    def start(self) -> None:
        """Begin to listen."""
        if self.up.problem:
            self._control.close()
            return
        self._control.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._control.fileno(), self._readable)

    def close(self) -> None:
        """Give up the zygote; it ends every process that is left."""
        if not self._closed and not self.up.problem:
            self._closed = True
            self._loop.remove_reader(self._control.fileno())
            self._loop.remove_writer(self._control.fileno())
            self._control.close()
            for process in list(self._processes.values()):
                self._end(process, Gone(process.token, ZYGOTE_GONE, problem=self.problem))

    def fork(self, session_id: str, limits: Limits) -> Process:
        """Order a process; it is there when something comes over its link."""
        self._tokens += 1
        process = Process(self._tokens, self)
        if self.problem:
            process.handed_over()
            process.gone.set_result(Gone(process.token, ZYGOTE_GONE, problem=self.problem))
            return process
        self._processes[process.token] = process
        self._send(Fork(process.token, f"{session_id}.{process.token}", limits), process)
        return process

    def order(self, kill: Kill) -> None:
        """Have a process ended."""
        if not self._closed:
            self._send(kill, None)

    def _send(self, order: Fork | Kill, process: Process | None) -> None:
        self._orders.append((order, process))
        if len(self._orders) == 1:
            self._flush()

    def _flush(self) -> None:
        while self._orders:
            order, process = self._orders[0]
            try:
                control.send(self._control, order, process.theirs() if process else ())
            except BlockingIOError:
                self._loop.add_writer(self._control.fileno(), self._writable)
                return
            except OSError:
                return  # the zygote is gone, which is read in a moment
            self._orders.popleft()
            if process is not None:
                process.handed_over()

    def _writable(self) -> None:
        self._loop.remove_writer(self._control.fileno())
        self._flush()

    def _readable(self) -> None:
        while True:
            try:
                data = self._control.recv(control.PACKET)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self.close()
                self._lost()
                return
            self._hear(control.decode_up(data))

    def _hear(self, message: Up | Forked | Gone) -> None:
        if isinstance(message, Up):
            return
        process = self._processes.get(message.token)
        if process is None:
            return
        if isinstance(message, Forked):
            process.pid = message.pid
        else:
            self._end(process, message)

    def _end(self, process: Process, gone: Gone) -> None:
        del self._processes[process.token]
        if not process.gone.done():
            process.gone.set_result(gone)
