"""Deleting tokens that ended long ago, a piece at a time. Not what a token is."""

from __future__ import annotations

from typing import Final

from mainspring.engine.state import State
from mainspring.engine.token import KEYS
from mainspring.store.past import PastToken
from mainspring.store.protocol import Store

EVERY_MS: Final = 60 * 60 * 1000
PAGE: Final = 1_000
"""Tokens that are looked at with one tick of the engine."""


class Spent:
    """Goes through the tokens of a shard from the oldest on, again every hour.

    A token goes when it ended before the limit, no idempotency key in force leads to it, and no
    run waits for it. A wait that begins later fails, as one for a token that never was.
    """

    def __init__(self, state: State, store: Store) -> None:
        self._state = state
        self._store = store
        self._after = ""
        self._next = 0

    async def look(self, epoch: int, now: int, keep_ms: int) -> None:
        """One piece of it, if it is time. Raises: StoreUnavailable, FencedOut."""
        if now < self._next:
            return
        past, shard_id, before = self._store.past, self._state.shard_id, now - keep_ms
        page = await past.tokens(shard_id, self._after, PAGE)
        spent = [token for token in page if _is_spent(token, before, now)]
        if spent:
            keys = [
                (token.env_id, KEYS, token.key, token.token_id)
                for token in spent
                if token.key is not None
            ]
            await past.forget_tokens(shard_id, epoch, [token.token_id for token in spent], keys)
        if len(page) < PAGE or page[-1].created_at >= before:
            self._after, self._next = "", now + EVERY_MS
        else:
            self._after = page[-1].token_id


def _is_spent(token: PastToken, before: int, now: int) -> bool:
    has_ended = token.ended_at is not None and token.ended_at < before
    in_force = token.key is not None and (token.key_expires_at or 0) > now
    return has_ended and not in_force and token.waiter is None
