"""Steps whose result is committed together with the user's own SQL. Drivers are `drivers`' matter.

The row of the result stands in `mainspring_step` of the user's database. It is written before the
function is called, so that of two attempts at once one waits for the other and then takes its
result; and it is there if and only if what the function did is.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Awaitable, Callable, Coroutine
from types import FrameType
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import msgspec

from mainspring.errors import InvalidOptions, MainspringError
from mainspring.sdk.context import running
from mainspring.sdk.drivers import Driver, opened, settled
from mainspring.sdk.journal import fits
from mainspring.sdk.scopes import current_branch
from mainspring.sdk.shape import shape_of
from mainspring.sdk.step import begin, begin_blocking
from mainspring.sdk.step_options import settle

P = ParamSpec("P")
R = TypeVar("R")
Place = tuple[str, int, str]
"""The run, its generation, and the key of the step."""

TABLE: Final = """\
CREATE TABLE IF NOT EXISTS mainspring_step (
    run_id text NOT NULL,
    generation integer NOT NULL,
    key text NOT NULL,
    result text,
    created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (run_id, generation, key)
)"""
"""Made at the first use; make it yourself where the connection's user may not."""

_TAKE: Final = (
    "INSERT INTO mainspring_step (run_id, generation, key) VALUES ($1, $2, $3) "
    "ON CONFLICT DO NOTHING RETURNING 1"
)
_READ: Final = (
    "SELECT result FROM mainspring_step WHERE run_id = $1 AND generation = $2 AND key = $3"
)
_KEEP: Final = (
    "UPDATE mainspring_step SET result = $1 WHERE run_id = $2 AND generation = $3 AND key = $4"
)
_ONE_AT_A_TIME: Final = "SELECT CAST(pg_advisory_xact_lock(7239012664150) AS text)"
_HAS_TABLE: Final = "SELECT CAST(to_regclass('mainspring_step') AS text)"
_HAS_TABLE_SQLITE: Final = "SELECT name FROM sqlite_master WHERE name = 'mainspring_step'"
_OPTIONS: Final = settle({"thread": False})
_decode: Final = msgspec.json.Decoder().decode


def transaction(
    connection: Any,
    name: str,
    func: Callable[Concatenate[Any, P], Awaitable[R]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> Coroutine[Any, Any, R]:
    """A step that is `func(connection, *args)` inside one transaction of your own database.

    What the function writes and the step's result are committed together, so that both are there
    or none of them, also when the worker dies between your commit and the journal: a replay finds
    the result in the table `mainspring_step` beside your data, and does not call the function.
    An error rolls back, and nothing is kept.

    Args:
        connection: of asyncpg, psycopg, SQLAlchemy (or a session of it), sqlite3, aiosqlite or
            apsw, with no transaction open; or a pool or engine to take one from. The function gets
            the connection and neither commits nor rolls back. A blocking driver holds up the event
            loop; use it in a `def` task with `transaction_sync`.

    Raises: InvalidOptions for another connection, else what `step` raises.
    """
    _learn(func, sys._getframe(1))
    made: Coroutine[Any, Any, R] = begin(name, _Body(func, connection), args, kwargs, _OPTIONS)
    return made


def transaction_sync(
    connection: Any,
    name: str,
    func: Callable[Concatenate[Any, P], R],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """`transaction` for `def` tasks: a plain function and a blocking driver, in this thread.

    Raises: InvalidOptions for an async one, else what `transaction` raises.
    """
    if inspect.iscoroutinefunction(func):
        raise InvalidOptions(
            f"{name!r}: a coroutine function cannot be called by blocking code; use a plain one."
        )
    _learn(func, sys._getframe(1))
    made: R = begin_blocking(name, _Blocking(func, connection), args, kwargs, _OPTIONS)
    return made


def _learn(func: Callable[..., Any], caller: FrameType) -> None:
    """See the function's shape, for which names of whoever calls may be needed."""
    shape_of(func, caller.f_locals)


class _Body:
    """What a step calls instead of the user's function, and looks like it."""

    def __init__(self, func: Callable[..., Any], connection: Any) -> None:
        functools.update_wrapper(self, func)
        if hasattr(func, "__code__"):
            self.__code__ = func.__code__  # by which the shape of the function is found again
        self._func = func
        self._connection = connection

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.performed(args, kwargs)

    async def performed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of the function, or the one that is kept."""
        ctx, branch = running.get(), current_branch.get()
        async with opened(self._connection) as driver:
            if ctx is None or branch is None or branch.step is None:
                # task.local: there is no run whose result could be kept
                await driver.begin()
                return await self._called(driver, args, kwargs, None)
            place = (ctx.run_id, ctx.journal.generation, branch.step)
            if await _taken(driver, place):
                return await self._called(driver, args, kwargs, place)
            return await _found(driver, place)

    async def _called(
        self, driver: Driver, args: tuple[Any, ...], kwargs: dict[str, Any], place: Place | None
    ) -> Any:
        """Call the function, keep its result and commit; all of it or nothing."""
        try:
            value = await settled(self._func(driver.raw, *args, **kwargs))
            if place is not None:
                text, _ = shape_of(self._func, {}).stored(value, place[2])
                fits(text, f"The result of step {place[2]!r}")
                await driver.first(_KEEP, text, *place)
        except BaseException:
            await driver.rollback()
            raise
        await driver.commit()
        return value


class _Blocking(_Body):
    """The same for blocking code."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        work = self.performed(args, kwargs)
        try:
            work.send(None)
        except StopIteration as stop:
            return stop.value
        work.close()
        raise InvalidOptions(
            "connection: blocking code cannot use an async connection; `await` `transaction`."
        )


async def _taken(driver: Driver, place: Place) -> bool:
    """Begin a transaction and write the row; False when it is there already."""
    await driver.begin()
    try:
        return await driver.first(_TAKE, *place) is not None
    except Exception:  # noqa: BLE001 - each driver has its own for a missing table
        await driver.rollback()
    await _prepare(driver)
    await driver.begin()
    try:
        return await driver.first(_TAKE, *place) is not None
    except BaseException:
        await driver.rollback()
        raise


async def _prepare(driver: Driver) -> None:
    """Make the table unless it is there; looked for first, as not everybody may make tables."""
    await driver.begin()
    try:
        if driver.sqlite:
            missing = await driver.first(_HAS_TABLE_SQLITE) is None
        else:
            await driver.first(_ONE_AT_A_TIME)
            missing = await driver.first(_HAS_TABLE) is None
        if missing:
            await driver.first(TABLE)
    except BaseException:
        await driver.rollback()
        raise
    await driver.commit()


async def _found(driver: Driver, place: Place) -> Any:
    """The result that an earlier attempt has committed."""
    try:
        text = await driver.first(_READ, *place)
    finally:
        await driver.rollback()
    if text is None:
        raise MainspringError(
            f"The row of step {place[2]!r} of run {place[0]} in mainspring_step has no result; "
            "somebody has changed it. Delete the row if the step may be executed again."
        )
    return _decode(text)
