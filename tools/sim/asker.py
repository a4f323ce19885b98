"""How simulated callers ask: whoever answers, and again when nobody does. No verbs."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import msgspec

from mainspring.errors import CallerError, MainspringError
from mainspring.wire import calls
from tools.sim.ledger import Ledger
from tools.sim.network import Network, within
from tools.sim.world import Node

PATIENCE_S: Final = 5.0
TRIES: Final = 12


class Unanswered(Exception):
    """Nobody knows what became of a request."""


class Asker:
    """A process of somebody who asks. `open` counts what is not answered yet."""

    def __init__(self, network: Network, ledger: Ledger, number: int) -> None:
        self.node = Node(network.world, f"client-{number}")
        self.random = network.world.random
        self.open = 0
        self._network = network
        self._ledger = ledger
        self._count = 0

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Ask for something now."""
        self.node.begin(self._guarded(work))

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        self.open += 1
        try:
            await work
        except Unanswered:
            self._network.world.note(self.node.name, "gave up")
        finally:
            self.open -= 1

    async def ask(self, request: calls.Request, tries: int = TRIES) -> Any:
        """The answer, from whichever server has it; None when the request is refused.

        Raises: Unanswered.
        """
        world, body = self._network.world, msgspec.msgpack.encode(request)
        again = msgspec.msgpack.Decoder(type(request))
        for attempt in range(tries):
            server = self._network.pick(self._ledger.env.shard_id)

            async def answer(server: Any = server) -> Any:
                return await server.engine.answer(self._ledger.env, again.decode(body))

            try:
                return await within(PATIENCE_S, self._network.call(self.node, server, answer))
            except CallerError as error:
                world.note(self.node.name, type(request).__name__, "refused:", error.message[:60])
                return None
            except MainspringError:
                await asyncio.sleep(min(0.1 * 2**attempt, 2.0))
        raise Unanswered

    def _number(self) -> str:
        """Names a request, which keeps it when it is repeated."""
        self._count += 1
        return f"{self.node.name[7:]}-{self._count}"

    def _some(self, *, ended: bool = False) -> str | None:
        """A run, of those that still live if there are such."""
        known = list(self._ledger.done) if ended else self._ledger.unfinished()
        if not known and not ended:
            known = list(self._ledger.runs)
        return self.random.choice(known[-40:]) if known else None
