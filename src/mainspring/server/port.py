"""What the server needs of an engine. The engine fits it without knowing it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol

from mainspring.model.run import Run
from mainspring.store.access import Access
from mainspring.store.objects import Objects
from mainspring.store.protocol import EnvironmentRow
from mainspring.telemetry.metrics import Sample
from mainspring.wire import calls
from mainspring.wire.variables import Given
from mainspring.wire.worker import Frame, Hello, ToWorker

Topic = tuple[Any, ...]
"""What a subscriber wants to hear of, such as ("run", run_id)."""
Deliver = Callable[[list[ToWorker]], None]
"""Takes a batch of orders at once, from the event loop, and never waits."""


class SessionPort(Protocol):
    """One connection of a worker session."""

    def receive(self, frame: Frame) -> None:
        """Take in what the worker sent. Raises: MainspringError when the session is over."""
        ...

    def close(self) -> None:
        """The connection is gone; not yet a loss."""
        ...


class RelayPort(Protocol):
    """One connection of a worker session to the server that owns it, as bytes."""

    async def open(self, hello: bytes) -> bool:
        """Find the owner and let it hear the hello; False when it is this server.

        Raises: StoreUnavailable.
        """
        ...

    async def send(self, data: bytes) -> None:
        """Pass on what the worker says."""
        ...

    async def receive(self) -> bytes | None:
        """The next message for the worker; None when the connection to the owner is over and there
        is an owner again, or there is none for long.
        """
        ...

    def close(self) -> None:
        """The worker's connection is gone. Safe to call twice."""
        ...


class WatchPort(Protocol):
    """What one subscriber waits for. It is woken; what happened it reads by itself.

    `rung`: something has happened since the last `wait`, or since it was set to False. `closed`:
    nothing will happen any more. `on_ring` is called at either, at once; it must not raise.
    """

    rung: bool
    closed: bool
    on_ring: Callable[[], None] | None

    async def wait(self) -> bool:
        """Until something has happened; False once it is closed."""
        ...

    def since(self, change: int) -> dict[str, int] | None:
        """The runs that commits after that number have changed, with the number of the last one;
        None = read them all.
        """
        ...

    def known(self, run_id: str) -> int | None:
        """No commit after this number has changed the run; None = that is not known."""
        ...

    def rings(self, at: int) -> int:
        """How often something has happened of the topic at that place."""
        ...

    def expect(self, run_ids: Iterable[str]) -> None:
        """The list that is watched shows these runs, oldest first; read the rows after this."""
        ...

    def close(self) -> None:
        """Hear of nothing any more. Safe to call twice."""
        ...


class ShowPort(Protocol):
    """What those who watch runs read of them. Every coroutine may raise StoreUnavailable."""

    @property
    def last(self) -> int:
        """The number of the newest commit that is known to be durable."""
        ...

    async def runs(self, run_ids: Sequence[str]) -> list[Run]:
        """These runs as they are stored, unknown and foreign ones missing. Everything that their
        numbers stand for has been told to the watches when this returns.
        """
        ...

    async def latest(self, tags: Sequence[str], batch_id: str | None, limit: int) -> list[str]:
        """Ids of the newest runs with all tags, or of a batch, or of all; newest first."""
        ...

    async def lines(
        self, run_id: str, after: int, limit: int, *, whole: bool = False
    ) -> list[calls.LogEntry]:
        """Log lines of a run of this environment after the number `after`, in order. `whole` = what
        was written up to now is stored first.
        """
        ...


class EnginePort(Protocol):
    """Answers requests, takes worker sessions."""

    async def answer(
        self, env: EnvironmentRow, request: calls.Request, run_id: str | None = None
    ) -> calls.Response:
        """The response of `wire.calls.RESPONSES`. `run_id` is the run in whose name is asked.

        Raises: MainspringError.
        """
        ...

    def watch(self, env: EnvironmentRow, *topics: Topic) -> WatchPort:
        """Be woken when something of these topics has changed. Raises: StoreUnavailable."""
        ...

    def show(self, env: EnvironmentRow) -> ShowPort:
        """What those who watch runs read of them. Raises: StoreUnavailable."""
        ...

    async def follow(self, env: EnvironmentRow) -> None:
        """Have at hand what is watched of an environment, before `watch` and `show`.

        Raises: StoreUnavailable.
        """
        ...

    def connect(self, env: EnvironmentRow, hello: Hello, deliver: Deliver) -> SessionPort:
        """Take a session in. Raises: MainspringError."""
        ...

    def relay(self, env: EnvironmentRow) -> RelayPort | None:
        """What takes the sessions of an environment that another server owns; None = `connect`."""
        ...

    def beat(self, env: EnvironmentRow, session_id: str) -> bool | Awaitable[bool]:
        """A sign of life; False = the session is unknown or over, the worker starts a new one.

        An owner elsewhere takes a moment. Raises: StoreUnavailable.
        """
        ...

    def lost(self, env: EnvironmentRow, session_id: str, how: str = "") -> Awaitable[Any] | None:
        """The session's process is dead: its supervisor says so, and `how` (`wire.beats.Named`)."""
        ...

    @property
    def access(self) -> Access:
        """Keys, people, and the audit log."""
        ...

    @property
    def objects(self) -> Objects:
        """Where uploads lie."""
        ...

    async def given(self, env: EnvironmentRow) -> Given:
        """The variables of a worker. Raises: ConfigurationError, StoreUnavailable."""
        ...

    def figures(self, env: EnvironmentRow) -> list[Sample]:
        """Figures of this server, and of the queues of one environment."""
        ...

    @property
    def ready(self) -> bool:
        """Whether requests are answered now."""
        ...
