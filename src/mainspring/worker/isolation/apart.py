"""Executes attempts of one session in processes of their own. How they are made and spoken to: see
`forks` and `relay`.
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import Final

from mainspring.errors import ServerUnreachable
from mainspring.model.machine import UNLIMITED, Limits, limits_of, next_machine
from mainspring.sdk.task import Task
from mainspring.wire.worker import Answer, Call, Finished, FromWorker
from mainspring.worker.capture import Capture
from mainspring.worker.isolation.crash import OUT_OF_MEMORY
from mainspring.worker.isolation.forks import Forks
from mainspring.worker.isolation.relay import CLEAN_UP_S, Relay
from mainspring.worker.session import Session
from mainspring.worker.slots import Held
from mainspring.worker.transport import LinkTransport

WARM_S: Final = 10.0


class Apart:
    """Isolates the runs of a session whose tasks ask for it."""

    def __init__(
        self,
        session: Session,
        forks: Forks,
        capture: Capture | None,
        *,
        clean_up_s: float = CLEAN_UP_S,
        warm_s: float = WARM_S,
    ) -> None:
        """`clean_up_s`: how long a body whose time is over may take to end. `warm_s`: how long the
        process of a run that waits without a slot is kept.
        """
        self.capture = capture
        self.clean_up_s = clean_up_s
        self._session = session
        self._forks = forks
        self._warm_s = warm_s
        session.runner.isolate(self.execute, any_run=not forks.problem)

    @property
    def environment(self) -> str:
        return self._session.runner.environment

    async def execute(self, run: Held) -> Finished:
        """Execute an attempt in a new process, and answer how it ended."""
        declared = run.task.declaration if isinstance(run.task, Task) else None
        limits = limits_of(run.order.machine, declared.limits if declared else UNLIMITED)
        run.ctx.open_journal = None  # that is there
        # in no run's context: what is done for the process is no branch of the run's code
        relay, starting = contextvars.Context().run(self._start, run, limits)
        self._session.runner.journals.relay(run, relay)
        while True:
            try:
                await asyncio.shield(starting)
                end = await asyncio.shield(relay.end)
            except asyncio.CancelledError:
                relay.stop()
            else:
                break
        port = run.port
        if end.outcome == "crashed" and port is not None and port.parked and port.said is not None:
            # nobody waits for this process: the run goes on from its journal, anywhere
            said = port.said
            self._session.runner.parking.let_go(run, said)
            await asyncio.wait({said})
            end.epoch = run.order.epoch
        if end.outcome != "completed":
            ran_out = end.error is not None and end.error.code == OUT_OF_MEMORY
            larger = declared.on_out_of_memory if declared is not None else None
            end.machine = next_machine(run.order.machine, limits, larger, ran_out)
        return end

    def _start(self, run: Held, limits: Limits) -> tuple[Relay, asyncio.Task[None]]:
        relay = Relay(run, self._forks.fork(self._session.id, limits), limits, self)
        return relay, asyncio.get_running_loop().create_task(relay.start())

    def post(self, message: FromWorker) -> None:
        self._session.runner.post(message)

    async def forward(self, call: Call) -> Answer:
        transport = self._session.transport
        if not isinstance(transport, LinkTransport):
            raise ServerUnreachable("Runs in processes of their own need a worker with a link.")
        return await transport.forward(call)

    def durable(self) -> asyncio.Future[None]:
        return self._session.runner.journals.durable()

    def park(self, run: Held, keys: list[str]) -> None:
        parking = self._session.runner.parking
        parking.park(run, keys)
        said = run.port.said if run.port is not None else None
        if said is not None:
            asyncio.get_running_loop().call_later(self._warm_s, parking.let_go, run, said)
