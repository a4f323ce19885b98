"""What the kernel is asked about processes: lineage, memory, sockets. Linux only; no decisions."""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from typing import Final

SUPPORTED: Final = sys.platform == "linux" and hasattr(os, "pidfd_open")
"""Whether runs can have processes of their own here."""

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def die_with_parent(parent: int, signal_number: int) -> bool:
    """Have the kernel send us that signal when our parent ends; False when it is gone already.

    It is the thread that forked us whose end counts.
    """
    _prctl(_PR_SET_PDEATHSIG, signal_number)
    return os.getppid() == parent


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def children(pid: int) -> list[int]:
    """The child processes of a process, zombies included."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:
            first = file.read()
        found = [int(child) for child in first.split()]
        others = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    for thread in others:
        if thread != str(pid):
            try:
                with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                    found += [int(child) for child in file.read().split()]
            except OSError:
                continue
    return found


def own_memory(pid: int) -> int:
    """Bytes in memory of one process that no file stands behind; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            _, resident, of_files, *_ = file.read().split()
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(of_files)) * _PAGE


def data_size(pid: int) -> int:
    """Bytes of private writable memory that the process has reserved: what RLIMIT_DATA counts."""
    with open(f"/proc/{pid}/status", "rb") as file:
        for line in file:
            if line.startswith(b"VmData:"):
                return int(line.split()[1]) * 1024
    return 0


def threads(pid: int) -> int:
    """How many threads the process has, those of libraries included."""
    return len(os.listdir(f"/proc/{pid}/task"))


def open_files() -> list[int]:
    """The file descriptors of this process."""
    return sorted(int(name) for name in os.listdir("/proc/self/fd"))


def peer_of(fd: int) -> str | None:
    """Whom a stream socket is connected to; None for everything else, also for unnamed pairs."""
    try:
        link = os.readlink(f"/proc/self/fd/{fd}")
        if not link.startswith("socket:"):
            return None
        with socket.socket(fileno=os.dup(fd)) as copy:
            if copy.type != socket.SOCK_STREAM:
                return None
            peer = copy.getpeername()
    except OSError:
        return None  # not connected
    if isinstance(peer, tuple):
        return f"{peer[0]}, port {peer[1]}"
    return (os.fsdecode(peer) if isinstance(peer, bytes) else str(peer)) or None


_libc: Final = ctypes.CDLL(None, use_errno=True) if SUPPORTED else None


def _prctl(option: int, value: int) -> None:
    if _libc is None or _libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl {option}: {os.strerror(number)}")
