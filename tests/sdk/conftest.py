"""A transport that remembers what it was asked and answers like a small engine."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from mainspring.errors import MainspringError
from mainspring.model.run import Run, RunPage, Status, TriggerAnswer
from mainspring.sdk import transport
from mainspring.sdk.context import Context, running
from mainspring.sdk.registry import registry
from mainspring.wire import calls
from mainspring.wire.worker import Execute

USUAL: dict[type, Callable[[Any], Any]] = {
    calls.ListRuns: lambda _: RunPage([]),
    calls.ResetKey: lambda _: TriggerAnswer("run_old"),
    calls.ListLogs: lambda _: calls.LogPage([]),
    calls.ListTasks: lambda _: calls.TaskList([]),
    calls.ListQueues: lambda _: calls.QueueList([calls.Queue("mail", queued=3)]),
    calls.PauseQueue: lambda ask: calls.Queue(ask.name, paused=ask.paused),
    calls.SetQueue: lambda ask: calls.Queue(ask.name, limit=ask.limit),
    calls.ExplainRun: lambda ask: calls.Explanation(ask.run_id, "queue_limit", "Mail is full."),
}


class Recorder:
    """The port to an engine, as a fake: `asked` has every request, `answers` overrides answers."""

    def __init__(self, environment: str = "dev") -> None:
        self.environment = environment
        self.loop = None
        self.asked: list[Any] = []
        self.answers: dict[type, Callable[[Any], Any]] = {}
        self.made = 0

    async def call(self, request: Any) -> Any:
        self.asked.append(request)
        override = self.answers.get(type(request))
        if override is not None:
            answer = override(request)
            if isinstance(answer, MainspringError):
                raise answer
            return answer
        usual = USUAL.get(type(request))
        if usual is not None:
            return usual(request)
        if isinstance(request, calls.Trigger):
            return calls.Triggered([TriggerAnswer(self.next_id()) for _ in request.requests])
        if isinstance(request, calls.ReplayRun):
            return TriggerAnswer(self.next_id())
        return finished(request.run_id, "null")

    async def close(self) -> None:
        self.asked.append("close")

    def next_id(self) -> str:
        self.made += 1
        return f"run_{self.made}"

    @property
    def triggered(self) -> list[Any]:
        """Every TriggerRequest so far."""
        return [
            r for asked in self.asked if isinstance(asked, calls.Trigger) for r in asked.requests
        ]

    @property
    def last(self) -> Any:
        """The newest TriggerRequest."""
        return self.triggered[-1]

    @property
    def payload(self) -> Any:
        """What the newest trigger carried, decoded."""
        return msgspec.json.decode(self.last.payload)


def finished(
    run_id: str, output: str | None, status: Status = Status.COMPLETED, **more: Any
) -> Run:
    return Run(run_id, "a-task", status, "q", 1, 0, output=output, **more)


def order(**fields: Any) -> Execute:
    """What a server sends a worker, with the given fields."""
    base = {"run_id": "run_a", "epoch": 3, "attempt": 2, "task": "t", "payload": "{}", "queue": "q"}
    return Execute(**{**base, **fields})


@pytest.fixture
def engine() -> Iterator[Recorder]:
    recorder = Recorder()
    with transport.using(recorder):
        yield recorder


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    with registry.isolated():
        yield


@pytest.fixture
def in_run() -> Iterator[Context]:
    """The test itself is the body of run_a."""
    context = Context(order(), "dev")
    token = running.set(context)
    try:
        yield context
    finally:
        running.reset(token)
