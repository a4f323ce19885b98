"""The helper process that forks one process for each run, and leaves nothing of it behind.

It is a copy of the worker from before its event loop: the tasks are imported, no thread runs. It
executes no code of the user.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from typing import Final, NoReturn

from mainspring.worker.isolation import control, kernel
from mainspring.worker.isolation.cgroup import Group, Groups
from mainspring.worker.isolation.control import Fork, Forked, Gone, Kill, Up
from mainspring.worker.isolation.enter import enter, handled

WATCH_S: Final = 0.1
"""How often memory is measured where no control group limits it."""
UNMADE: Final = 1

Body = Callable[[int, str], None]
"""What a process does: given the descriptor of its link and its session's id."""
Started = tuple[socket.socket, Up]
"""The worker's end of the control socket, and what the zygote said of itself."""


class _Run:
    """A process of a run."""

    def __init__(self, token: int, pid: int, memory: int | None, group: Group | None) -> None:
        self.token = token
        self.pid = pid
        self.memory = memory if group is None else None
        self.group = group
        self.base = kernel.own_memory(pid)
        self.out_of_memory = False

    def kill(self) -> None:
        """End it and its process group; who has left that is found when it is gone."""
        for end in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError):
                end(self.pid, signal.SIGKILL)


class Zygote:
    """Serves one worker over the control socket until the worker is gone."""

    def __init__(
        self, control_end: socket.socket, parent: int, body: Body, groups: Groups | None
    ) -> None:
        self._control = control_end
        self._parent = parent
        self._body = body
        self._runs: dict[int, _Run] = {}
        self._groups = groups
        self._leftover: list[Group] = []
        self._wake, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._pidfd = os.pidfd_open(parent)
        self._pid = os.getpid()
        self._handled: tuple[int, ...] = ()

    def serve(self) -> None:
        """Work until the worker is gone, then end every run."""
        os.setsid()
        kernel.adopt_orphans()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # the worker decides when runs end
        signal.signal(signal.SIGCHLD, _noted)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        self._handled = handled()
        problem = self._problem()
        memory = "cgroup" if self._groups is not None else "watch"
        try:
            with contextlib.suppress(ConnectionError):  # the worker is gone
                control.send(self._control, Up(self._pid, problem, memory=memory))
                if not problem and os.getppid() == self._parent:
                    self._loop()
        finally:
            self._end()

    def _problem(self) -> str:
        own = {self._control.fileno(), 0, 1, 2}
        peers = [
            peer for fd in kernel.open_files() if fd not in own and (peer := kernel.peer_of(fd))
        ]
        if peers:
            return (
                f"Code that is imported has connected to {'; '.join(peers)}. A connection cannot "
                "be shared by the processes of several runs: connect inside the task."
            )
        if kernel.threads(os.getpid()) != 1:
            return f"The zygote has {kernel.threads(os.getpid())} threads; this is a bug."
        return ""

    def _loop(self) -> None:
        poll = select.poll()
        for fd in (self._control.fileno(), self._wake, self._pidfd):
            poll.register(fd, select.POLLIN)
        while True:
            watched = [run for run in self._runs.values() if run.memory is not None]
            ready = {fd for fd, _ in poll.poll(WATCH_S * 1000 if watched else None)}
            if self._pidfd in ready:
                return
            if self._wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake, 4096)
                self._reap()
            for run in watched:
                self._measure(run)
            if self._control.fileno() in ready and not self._obey():
                return

    def _obey(self) -> bool:
        """Obey one order; False when the worker is gone."""
        order, files = control.receive(self._control)
        if isinstance(order, Fork):
            self._fork(order, files)
        elif isinstance(order, Kill):
            for run in self._runs.values():
                if run.token == order.token:
                    run.kill()
        return order is not None

    def _fork(self, order: Fork, files: list[int]) -> None:
        group: Group | None = None
        try:
            if order.limits.memory is not None and self._groups is not None:
                group = self._groups.make(str(order.token), order.limits.memory)
            pid = os.fork()
        except OSError as error:
            self._drop(group)
            problem = f"No process could be made for the run: {error}."
            control.send(self._control, Gone(order.token, UNMADE, problem=problem))
        else:
            if pid == 0:
                self._become(order, files, group)
            self._runs[pid] = _Run(order.token, pid, order.limits.memory, group)
            control.send(self._control, Forked(order.token, pid))
        finally:
            for file in files:
                os.close(file)

    def _become(self, order: Fork, files: list[int], group: Group | None) -> NoReturn:
        """In the new process: be a run's."""
        status = UNMADE
        try:
            signal.set_wakeup_fd(-1)
            self._control.close()
            for fd in (self._wake, self._waker, self._pidfd):
                os.close(fd)
            link, out, err = files
            enter(self._pid, (link, out, err), order.limits, group, self._handled)
            self._body(link, order.session_id)
            status = 0
        except BaseException:  # noqa: BLE001 - the end of a process; its worker reads this
            traceback.print_exc()
        finally:
            with contextlib.suppress(BaseException):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _measure(self, run: _Run) -> None:
        assert run.memory is not None
        used, unseen = -run.base, [run.pid]
        while unseen:
            pid = unseen.pop()
            used += kernel.own_memory(pid)
            unseen += kernel.children(pid)
        if used > run.memory:
            run.out_of_memory = True
            run.kill()

    def _reap(self) -> None:
        """Take the ends of processes: those of runs are told, all others are what runs left."""
        while (pid := _ended()) is not None:
            run = self._runs.get(pid)
            if run is not None:
                run.kill()  # its group; while it is not reaped its number names nobody else
            _, status = os.waitpid(pid, 0)
            if run is not None:
                del self._runs[pid]
                self._told(run, os.waitstatus_to_exitcode(status))
        self._sweep()

    def _told(self, run: _Run, status: int) -> None:
        killed = status == -signal.SIGKILL
        out = run.out_of_memory or (killed and run.group is not None and run.group.ran_out())
        self._drop(run.group)
        control.send(self._control, Gone(run.token, status, out))

    def _sweep(self) -> None:
        """End what runs have left behind: a child of ours that is no run's process is such."""
        for pid in kernel.children(os.getpid()):
            if pid not in self._runs:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._leftover = [group for group in self._leftover if not group.remove()]

    def _drop(self, group: Group | None) -> None:
        if group is not None and not group.remove():
            self._leftover.append(group)

    def _end(self) -> None:
        """The worker is gone: leave nothing behind."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for run in self._runs.values():
            run.kill()
            self._drop(run.group)
        self._runs.clear()
        self._sweep()
        while True:
            try:
                os.wait()
            except ChildProcessError:
                break
            self._sweep()
        self._sweep()
        if self._groups is not None:
            self._groups.remove()


def start(body: Body, closing: Iterable[int] = ()) -> Started:
    """Fork the zygote off this process, which must not have started a thread.

    Everything that runs need has to be imported. `closing`: descriptors that it must not keep.
    """
    if not kernel.SUPPORTED:
        return _refused("Processes of their own for runs need Linux.")
    others = [t.name for t in threading.enumerate() if t is not threading.main_thread()]
    if others:
        return _refused(
            f"Code that is imported has started threads ({', '.join(others)}), which do not live "
            "on in the processes of runs: start them inside the task, or in `on_start_attempt`."
        )
    native = kernel.threads(os.getpid()) - 1
    warning = (
        f"{native} threads of imported libraries run already; in the processes of runs they are "
        "missing. Most libraries start them again; for OpenBLAS, OPENBLAS_NUM_THREADS=1 avoids it."
        if native
        else ""
    )
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()  # a collection in a run must not touch, and so copy, what it shares
    sys.stdout.flush()
    sys.stderr.flush()
    ours, theirs = control.pair()
    parent = os.getpid()
    if os.fork() == 0:
        for fd in (ours.fileno(), *closing):
            os.close(fd)
        live(theirs, parent, body)
    theirs.close()
    data = ours.recv(control.PACKET)
    up = control.decode_up(data) if data else Up(0, "The zygote died at its start; see above.")
    assert isinstance(up, Up)
    return ours, Up(up.pid, up.problem, warning, up.memory)


def live(control_end: socket.socket, parent: int, body: Body, *, grouped: bool = True) -> NoReturn:
    """Be the zygote of the worker `parent` from now on. `grouped`: use control groups if we may."""
    status = UNMADE
    try:
        Zygote(control_end, parent, body, Groups.find() if grouped else None).serve()
        status = 0
    except BaseException:  # noqa: BLE001 - the end of a process
        traceback.print_exc()
    finally:
        os._exit(status)


def _refused(problem: str) -> Started:
    ours, theirs = socket.socketpair()
    theirs.close()
    return ours, Up(0, problem)


def _ended() -> int | None:
    """A child that has ended and is not reaped."""
    try:
        end = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return end.si_pid if end is not None else None


def _noted(number: int, frame: object) -> None:
    """The wake-up pipe has taken note."""
