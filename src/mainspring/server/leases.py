"""Long answers and sockets end with the right to have them, not with the patience of the caller."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.types import Message, Scope, Send
from starlette.websockets import WebSocket, WebSocketState

from mainspring.errors import CallerError, MainspringError, Unauthorized
from mainspring.server.auth import Keys
from mainspring.server.caller import Caller
from mainspring.server.protocol import DROP

EVERY_S: Final = 2.0
"""How often it is looked whether those who are still being answered may go on."""
YIELD: Final = 200
"""Credentials that are looked at in one go."""

POLICY: Final = 1008
"""The code with which a socket is closed whose caller may not go on."""
_ENDED: Final = "Invalid or Missing API key: it is not good any more; ask for a new one."

Credential = tuple[str | None, str]
"""The Authorization header, and the environment that a person has named."""

log = logging.getLogger("mainspring.server")


class Leases:
    """Who is being answered for long, and with what credential they came."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._open: dict[Credential, dict[asyncio.Timeout, Caller]] = {}
        self._task: asyncio.Task[None] | None = None

    async def answer(
        self,
        credential: Credential,
        caller: Caller,
        answering: Callable[[Send], Awaitable[None]],
        scope: Scope,
        send: Send,
    ) -> None:
        """Answer as long as the credential makes this very caller; then drop the connection, whose
        orderly end would say that this was all. Raises: Unauthorized when nothing was sent yet.
        """
        begun = False

        async def send_more(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        if await self._held(credential, caller, answering(send_more)):
            return
        if not begun:
            raise Unauthorized(_ENDED)
        if DROP in scope:
            scope[DROP]()

    async def serve(
        self, credential: Credential, caller: Caller, served: Awaitable[None], socket: WebSocket
    ) -> None:
        """Serve a socket as long as the credential makes this very caller, then close it.

        Raises: Unauthorized when it was not open yet.
        """
        if await self._held(credential, caller, served):
            return
        if socket.application_state is not WebSocketState.CONNECTED:
            raise Unauthorized(_ENDED)
        await socket.close(POLICY, _ENDED)

    async def _held(self, credential: Credential, caller: Caller, work: Awaitable[None]) -> bool:
        """Whether the work came to its end; otherwise it was canceled."""
        alarm = None
        try:
            async with asyncio.timeout(None) as alarm:
                mine = self._open.setdefault(credential, {})
                mine[alarm] = caller
                if self._task is None:
                    self._task = asyncio.create_task(self._watch(), name="leases")
                try:
                    await work
                finally:
                    del mine[alarm]
                    if not mine and self._open.get(credential) is mine:
                        del self._open[credential]
        except TimeoutError:
            if alarm is None or not alarm.expired():
                raise
            return False
        return True

    async def look(self) -> None:
        """Look once, and end what may not go on."""
        for number, credential in enumerate(list(self._open)):
            if number % YIELD == YIELD - 1:
                await asyncio.sleep(0)
            try:
                caller = (await self._keys.admit(*credential)).caller
            except CallerError:
                caller = None
            except MainspringError as error:  # nobody is cut off because we cannot look
                log.warning("whether callers may go on cannot be told now: %s", error.message)
                return
            for alarm, before in list(self._open.get(credential, {}).items()):
                if before != caller and not alarm.expired():
                    alarm.reschedule(0)

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        """Until nobody is left."""
        while self._open:
            await asyncio.sleep(EVERY_S)
            await self.look()
        self._task = None
