"""Journals, waits, tokens and inputs as the rooms above read them: rows and protocols. No SQL.

Every coroutine may raise `StoreUnavailable`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from mainspring.wire.calls import ListTokens


class EdgeRow(Struct, array_like=True, gc=False):
    """One thing that a run waits for under a journal key. A wait for time has the waitpoint "".

    `due_at` is the wait's end by time, epoch ms, 0 = none. `data`: an event's filter (JSON), the
    error of a divergence; for a wait for a run "foreign" when another than the waiting run
    triggered it. `total` counts the rows of that run and key when it was read by waitpoint, else 0.
    """

    run_id: str
    key: str
    waitpoint_id: str
    kind: str
    generation: int
    seq: int
    due_at: int
    data: str | None
    fingerprint: str
    created_at: int
    total: int = 0


class JournalRow(Struct, array_like=True, gc=False):
    """An entry of a run's journal, see `wire.worker.Entry`; and those the engine makes for itself
    (kinds attempt, lost). `data_ref` names the stored object when the data is large.
    """

    run_id: str
    key: str
    generation: int
    kind: str
    epoch: int
    status: str
    data: str | None
    started_at: int
    ended_at: int | None
    seq: int
    data_ref: str | None
    fingerprint: str


class LossesRow(Struct, array_like=True, gc=False):
    """How often a run has lost its worker: in all, with a process that died while it was alone in
    it, and with one that was killed.
    """

    run_id: str
    losses: int = 0
    alone: int = 0
    killed: int = 0


class EndRow(Struct, array_like=True, gc=False):
    """A run that somebody waits for: whose it is, and its final status or ""."""

    run_id: str
    env_id: int
    parent_id: str | None
    status: str


class WaitpointRow(Struct, array_like=True):
    """A token. `status`: waiting, completed, timed_out; `tags` is a JSON list."""

    waitpoint_id: str
    env_id: int
    status: str
    idempotency_key: str | None
    idempotency_expires_at: int | None
    tags: str
    output: str | None
    output_ref: str | None
    created_at: int
    timeout_at: int | None
    completed_at: int | None


class InputRow(Struct, array_like=True):
    """A record of an input stream; `number` counts from 1 within run and stream."""

    run_id: str
    stream: str
    number: int
    data: str | None
    data_ref: str | None


class Waits(Protocol):
    """What runs have behind them and what they wait for; as `Live`, for the owner of the shard."""

    async def of_runs(self, shard_id: int, run_ids: Sequence[str]) -> list[EdgeRow]:
        """Every open wait of these runs."""
        ...

    async def on(self, shard_id: int, waitpoint_ids: Sequence[str]) -> list[EdgeRow]:
        """Who waits for these runs, tokens, events and inputs; with `total`."""
        ...

    async def foreign(self, shard_id: int) -> list[str]:
        """Runs that are awaited by another than the run that triggered them."""
        ...

    async def entries(
        self, shard_id: int, wanted: Sequence[tuple[str, str, int]]
    ) -> list[JournalRow]:
        """Journal entries of these (run, key, generation)."""
        ...

    async def history(self, shard_id: int, run_ids: Sequence[str]) -> list[JournalRow]:
        """The journals of these runs in their present generations, by run and seq."""
        ...

    async def generations(self, shard_id: int, run_ids: Sequence[str]) -> dict[str, int]:
        """The present generation of each of these runs; generation 0 is left out."""
        ...

    async def losses(self, shard_id: int, run_ids: Sequence[str]) -> dict[str, LossesRow]:
        """How often each of these runs has lost its worker since its code last came on: since the
        epoch of its last entry. Never is left out.
        """
        ...

    async def ends(self, shard_id: int, run_ids: Sequence[str]) -> list[EndRow]:
        """Whether these runs have ended; unknown ones are missing."""
        ...


class Waitpoints(Protocol):
    """Tokens and inputs: what others send to runs."""

    async def many(self, shard_id: int, token_ids: Sequence[str]) -> list[WaitpointRow]:
        """These tokens; unknown ones are missing."""
        ...

    async def page(self, shard_id: int, env_id: int, wanted: ListTokens) -> list[WaitpointRow]:
        """Newest first, at most `wanted.limit` + 1 rows; cursors as in `Runs.page`."""
        ...

    async def inputs(self, shard_id: int, wanted: Sequence[tuple[str, str, int]]) -> list[InputRow]:
        """The records of these (run id, stream, number) that are there."""
        ...

    async def last_inputs(
        self, shard_id: int, wanted: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], int]:
        """The highest number of each (run id, stream); 0 where there is none."""
        ...
