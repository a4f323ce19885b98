"""What code that is only replayed may not do: connect, start processes, change files.

Python tells of these before they happen. The watch stays for the life of the process, so it is for
processes that do nothing but replay.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, Final

EVENTS: Final = frozenset(
    {
        "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo",
        "socket.gethostbyname", "socket.gethostbyaddr", "subprocess.Popen", "os.system", "os.exec",
        "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "os.kill", "os.killpg", "os.remove",
        "os.rename", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink", "os.chmod",
        "os.chown", "os.utime", "shutil.rmtree", "shutil.move", "sqlite3.connect", "pty.spawn",
    }
)  # fmt: skip
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Refused(PermissionError):
    """Only a replay: the code may not do this outside of a step."""


class Refusing:
    """Whether input and output are refused now, and what was tried first."""

    def __init__(self) -> None:
        self.refused = ""
        self._on = False
        self._watches = False

    def watch(self) -> None:
        """Begin to be told; for ever."""
        if not self._watches:
            self._watches = True
            sys.addaudithook(self._told)

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        """Refuse inside, and forget what was tried before."""
        self.refused, self._on = "", True
        try:
            yield
        finally:
            self._on = False

    def note(self, what: str) -> Refused:
        """The error for something that was tried."""
        self.refused = self.refused or what
        return Refused(f"This is only a replay of the run; {what} is refused outside of steps.")

    def _told(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on:
            return
        if event == "open" and not _writes(arguments):
            return
        if event == "open" or event in EVENTS:
            shown = ", ".join(str(one) for one in arguments[-2:] if isinstance(one, str | tuple))
            raise self.note(f"{event} ({shown[:120]})" if event != "open" else "writing a file")


def _writes(arguments: tuple[Any, ...]) -> bool:
    mode, flags = arguments[1], arguments[2]
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & _WRITES)


refusing: Final = Refusing()
