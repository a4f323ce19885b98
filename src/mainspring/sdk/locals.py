"""Values that belong to one run, under keys that know their type. Nothing of it is stored."""

from __future__ import annotations

from typing import Any, Final, Generic, TypeVar, overload

from mainspring.errors import Misplaced
from mainspring.sdk.context import current

T = TypeVar("T")
D = TypeVar("D")
_NONE: Final[Any] = object()


class Local(Generic[T]):
    """A key under which hooks, middleware and the body of a run share a value.

    Make it once, at module level: `db = Local[Pool]("db")`. A value lives as long as the attempt
    does in this process: it is not stored, and gone after a retry or a replay from the journal, so
    set it in `on_start_attempt` or in middleware.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<Local {self.name}>"

    def set(self, value: T) -> None:
        """Keep the value for the rest of this attempt. Raises: Misplaced outside a run."""
        current().locals[self] = value

    @overload
    def get(self) -> T: ...
    @overload
    def get(self, default: D) -> T | D: ...
    def get(self, default: Any = _NONE) -> Any:
        """The value set in this attempt, else `default`.

        Raises: Misplaced outside a run, and when nothing was set and there is no default.
        """
        value = current().locals.get(self, default)
        if value is _NONE:
            raise Misplaced(
                f"Local {self.name!r} was not set in this attempt; set it in middleware or in an "
                "`on_start_attempt` hook, or give `get` a default."
            )
        return value
