"""Executes attempts of one session in processes of their own. How they are made and spoken to: see
`forks` and `relay`.
"""

from __future__ import annotations

import asyncio

from mainspring.errors import ServerUnreachable
from mainspring.model.machine import UNLIMITED, limits_of
from mainspring.sdk.task import Task
from mainspring.wire.worker import Answer, Call, Finished, FromWorker
from mainspring.worker.capture import Capture
from mainspring.worker.isolation.crash import OUT_OF_MEMORY
from mainspring.worker.isolation.forks import Forks
from mainspring.worker.isolation.relay import CLEAN_UP_S, Relay
from mainspring.worker.session import Session
from mainspring.worker.slots import Held
from mainspring.worker.transport import LinkTransport


class Apart:
    """Isolates the runs of a session whose tasks ask for it."""

    def __init__(
        self,
        session: Session,
        forks: Forks,
        capture: Capture | None,
        *,
        clean_up_s: float = CLEAN_UP_S,
    ) -> None:
        self.capture = capture
        self.clean_up_s = clean_up_s
        self._session = session
        self._forks = forks
        session.runner.isolate(self.execute)

    @property
    def environment(self) -> str:
        return self._session.runner.environment

    async def execute(self, run: Held) -> Finished:
        """Execute an attempt in a new process, and answer how it ended."""
        declared = run.task.declaration if isinstance(run.task, Task) else None
        limits = limits_of(run.order.machine, declared.limits if declared else UNLIMITED)
        relay = Relay(run, self._forks.fork(self._session.id, limits), limits, self)
        self._session.runner.relay(run, relay)
        starting: asyncio.Task[None] | None = asyncio.ensure_future(relay.start())
        while True:
            try:
                if starting is not None:
                    await asyncio.shield(starting)
                    starting = None
                end = await asyncio.shield(relay.end)
            except asyncio.CancelledError:
                relay.stop()
            else:
                break
        if declared is not None and end.error is not None and end.error.code == OUT_OF_MEMORY:
            end.machine = declared.on_out_of_memory
        return end

    def post(self, message: FromWorker) -> None:
        self._session.runner.post(message)

    async def forward(self, call: Call) -> Answer:
        transport = self._session.transport
        if not isinstance(transport, LinkTransport):
            raise ServerUnreachable("Runs in processes of their own need a worker with a link.")
        return await transport.forward(call)

    def durable(self) -> asyncio.Future[None]:
        return self._session.runner.durable()

    def park(self, run: Held, keys: list[str]) -> None:
        self._session.runner.parking.park(run, keys)

    def follow(self, run: Held, relay: Relay) -> None:
        self._session.runner.relay(run, relay)
