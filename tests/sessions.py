"""Sessions of PostgreSQL that outlive a test, and the event loop that they belong to.

To connect, and to prepare what an engine asks, takes longer than most tests do. So a store whose
URL ends in `?application_name=kept` gets sessions that stores of earlier tests have closed in good
order: of the same server, through the same driver, in no transaction, with their settings made
anew. Tests of connections as such use another URL.
"""

from __future__ import annotations

import asyncio
import functools
import weakref
from typing import Any

import asyncpg
from asyncpg.connection import _weak_maybe_gc_stmt

from mainspring.store.trouble import ERRORS

NAME = "kept"
MOST = 4
"""Kept of a kind in a process: enough for nearly all tests, and PostgreSQL has few to give."""

dial = asyncpg.connect


class Loop(asyncio.SelectorEventLoop):
    """A loop that the next test goes on with, unless something has been left open in it.

    Attributes:
        idle: sessions that a test has closed, by how they were opened.
    """

    def __init__(self) -> None:
        super().__init__()
        self.idle: dict[str, list[Session]] = {}

    @property
    def is_ended(self) -> bool:
        """Whether it is closed for good."""
        return self._selector is None

    async def shutdown_asyncgens(self) -> None:
        await super().shutdown_asyncgens()
        self._asyncgens_shutdown_called = False

    async def shutdown_default_executor(self, *arguments: Any) -> None:
        await super().shutdown_default_executor(*arguments)
        self._default_executor = None
        self._executor_shutdown_called = False

    def close(self) -> None:
        """Be as new; with what a test has left open the loop is closed, so that it warns."""
        sessions = [session for idle in self.idle.values() for session in idle]
        own = {self._ssock.fileno(), *(session.fileno() for session in sessions)}
        if set(self._selector.get_map()) - own:
            self.end()
            return
        for handle in (*self._ready, *self._scheduled):
            handle.cancel()
        for number in list(self._signal_handlers):
            self.remove_signal_handler(number)
        self.set_exception_handler(None)
        self.set_task_factory(None)
        self._closed = True  # until it is given to the next test

    def reopen(self) -> Loop:
        """Go on after `close`."""
        self._closed = False
        return self

    def end(self) -> None:
        """Close the loop with all its sessions."""
        if self.is_ended:
            return
        self.reopen()
        for sessions in self.idle.values():
            for session in sessions:
                session.terminate()
        self.idle.clear()
        self.run_until_complete(asyncio.sleep(0))  # transports close in the next round
        super().close()


class Session(asyncpg.Connection):
    """A session that is kept when it is closed."""

    __slots__ = ("kind",)

    kind: str

    async def close(self, *, timeout: float | None = None) -> None:
        loop = self._loop
        idle = loop.idle.setdefault(self.kind, [])
        if self.is_closed() or self.is_in_transaction() or self._cancellations or len(idle) >= MOST:
            await super().close(timeout=timeout)
            return
        session = Session(
            self._protocol, self._transport, loop, self._addr, self._config, self._params
        )
        session.kind = self.kind
        session._stmt_cache, self._stmt_cache = self._stmt_cache, session._stmt_cache
        session._stmt_cache._on_remove = functools.partial(
            _weak_maybe_gc_stmt, weakref.ref(session)
        )
        self._protocol.set_connection(session)
        self._aborted = True  # for whoever has it still, it is closed
        self._cleanup()
        idle.append(session)

    def fileno(self) -> int:
        """Of its socket; -1 when that is closed."""
        return int(self._transport.get_extra_info("socket").fileno())


async def connect(dsn: str | None = None, **options: Any) -> Any:
    """In place of the driver's: a session that was kept, or a new one."""
    loop = asyncio.get_running_loop()
    name = options.get("server_settings", {}).get("application_name")
    if name != NAME or not isinstance(loop, Loop):
        return await dial(dsn, **options)
    options = {**options, "connection_class": Session, "loop": loop}
    kind = f"{dsn} {sorted((key, str(options[key])) for key in options if key != 'loop')}"
    idle = loop.idle.get(kind, [])
    while idle:
        session = idle.pop()
        try:
            await session.execute("SELECT")
        except ERRORS:
            session.terminate()
        else:
            return session
    made = await dial(dsn, **options)
    made.kind = kind
    return made


_loops: list[Loop] = []


def loop() -> Loop:
    """The loop for a test: that of the one before, if it was left as it was found."""
    if not _loops or _loops[-1].is_ended:
        _loops[:] = [Loop()]
    return _loops[-1].reopen()


def end() -> None:
    """Close what was kept."""
    for loop in _loops:
        loop.end()
