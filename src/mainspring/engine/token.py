"""Plan the life of wait tokens: made, completed by whoever comes first, timed out. No answers."""

from __future__ import annotations

from asyncio import Future
from typing import Final

import msgspec
from msgspec import Struct

from mainspring.engine import wait
from mainspring.engine.batch import Batch, Facts, Wanted
from mainspring.engine.intake import KEY_TTL_MS
from mainspring.engine.place import forget, remind
from mainspring.engine.state import State
from mainspring.engine.trigger import claim_key
from mainspring.store.waiting import WaitpointRow
from mainspring.store.waitpoints import tags_text

KEYS: Final = "!token"
"""Stands for the task where idempotency keys of tokens are kept; no task is named so."""
TIMER: Final = "token"
_LONGEST: Final = 1 << 52


class CreateCall(Struct):
    """Somebody wants a token; answered with its id, and whether it is an older one."""

    env_id: int
    timeout_ms: int | None
    timeout_at: int | None
    key: str | None
    key_ttl_ms: int | None
    tags: tuple[str, ...]
    future: Future[tuple[str, bool]]
    row: WaitpointRow | None = None

    def want(self, wanted: Wanted) -> None:
        if self.key is not None:
            wanted.keys.add((self.env_id, KEYS, self.key))

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Write the rows; planned again after a doubtful commit they are the same ones."""
        made = self.row or self._made(state, batch.now)
        if self.key is not None:
            id_ = (self.env_id, KEYS, self.key)
            held = facts.keys.get(id_)
            if held is not None and held.expires_at > batch.now:
                batch.answer(self.future, (held.run_id, held.run_id != made.waitpoint_id))
                return True
            claim_key(batch, facts, id_, made.waitpoint_id, made.idempotency_expires_at or 0)
        self.row = made
        batch.changes.waitpoint.append(
            (
                made.waitpoint_id,
                made.env_id,
                made.idempotency_key,
                made.idempotency_expires_at,
                made.tags,
                made.created_at,
                made.timeout_at,
            )
        )
        if made.timeout_at is not None:
            remind(state, batch, made.timeout_at, TIMER, made.waitpoint_id)
        batch.answer(self.future, (made.waitpoint_id, False))
        return True

    def _made(self, state: State, now: int) -> WaitpointRow:
        timeout_at = self.timeout_at
        if self.timeout_ms is not None:
            timeout_at = min(now + self.timeout_ms, _LONGEST)
        return WaitpointRow(
            state.ids.new("waitpoint", now, state.shard_id),
            self.env_id,
            "waiting",
            self.key,
            None if self.key is None else now + (self.key_ttl_ms or KEY_TTL_MS),
            tags_text(self.tags),
            None,
            None,
            now,
            timeout_at,
            None,
        )


class CompleteCall(Struct):
    """Somebody completes a token. One that has ended stays as it is."""

    env_id: int
    token_id: str
    output: str | None
    output_ref: str | None
    future: Future[WaitpointRow]

    def want(self, wanted: Wanted) -> None:
        wanted.tokens.add(self.token_id)
        wanted.points.add(self.token_id)

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Write the rows, and let go on who waits for it."""
        row = facts.tokens.get(self.token_id)
        if row is None or row.env_id != self.env_id:
            batch.answer(self.future, wait.no_token(self.token_id))
            return True
        if row.status == "waiting":
            if row.timeout_at is not None:
                forget(state, batch, row.timeout_at, TIMER, row.waitpoint_id)
            row = _end(state, batch, facts, row, "completed", self.output, self.output_ref)
        batch.answer(self.future, row)
        return True


def want_expiry(wanted: Wanted, token_id: str) -> None:
    """Name what has to be looked up for a token whose timer fires."""
    wanted.tokens.add(token_id)
    wanted.points.add(token_id)


def expire(state: State, batch: Batch, facts: Facts, token_id: str) -> None:
    """A token's time is over; its timer goes in any case."""
    row = facts.tokens.get(token_id)
    if row is not None and row.status == "waiting":
        _end(state, batch, facts, row, "timed_out", None, None)


def _end(
    state: State,
    batch: Batch,
    facts: Facts,
    row: WaitpointRow,
    status: str,
    output: str | None,
    output_ref: str | None,
) -> WaitpointRow:
    inline = None if output_ref is not None else output
    row = msgspec.structs.replace(
        row, status=status, output=inline, output_ref=output_ref, completed_at=batch.now
    )
    facts.tokens[row.waitpoint_id] = row
    batch.changes.end_waitpoint.append(
        (row.waitpoint_id, status, inline, output_ref, row.completed_at)
    )
    wait.resolve(state, batch, facts, row.waitpoint_id, status, inline, output_ref)
    return row
