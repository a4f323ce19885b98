"""`Client` and `SyncClient`: one server by its address and key, beside all that others talk to."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from mainspring.model.duration import Duration, milliseconds
from mainspring.sdk import portal
from mainspring.sdk.client_names import (
    Batches,
    Bulk,
    Deployments,
    EnvVars,
    Events,
    Idempotency,
    Queues,
    Runs,
    Schedules,
    Streams,
    SyncBatches,
    SyncBulk,
    SyncDeployments,
    SyncEnvVars,
    SyncEvents,
    SyncIdempotency,
    SyncQueues,
    SyncRuns,
    SyncSchedules,
    SyncStreams,
    SyncTasks,
    SyncTokens,
    Tasks,
    Tokens,
)
from mainspring.sdk.transport import Transport, known_key, over_http, settings_with

ATTEMPTS: Final = 5
TIMEOUT_S: Final = 30


class Client:
    """A server of its own for the code that holds it; any number may live in one process.

    It has the namespaces of this package, `client.runs.retrieve(…)`, and serves typed tasks too:
    `my_task.with_options(client=client).trigger(…)`. Cheap to make; connections are opened when
    they are needed, one pool for each event loop, and none is shared across a fork. Use it in
    `async with`, or `close` it. In the body of a run it is like any other client of a service:
    put what it does into a step.

    A request without an answer, or told to come back later, is made again; the server recognises
    the repetition and makes no second run.

    Args:
        url, key: what is left out comes from where `configure` takes it.
        timeout: how long one answer is awaited; seconds, timedelta or text.
        attempts: how often a request is made at most.
        transport: instead of HTTP, for an engine in this process.

    Raises: ServerUnreachable when no server is known, Unauthorized when no key for it is.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout: Duration = TIMEOUT_S,
        attempts: int = ATTEMPTS,
        transport: Transport | None = None,
    ) -> None:
        self.transport = transport or _over_http(url, key, timeout, attempts)
        self.tasks = Tasks(self.transport)
        self.runs = Runs(self.transport)
        self.batches = Batches(self.transport)
        self.queues = Queues(self.transport)
        self.tokens = Tokens(self.transport)
        self.streams = Streams(self.transport)
        self.events = Events(self.transport)
        self.idempotency = Idempotency(self.transport)
        self.bulk = Bulk(self.transport)
        self.schedules = Schedules(self.transport)
        self.env_vars = EnvVars(self.transport)
        self.deployments = Deployments(self.transport)

    async def close(self) -> None:
        """Give up connections; safe to call twice, and the client may be used again."""
        await self.transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


class SyncClient:
    """`Client` for blocking code: every verb returns its result, from any number of threads.

    Use it in `with`, or `close` it. Raises: what `Client` raises, and Misplaced on a thread whose
    event loop runs, where an async client belongs.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout: Duration = TIMEOUT_S,
        attempts: int = ATTEMPTS,
        transport: Transport | None = None,
    ) -> None:
        self.transport = transport or _over_http(url, key, timeout, attempts)
        self.tasks = SyncTasks(self.transport)
        self.runs = SyncRuns(self.transport)
        self.batches = SyncBatches(self.transport)
        self.queues = SyncQueues(self.transport)
        self.tokens = SyncTokens(self.transport)
        self.streams = SyncStreams(self.transport)
        self.events = SyncEvents(self.transport)
        self.idempotency = SyncIdempotency(self.transport)
        self.bulk = SyncBulk(self.transport)
        self.schedules = SyncSchedules(self.transport)
        self.env_vars = SyncEnvVars(self.transport)
        self.deployments = SyncDeployments(self.transport)

    def close(self) -> None:
        """Give up connections; safe to call twice, and the client may be used again."""
        portal.run(self.transport.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _over_http(url: str | None, key: str | None, timeout: Duration, attempts: int) -> Transport:
    settings = settings_with(url, key)
    return over_http(
        settings.url,
        known_key(settings),
        environment=settings.environment,
        timeout=milliseconds(timeout, "timeout") / 1000,
        attempts=attempts,
    )
