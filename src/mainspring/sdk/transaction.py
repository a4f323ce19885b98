"""Triggering inside the caller's own PostgreSQL transaction, through whichever driver it uses."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import msgspec

from mainspring.errors import InvalidOptions, MainspringError
from mainspring.model.run import TriggerRequest

T = TypeVar("T")
_ASYNCPG: Final = "SELECT mainspring_trigger($1, $2, $3, $4)"
_DBAPI: Final = "SELECT mainspring_trigger(%s, %s, %s, %s)"
_SQLALCHEMY: Final = "SELECT mainspring_trigger(:environment, :task, :payload, :options)"
_options: Final = msgspec.json.Encoder().encode


async def trigger_on(connection: Any, environment: str, request: TriggerRequest) -> str:
    """Store one trigger in the connection's transaction and give back the id of its run-to-be.

    The connection is one of asyncpg, psycopg or SQLAlchemy (connection or session), sync or async,
    or any DB-API connection to PostgreSQL. Raises: InvalidOptions for anything else.
    """
    return await _trigger(connection, environment, request, blocking=False)


def trigger_on_blocking(connection: Any, environment: str, request: TriggerRequest) -> str:
    """The same for blocking code. Raises: InvalidOptions for an async connection."""
    return _finish_now(_trigger(connection, environment, request, blocking=True))


async def _trigger(
    connection: Any, environment: str, request: TriggerRequest, *, blocking: bool
) -> str:
    values = (environment, request.task, request.payload, _options(request.options).decode())
    sqlalchemy = sys.modules.get("sqlalchemy")
    if hasattr(connection, "fetchval"):
        answer = await _settled(connection.fetchval(_ASYNCPG, *values), blocking)
    elif hasattr(connection, "scalar") and sqlalchemy is not None:
        named = dict(zip(("environment", "task", "payload", "options"), values, strict=True))
        statement = sqlalchemy.text(_SQLALCHEMY)
        answer = await _settled(connection.scalar(statement, named), blocking)
    elif hasattr(connection, "cursor"):
        cursor = connection.cursor()
        await _settled(cursor.execute(_DBAPI, values), blocking)
        row = await _settled(cursor.fetchone(), blocking)
        await _settled(cursor.close(), blocking)
        answer = next(iter(row.values())) if isinstance(row, dict) else row[0]
    else:
        raise InvalidOptions(
            f"connection: a {type(connection).__qualname__} is not a PostgreSQL connection that is "
            "known here; pass one of asyncpg, psycopg or SQLAlchemy."
        )
    if not isinstance(answer, str):
        raise MainspringError(
            f"mainspring_trigger answered {answer!r} instead of a run's id; run "
            "`mainspring db migrate` on the database of this connection."
        )
    return answer


async def _settled(value: Any, blocking: bool) -> Any:
    if not inspect.isawaitable(value):
        return value
    if blocking:
        if inspect.iscoroutine(value):
            value.close()
        raise InvalidOptions(
            "connection: `trigger_sync` cannot use an async connection; `await` `trigger` instead."
        )
    return await value


def _finish_now(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("a blocking driver waited")
