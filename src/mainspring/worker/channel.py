"""What a supervisor and its child process tell each other: JSON lines over a pair of sockets.

The supervisor sends a `ChildConfig` and later `GO`; from then on its end only stays open, and its
closing means that the supervisor is gone. The child sends reports.
"""

from __future__ import annotations

import contextlib
import select
import socket
from typing import Final

import msgspec
from msgspec import Struct

from mainspring.errors import TaskError

GO: Final = b"go\n"
REFUSED_STATUS: Final = 3
"""Exit status of a child that the server refuses for good."""


class ChildConfig(Struct, frozen=True):
    """Everything a child needs to know. It travels over the socket: a key has no place in the
    arguments or the environment of a process.

    `dirs` and `ignore` say where tasks are looked for below `root`. `echo` = what runs print is
    shown on the terminal as well. At most `parked` runs may wait in the child's memory, and while
    any do it may take `memory` bytes (0 = any number); else it asks to be replaced. A run with a
    process of its own that waits keeps it for `warm_s`. Variables of `env_file` are set over those
    that the server gives. `environment` is the branch that a key of `preview` is used for. With
    `apart` any run can be given a process of its own, not only those of tasks that want one.
    `python` is the interpreter (default: this one), `folder` the working directory (default: this
    one).
    """

    url: str
    key: str
    dirs: tuple[str, ...] = (".",)
    ignore: tuple[str, ...] = ()
    root: str = ""
    slots: int = 100
    version: str = ""
    drain_s: float = 30.0
    echo: bool = False
    warm_s: float = 10.0
    parked: int = 20_000
    memory: int = 0
    env_file: str = ""
    environment: str = ""
    python: str = ""
    folder: str = ""
    apart: bool = False


class Problem(Struct, frozen=True):
    """A task file that could not be used; `traceback` is the user's own, or empty."""

    code: str
    message: str
    traceback: str = ""

    @classmethod
    def of(cls, error: TaskError) -> Problem:
        details = error.details if isinstance(error.details, dict) else {}
        return cls(error.code, error.message, str(details.get("traceback", "")))


class Ready(Struct, frozen=True, tag="ready"):
    """The task files are imported; the child waits for GO."""

    tasks: tuple[str, ...]
    problems: tuple[Problem, ...]


class Opened(Struct, frozen=True, tag="opened"):
    """The child is this session from now on."""

    session_id: str


class Connection(Struct, frozen=True, tag="connection"):
    """The link came up, or went down for a reason."""

    up: bool
    reason: str = ""


class Draining(Struct, frozen=True, tag="draining"):
    """So many runs are still to end."""

    left: int


class Full(Struct, frozen=True, tag="full"):
    """Too much waits in the child: another one is to take its place."""

    reason: str


class Refused(Struct, frozen=True, tag="refused"):
    """The server does not want this worker, now or later; the child ends."""

    code: str
    reason: str


Report = Ready | Opened | Connection | Draining | Full | Refused

_encode: Final = msgspec.json.Encoder().encode
decode_report: Final = msgspec.json.Decoder(Report).decode
_decode_config: Final = msgspec.json.Decoder(ChildConfig).decode


def config_line(config: ChildConfig) -> bytes:
    """The first line that the child reads."""
    return _encode(config) + b"\n"


class ChildEnd:
    """The child's end; its methods block. Reports after the supervisor's death go nowhere."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.set_inheritable(False)
        self._lines = self._socket.makefile("rb")

    def config(self) -> ChildConfig | None:
        """The configuration; None when the supervisor is gone."""
        line = self._lines.readline()
        return _decode_config(line) if line else None

    def wait_for_go(self) -> bool:
        """Wait for the supervisor's word; False when it is gone or wants no work of this child."""
        return self._lines.readline() == GO

    def left_within(self, seconds: float) -> bool:
        """Wait so long; True at once when the supervisor is gone. Before GO only."""
        return bool(select.select([self._socket], [], [], seconds)[0])

    def fileno(self) -> int:
        """Readable once the supervisor is gone, after GO."""
        return self._socket.fileno()

    def tell(self, report: Report) -> None:
        """Send a report."""
        with contextlib.suppress(OSError):
            self._socket.sendall(_encode(report) + b"\n")
