"""Environment variables as they lie in the database: sealed, each under its own name. The port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct


class VariableRow(Struct, array_like=True):
    """A variable. `sealed` opens with the key `key_id` only, in that environment, by that name."""

    env_id: int
    name: str
    sealed: str
    key_id: str
    is_secret: int
    updated_at: int


class Variables(Protocol):
    """Variables of environments. Every coroutine may raise StoreUnavailable."""

    async def of(self, env_id: int) -> list[VariableRow]:
        """All of an environment, by name."""
        ...

    async def set(self, rows: Sequence[VariableRow]) -> None:
        """Make or replace these, in one transaction."""
        ...

    async def add(self, rows: Sequence[VariableRow]) -> list[str]:
        """Make these, in one transaction, but leave those that exist; returns the names made."""
        ...

    async def drop(self, env_id: int, name: str) -> bool:
        """Remove one; False when there is none."""
        ...

    async def sealed_otherwise(self, key_id: str, limit: int) -> list[VariableRow]:
        """Some that another key than this seals."""
        ...

    async def reseal(self, row: VariableRow, sealed: str, key_id: str) -> None:
        """Seal a row anew, unless it has changed in the meantime."""
        ...


class Vault(Protocol):
    """Seals texts so that a copy of the database is worth nothing without the keys."""

    @property
    def key_id(self) -> str:
        """The key that seals now."""
        ...

    def refresh(self) -> None:
        """Look whether the keys have changed. Raises: ConfigurationError."""
        ...

    def seal(self, env_id: int, name: str, value: str) -> str:
        """The value, sealed for that environment and name with `key_id`."""
        ...

    def open(self, row: VariableRow) -> str:
        """The value of a row.

        Raises: ConfigurationError when the row's key is not at hand, or the row was changed or
        copied by somebody who does not have it.
        """
        ...
