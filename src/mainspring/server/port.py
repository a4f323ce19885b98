"""What the server needs of an engine. The engine fits it without knowing it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from mainspring.store.protocol import EnvironmentRow
from mainspring.wire import calls
from mainspring.wire.worker import Frame, Hello, ToWorker

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


class EnginePort(Protocol):
    """Answers requests, knows keys, takes worker sessions."""

    async def answer(
        self, env: EnvironmentRow, request: calls.Request, run_id: str | None = None
    ) -> calls.Response:
        """The response of `wire.calls.RESPONSES`. `run_id` is the run in whose name is asked.

        Raises: MainspringError.
        """
        ...

    async def environment_of_key(self, key_hash: str) -> EnvironmentRow | None:
        """Whose secret key has that hash. Raises: StoreUnavailable."""
        ...

    async def keys_of_shard(self, shard_id: int) -> list[tuple[str, EnvironmentRow]]:
        """The hashes of the secret keys of a shard's environments. Raises: StoreUnavailable."""
        ...

    def connect(self, env: EnvironmentRow, hello: Hello, deliver: Deliver) -> SessionPort:
        """Take a session in. Raises: MainspringError."""
        ...

    def beat(self, env: EnvironmentRow, session_id: str) -> bool:
        """A sign of life; False = the session is unknown or over, the worker starts a new one."""
        ...

    def lost(self, env: EnvironmentRow, session_id: str) -> None:
        """The session's process is dead: its supervisor says so."""
        ...

    @property
    def ready(self) -> bool:
        """Whether requests are answered now."""
        ...
