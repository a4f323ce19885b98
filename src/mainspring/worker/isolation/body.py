"""What the process of a run does: it is a worker session with one slot, and its worker the server.

So everything holds in it that holds in a worker: hooks, outcomes, journal, waits. A coroutine has
the main thread with its event loop; a plain function has it for itself, and the loop another one.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

import uvloop

from mainspring.clock import SystemClock
from mainspring.sdk import observe, transport as sdk_transport
from mainspring.sdk.registry import registry
from mainspring.wire.worker import Cancel, Execute, ToWorker
from mainspring.worker.capture import Capture, captured
from mainspring.worker.isolation.pipe import PipeLink
from mainspring.worker.session import Session

POKE_S: Final = 0.1
"""How often a plain function that must end is woken from calls of the system."""
POKE: Final = signal.SIGURG


def work(link_fd: int, session_id: str) -> None:
    """Execute the one run that is ordered over the link. The process is ended by its worker."""
    faulthandler.enable()
    observe.observers.clear()  # they watch the worker, which tells them of this run too
    link = PipeLink(link_fd)
    first = link.first()
    orders = [order for order in first if isinstance(order, Execute)]
    if not orders:
        return
    task = registry.tasks.get(orders[0].task)
    capture = Capture(SystemClock(), direct=link.log)
    with captured(capture):
        if task is None or task.is_async:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_serve(link, first, session_id, capture))
        else:
            _beside(link, first, session_id, capture)


async def _serve(
    link: PipeLink,
    first: list[ToWorker],
    session_id: str,
    capture: Capture,
    lend: Callable[[Callable[[], None]], None] | None = None,
) -> None:
    """Be a session until the worker closes the link, which ends the process."""
    session = Session(session_id, registry, 1, SystemClock(), capture=capture)
    sdk_transport.install(session.transport)
    await session.start(link)
    if lend is not None:
        lend(session.runner.threads.lend())
    session.receive(first)
    await asyncio.Event().wait()


def _beside(link: PipeLink, first: list[ToWorker], session_id: str, capture: Capture) -> None:
    """Give the main thread to the function, and the loop another one."""
    signal.signal(POKE, _poked)
    lent: SimpleQueue[Callable[[], None]] = SimpleQueue()
    poker = _Poker(link)

    def loop() -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                poker.loop = runner.get_loop()
                runner.run(_serve(link, first, session_id, capture, lent.put))
        except BaseException:  # noqa: BLE001 - without its loop the process is of no use
            sys.excepthook(*sys.exc_info())
            os._exit(1)

    threading.Thread(target=loop, name="loop", daemon=True).start()
    lent.get()()
    threading.Event().wait()  # the worker ends the process


class _Poker:
    """Wakes the main thread from what it waits for, once the run is to end: so that an exception
    raised in it is seen at once.
    """

    def __init__(self, link: PipeLink) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._main = threading.get_ident()
        link.heard = self._heard

    def _heard(self, orders: list[ToWorker]) -> None:
        if any(isinstance(order, Cancel) for order in orders):
            self._poke()

    def _poke(self) -> None:
        signal.pthread_kill(self._main, POKE)
        if self.loop is not None:
            self.loop.call_later(POKE_S, self._poke)


def _poked(number: int, frame: object) -> None:
    """Nothing: that Python code is executed is enough."""
