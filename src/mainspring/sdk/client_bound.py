"""Verbs of the SDK as methods of a client, which ask its server. Which ones there are: no word."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Generic, ParamSpec, TypeVar

from mainspring.sdk import portal
from mainspring.sdk.local import blocking
from mainspring.sdk.transport import Transport, elsewhere

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
F_co = TypeVar("F_co", covariant=True)


class Namespace:
    """Some verbs of one client. Made by the client.

    Attributes:
        transport: where they are sent.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport


class Bound(Generic[F_co]):
    """A verb as an attribute of a namespace, made on its first use."""

    def __init__(self, bind: Callable[[Transport], F_co], verb: Callable[..., Any]) -> None:
        self._bind = bind
        self.__doc__ = verb.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, of: Namespace, kind: type | None = None) -> F_co:
        bound = of.__dict__[self._name] = self._bind(of.transport)
        return bound


def verb(
    function: Callable[P, Coroutine[Any, Any, R]],
) -> Bound[Callable[P, Coroutine[Any, Any, R]]]:
    """An awaited verb, for an async client."""
    return Bound(functools.partial(_asked, function), function)


def walk(function: Callable[P, AsyncIterator[T]]) -> Bound[Callable[P, AsyncIterator[T]]]:
    """An async iterator, for an async client."""
    return Bound(functools.partial(_walked, function), function)


def sync_verb(function: Callable[P, Coroutine[Any, Any, R]]) -> Bound[Callable[P, R]]:
    """An awaited verb, for a blocking client."""

    def bind(transport: Transport) -> Callable[P, R]:
        asked = _asked(function, transport)

        @functools.wraps(function)
        def bound(*args: P.args, **kwargs: P.kwargs) -> R:
            return blocking(asked(*args, **kwargs))

        return bound

    return Bound(bind, function)


def sync_walk(function: Callable[P, AsyncIterator[T]]) -> Bound[Callable[P, Iterator[T]]]:
    """An async iterator, as a plain one for a blocking client."""

    def bind(transport: Transport) -> Callable[P, Iterator[T]]:
        walked = _walked(function, transport)

        @functools.wraps(function)
        def bound(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
            return portal.iterate(walked(*args, **kwargs))

        return bound

    return Bound(bind, function)


def _asked(
    function: Callable[P, Coroutine[Any, Any, R]], transport: Transport
) -> Callable[P, Coroutine[Any, Any, R]]:
    @functools.wraps(function)
    async def bound(*args: P.args, **kwargs: P.kwargs) -> R:
        with elsewhere(transport):
            return await function(*args, **kwargs)

    return bound


def _walked(
    function: Callable[P, AsyncIterator[T]], transport: Transport
) -> Callable[P, AsyncIterator[T]]:
    @functools.wraps(function)
    async def bound(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        # only around each step, as what is in force between them is seen by who walks
        items = function(*args, **kwargs)
        try:
            while True:
                with elsewhere(transport):
                    try:
                        item = await anext(items)
                    except StopAsyncIteration:
                        return
                yield item
        finally:
            close = getattr(items, "aclose", None)
            if close is not None:
                await close()

    return bound
