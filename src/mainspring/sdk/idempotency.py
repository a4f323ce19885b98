"""Idempotency keys: made from parts and a scope, and forgotten again on request."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, Literal

from mainspring.errors import InvalidOptions
from mainspring.model.run import TriggerAnswer
from mainspring.sdk.context import Context, running
from mainspring.sdk.transport import ask
from mainspring.wire.calls import ResetKey

Scope = Literal["run", "attempt", "global"]
TTL_MS: Final = 30 * 86_400_000
_FINAL_LENGTH: Final = 64


class Key(str):
    """A finished key of 64 characters that remembers what it was made from."""

    shown: str
    scope: Scope

    def __new__(cls, final: str, shown: str, scope: Scope) -> Key:
        key = super().__new__(cls, final)
        key.shown = shown
        key.scope = scope
        return key


def create_key(key: str | Sequence[str], scope: Scope | None = None) -> Key:
    """A key for `with_options(idempotency_key=…)`, made from one text or several.

    Scope `run` and `attempt` mix in the current run, so that another run gets another key;
    `global` does not. The default is `run` inside a run and `global` outside.

    Raises: InvalidOptions for an empty key, and for `run` or `attempt` outside a run.
    """
    return finished(key, scope, running.get())


async def reset(task_id: str, key: str | Sequence[str]) -> str:
    """Forget a key of a task, so that the next trigger with it makes a new run.

    Takes the text of a global key, or any finished key. Returns the id of the run that held it.
    Raises: NotFound when no run holds it.
    """
    final = finished(key, "global", None)
    return (await ask(ResetKey(task_id, str(final)), TriggerAnswer)).run_id


def finished(key: str | Sequence[str], scope: Scope | None, ctx: Context | None) -> Key:
    """The key as it is sent. Text of 64 characters counts as finished already."""
    if isinstance(key, Key):
        return key
    parts = [key] if isinstance(key, str) else [str(part) for part in key]
    shown = "-".join(parts)
    if not shown:
        raise InvalidOptions("idempotency_key is empty; give a text that marks the same run.")
    scope = scope or ("global" if ctx is None else "run")
    if len(shown) == _FINAL_LENGTH:
        return Key(shown, shown, scope)
    if scope != "global":
        if ctx is None:
            raise InvalidOptions(
                f"idempotency_scope {scope!r} needs a current run, and there is none here; "
                "use 'global'."
            )
        parts.append(ctx.run_id)
        if scope == "attempt":
            parts.append(str(ctx.attempt))
    return Key(hashlib.sha256("-".join(parts).encode()).hexdigest(), shown, scope)
