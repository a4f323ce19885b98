"""Messages between two servers over one connection, and how both prove that they are of one
database. Meaning lives elsewhere.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import struct
from typing import Any, Final

import msgspec

from mainspring.errors import MainspringError, StoreUnavailable
from mainspring.wire.calls import Fault

MOST: Final = 128 * 1024 * 1024
"""Bytes of one message at most: the largest request with everything around it."""
QUEUED: Final = 64 * 1024 * 1024
"""Bytes that may wait for a peer that does not read; above, the connection is given up."""
HELLO_S: Final = 5.0

CALL: Final = 1
CANCEL: Final = 2
OPEN: Final = 3
FRAME: Final = 4
CLOSE: Final = 5
BEAT: Final = 6
LOST: Final = 7
TAP: Final = 8
FLUSH: Final = 9
LOOK: Final = 10
FORGET: Final = 11

ANSWER: Final = 32
FAULT: Final = 33
PART: Final = 34
END: Final = 35

_NONCE: Final = 32
_LENGTH: Final = struct.Struct("!I")
_encoder: Final = msgspec.msgpack.Encoder()


class Message(msgspec.Struct, array_like=True):
    """One message. `id` is the conversation's, made by the server that dialled."""

    kind: int
    id: int
    meta: msgspec.Raw = msgspec.Raw(b"\xc0")
    body: bytes = b""


_decode: Final = msgspec.msgpack.Decoder(Message).decode
_fault: Final = msgspec.msgpack.Decoder(Fault).decode


class Wire:
    """One connection between two servers that know each other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def receive(self) -> Message | None:
        """The next message; None at the end."""
        try:
            (size,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            if size > MOST:
                return None
            return _decode(await self._reader.readexactly(size))
        except (OSError, asyncio.IncompleteReadError, msgspec.MsgspecError):
            return None

    def send(self, kind: int, id_: int, meta: Any = None, body: bytes = b"") -> None:
        """Send a message; never waits. A peer that reads nothing is given up."""
        transport = self._writer.transport
        if transport.is_closing():
            return
        data = _encoder.encode(Message(kind, id_, msgspec.Raw(_encoder.encode(meta)), body))
        self._writer.writelines((_LENGTH.pack(len(data)), data))
        if transport.get_write_buffer_size() > QUEUED:
            transport.abort()

    async def drained(self) -> None:
        """Wait while too much waits to be sent. Raises: OSError when the connection is gone."""
        await self._writer.drain()

    def close(self) -> None:
        """End it at once."""
        self._writer.transport.abort()


async def accept(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, secret: bytes
) -> Wire | None:
    """The side that was called: make sure that the other one knows the secret."""
    mine = os.urandom(_NONCE)
    writer.write(mine)
    try:
        async with asyncio.timeout(HELLO_S):
            theirs, proof = await reader.readexactly(_NONCE), await reader.readexactly(_NONCE)
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return None
    if not hmac.compare_digest(proof, _proof(secret, b"caller", mine, theirs)):
        return None
    writer.write(_proof(secret, b"called", mine, theirs))
    return Wire(reader, writer)


async def dial(address: str, secret: bytes) -> Wire:
    """The side that calls. Raises: StoreUnavailable."""
    host, _, port = address.rpartition(":")
    writer = None
    try:
        async with asyncio.timeout(HELLO_S):
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
            theirs, mine = await reader.readexactly(_NONCE), os.urandom(_NONCE)
            writer.write(mine + _proof(secret, b"caller", theirs, mine))
            proof = await reader.readexactly(_NONCE)
        if hmac.compare_digest(proof, _proof(secret, b"called", theirs, mine)):
            return Wire(reader, writer)
        reason = "it is no server of this database"
    except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError) as error:
        reason = str(error) or type(error).__name__
    if writer is not None:
        writer.transport.abort()
    raise StoreUnavailable(f"The server at {address} does not answer: {reason}.")


def fault(error: MainspringError) -> Fault:
    """An error as it travels."""
    return Fault.of(error)


def error_of(message: Message) -> MainspringError:
    """The error that a message brings."""
    return _fault(message.meta).error()


def _proof(secret: bytes, side: bytes, called: bytes, caller: bytes) -> bytes:
    return hmac.new(secret, side + called + caller, hashlib.sha256).digest()
