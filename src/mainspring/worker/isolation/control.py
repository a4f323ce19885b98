"""What a worker and its zygote tell each other: one msgpack message a packet. No runs' data."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from mainspring.model.machine import UNLIMITED, Limits

PACKET: Final = 64 * 1024


class Fork(Struct, frozen=True, array_like=True, tag="fork"):
    """Make a process for a run. With it come three file descriptors: the process's end of its
    link, and where its stdout and stderr go. `session_id`: as whom it makes requests.
    """

    token: int
    session_id: str
    limits: Limits = UNLIMITED


class Kill(Struct, frozen=True, array_like=True, tag="kill"):
    """End that process and everything it has started, at once."""

    token: int


class Up(Struct, frozen=True, array_like=True, tag="up"):
    """The zygote is ready, or refuses to work because of `problem`. `warning` is for the log."""

    pid: int
    problem: str = ""
    warning: str = ""
    memory: str = ""
    """How memory limits are kept: `cgroup`, or `watch`."""


class Forked(Struct, frozen=True, array_like=True, tag="forked"):
    """The process exists."""

    token: int
    pid: int


class Gone(Struct, frozen=True, array_like=True, tag="gone"):
    """The process has ended: with an exit status, or negative the signal that killed it.

    `out_of_memory`: it was killed because it reached its memory limit. `problem`: it could not be
    made at all.
    """

    token: int
    status: int
    out_of_memory: bool = False
    problem: str = ""


Down = Fork | Kill
UpMessage = Up | Forked | Gone

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_down: Final = msgspec.msgpack.Decoder(Down).decode
decode_up: Final = msgspec.msgpack.Decoder(UpMessage).decode


def pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a control socket."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(control: socket.socket, message: Down | UpMessage, fds: Sequence[int] = ()) -> None:
    """Send one message, with descriptors. Raises: OSError when the other side is gone."""
    if fds:
        socket.send_fds(control, [_encode(message)], list(fds))
    else:
        control.send(_encode(message))


def receive(control: socket.socket) -> tuple[Down | None, list[int]]:
    """The next order and its descriptors; None when the other side is gone. Blocks."""
    data, fds, _, _ = socket.recv_fds(control, PACKET, 3)
    return (_decode_down(data) if data else None), list(fds)
