"""Public as `mainspring.sync.wait`: the waits of `mainspring.wait` for `def` tasks.

The thread stays with the run while it waits; the run's slot does not.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar, Unpack, overload

from mainspring.model.duration import Duration
from mainspring.sdk import wait
from mainspring.sdk.local import blocking
from mainspring.sdk.tokens import HasId
from mainspring.sdk.wait import How

T = TypeVar("T")


def seconds(number: float, *, key: str | None = None) -> None:
    """Wait that many seconds."""
    blocking(wait.seconds(number, key=key))


def for_(duration: Duration, *, key: str | None = None) -> None:
    """Wait for seconds, a timedelta or text such as `"1h30m"`."""
    blocking(wait.for_(duration, key=key))


def until(moment: datetime, *, key: str | None = None) -> None:
    """Wait until an aware datetime."""
    blocking(wait.until(moment, key=key))


@overload
def token(token: str | HasId, type: builtins.type[T], **how: Unpack[How]) -> T: ...
@overload
def token(token: str | HasId, type: Any = None, **how: Unpack[How]) -> Any: ...
def token(token: str | HasId, type: Any = None, **how: Unpack[How]) -> Any:
    """Wait until somebody completes the token. Raises: WaitTimeout and more, as `wait.token`."""
    return blocking(wait.token(token, type, **how))


@overload
def event(
    name: str,
    type: builtins.type[T],
    *,
    match: Mapping[str, Any] | None = None,
    **how: Unpack[How],
) -> T: ...
@overload
def event(
    name: str, type: Any = None, *, match: Mapping[str, Any] | None = None, **how: Unpack[How]
) -> Any: ...
def event(
    name: str, type: Any = None, *, match: Mapping[str, Any] | None = None, **how: Unpack[How]
) -> Any:
    """Wait for an event. Raises: WaitTimeout and more, as `wait.event`."""
    return blocking(wait.event(name, type, match=match, **how))


@overload
def input(stream: str, type: builtins.type[T], **how: Unpack[How]) -> T: ...
@overload
def input(stream: str, type: Any = None, **how: Unpack[How]) -> Any: ...
def input(stream: str, type: Any = None, **how: Unpack[How]) -> Any:
    """Wait for the next record of an input stream. Raises: WaitTimeout and more."""
    return blocking(wait.input(stream, type, **how))
