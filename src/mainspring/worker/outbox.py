"""What a session says until the server has made it durable, as numbered frames. No sending here."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from mainspring.wire.worker import Append, Call, Finished, Frame, FromWorker, Logs, Record
from mainspring.worker.gathering import Gathering

FRAME_SIZE: Final = 1024 * 1024
"""A frame is closed once it has about so many characters; one message alone may be larger."""

WINDOW: Final = 32
"""Frames that a server is sent before it has acknowledged the first of them."""

OnDurable = Callable[[list[FromWorker]], None]


class Outbox:
    """Collects messages, numbers frames from 1 and keeps each until it is acknowledged.

    Attributes:
        acked: the last frame known to be durable.
        on_durable: called with the messages of each frame that became durable; None costs nothing.
    """

    def __init__(self) -> None:
        self.acked = 0
        self.on_durable: OnDurable | None = None
        self._number = 0
        self._waiting: list[FromWorker] = []
        self._kept: deque[Frame] = deque()
        self._settled = Gathering()
        self._added = 0
        self._durable = 0
        self._awaited: deque[tuple[int, asyncio.Future[None]]] = deque()

    def add(self, messages: list[FromWorker]) -> None:
        """Messages for the next frame; the list is not used any more by the caller."""
        self._added += len(messages)
        if self._waiting:
            self._waiting += messages
        else:
            self._waiting = messages

    def next(self) -> Frame | None:
        """The next frame to send, up to its size; None when nothing waits."""
        messages = self._waiting
        if not messages:
            return None
        size = 0
        for index, message in enumerate(messages):
            size += _size(message)
            if size > FRAME_SIZE:
                messages = messages[: index + 1]
                break
        self._waiting = self._waiting[len(messages) :]
        self._number += 1
        frame = Frame(self._number, messages)
        self._kept.append(frame)
        return frame

    def ack(self, number: int) -> None:
        """Everything up to frame `number` is durable."""
        kept = self._kept
        while kept and kept[0].number <= number:
            frame = kept.popleft()
            self._durable += len(frame.messages)
            if self.on_durable is not None:
                self.on_durable(frame.messages)
        self.acked = max(self.acked, number)
        awaited = self._awaited
        while awaited and awaited[0][0] <= self._durable:
            future = awaited.popleft()[1]
            if not future.done():
                future.set_result(None)
        if self._settled and not kept and not self._waiting:
            self._settled.release()

    @property
    def is_full(self) -> bool:
        """Whether the server has enough to do; what comes waits, and goes together."""
        return len(self._kept) >= WINDOW

    @property
    def kept(self) -> list[Frame]:
        """Frames to send again after the link was lost, in order."""
        return list(self._kept)

    def messages(self) -> Iterator[FromWorker]:
        """Every message that is not known to be durable."""
        for frame in self._kept:
            yield from frame.messages
        yield from self._waiting

    def after(self, ahead: int) -> asyncio.Future[None]:
        """Answered once what was added, and the `ahead` messages that come next, are durable."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        count = self._added + ahead
        if count <= self._durable:
            future.set_result(None)
        else:
            self._awaited.append((count, future))
        return future

    def give_up(self, error: Exception) -> None:
        """Nothing more will become durable: answer whoever waits for it with this error."""
        awaited, self._awaited = self._awaited, deque()
        for _, future in awaited:
            if not future.done():
                future.set_exception(error)
                future.exception()  # nobody may be left to look at it

    async def settled(self) -> None:
        """Return once everything that was added is durable."""
        if self._kept or self._waiting:
            await self._settled.wait()


def _size(message: FromWorker) -> int:
    """About how long a message is; short ones count as nothing."""
    if type(message) is Finished:
        size = len(message.output) if message.output is not None else 0
        if message.error is not None:
            size += len(message.error.stack) + len(message.error.message)
        return size
    if type(message) is Call:
        return memoryview(message.body).nbytes
    if type(message) is Record:
        return sum(len(entry.data) for entry in message.entries if entry.data is not None)
    if type(message) is Append:
        return sum(map(len, message.chunks))
    if type(message) is Logs:
        return sum(len(line.message) for line in message.lines)
    return 0
