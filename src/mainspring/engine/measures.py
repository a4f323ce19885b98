"""What a shard counts of itself and of the programs of its runs, and how that reaches the rows."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from mainspring.engine.batch import Batch
from mainspring.engine.state import State
from mainspring.errors import MainspringError
from mainspring.store.changes import Claimed, Row
from mainspring.store.measuring import MetricRow
from mainspring.store.protocol import Store
from mainspring.telemetry import book
from mainspring.telemetry.book import Book, Series
from mainspring.telemetry.measures import BY_NAME

EVERY_MS: Final = 10_000
"""How often gauges are read and everything is written."""
PORTION: Final = 500
"""Rows that are written, or deleted, at once."""
PORTIONS: Final = 20
"""Portions of one kind that are deleted at a look: more than can be written until the next one."""

log = logging.getLogger("mainspring.engine")
_encode: Final = msgspec.json.Encoder().encode


class Measures:
    """Counts what commits did and what workers say, in memory; writes every ten seconds.

    A crash takes what was not written. Nothing waits for it; what is too much is dropped and
    counted.

    Attributes:
        on: whether anything is counted.
        part: the epoch under which this owner began; its rows are its own.
    """

    def __init__(self, state: State, store: Store) -> None:
        self.on = True
        self.part = 0
        self.book = Book()
        self._state = state
        self._store = store
        self._known: dict[tuple[str, int, tuple[str, ...]], Series | None] = {}
        self._shown: set[tuple[str, int, str]] = set()
        self._next = 0
        self._sweep = 0
        self._writing = asyncio.Lock()
        self._changed = False

    def commit(self, batch: Batch, claimed: list[Claimed]) -> None:
        """What a turn has committed is durable: count what became of runs."""
        changes = batch.changes
        if not self.on or not changes.change:
            return
        self.turn(batch.now)
        if changes.run:
            for (env_id, task, queue), count in Counter(row[1:4] for row in changes.run).items():
                self.grow("runs.triggered", env_id, (queue, task), count)
        if changes.done:
            self._ended(changes.done)
        for row in changes.fault:
            self.grow("runs.failed", row[0], (row[1], row[2]), row[6])
        if claimed or changes.start:
            self._started(batch, claimed)
        for row in changes.park:
            if row[6] == "retry":
                self.grow("attempts.retried", row[1], (row[2],))

    def grow(self, name: str, env_id: int, values: tuple[str, ...], by: int = 1) -> None:
        """One of our own counters grew, after `turn`; `values` are those of its labels."""
        series = self._own(name, env_id, values)
        if series is not None:
            series.open.grow(by)

    def lines(self, found: Iterable[tuple[int, str, str]]) -> None:
        """Runs wrote lines of these (environment, level, task)."""
        if self.on:
            self.turn(self._state.clock.now())
            for (env_id, level, task), count in Counter(found).items():
                self.grow("log.lines", env_id, (level, task), count)

    def turn(self, now: int) -> None:
        """Something is about to be counted."""
        self._changed = True
        if self.book.turn(now):
            self._known.clear()

    async def look(self, keep_ms: int) -> None:
        """Read the gauges and write, if it is time. Hours stay for `keep_ms`; 0 = for ever.

        Raises: StoreUnavailable.
        """
        now = self._state.clock.now()
        if not self.on or now < self._next:
            return
        self._next = now - now % EVERY_MS + EVERY_MS
        self._read_gauges(now)
        await self.flush()
        if now >= self._sweep and await self._forget(now, keep_ms):
            self._sweep = now + book.HOUR_MS

    async def flush(self) -> None:
        """Write what was counted since the last time; a database that is away gets it later."""
        if not self._changed or not self.part:
            return
        async with self._writing:
            self.turn(self._state.clock.now())
            self._changed = False
            rows = [_row(self.part, found) for found in self.book.rows()]
            try:
                for first in range(0, len(rows), PORTION):
                    portion = rows[first : first + PORTION]
                    await self._store.runs.measuring.set(self._state.shard_id, portion)
            except MainspringError as error:
                self._changed = True
                log.warning("what is measured is written later: %s", error.message)
            else:
                self.book.written()

    async def _forget(self, now: int, keep_ms: int) -> bool:
        """Delete a piece of what is old; whether that was all."""
        measuring, shard_id = self._store.runs.measuring, self._state.shard_id
        all_gone = True
        for step_ms, keep in ((book.MINUTE_MS, book.MINUTES_MS), (book.HOUR_MS, keep_ms)):
            found, portions = PORTION, PORTIONS if keep else 0
            while found == PORTION and portions:
                found = await measuring.forget(shard_id, step_ms, now - keep, PORTION)
                portions -= 1
            all_gone &= found < PORTION or not keep
        return all_gone

    def _ended(self, rows: Sequence[Row]) -> None:
        groups: dict[tuple[int, str, str, str], list[int]] = {}
        for row in rows:
            took = row[11] - row[10] if row[10] else -1  # it never began
            groups.setdefault(row[1:5], []).append(took)
        for (env_id, task, queue, status), found in groups.items():
            self.grow("runs.ended", env_id, (queue, status, task), len(found))
            self._spread("runs.duration", env_id, (queue, task), found)

    def _started(self, batch: Batch, claimed: list[Claimed]) -> None:
        groups: dict[tuple[int, str, str], list[int]] = {}
        for row in claimed:
            if row.epoch != 1:
                continue
            picked = batch.picked[row.run_id]
            ready_at = picked.ord
            if row.options:
                live = self._state.lives.get(row.run_id)
                if live is not None and live.options is not None:
                    ready_at += live.options.priority_ms
            queue = picked.lane.key.queue
            group = (queue.env.id, row.task, queue.name)
            groups.setdefault(group, []).append(max(batch.now - max(ready_at, row.created_at), 0))
        for start in batch.changes.start:
            live = self._state.lives.get(start[0])
            if live is not None:
                groups.setdefault((start[1], live.task, start[2]), []).append(0)
        for (env_id, task, queue_name), found in groups.items():
            self.grow("runs.started", env_id, (queue_name, task), len(found))
            self._spread("runs.wait", env_id, (queue_name, task), found)

    def _spread(self, name: str, env_id: int, values: tuple[str, ...], found: list[int]) -> None:
        series = self._own(name, env_id, values)
        if series is not None:
            for value, times in Counter(found).items():
                if value >= 0:
                    series.open.spread(value, times)

    def _read_gauges(self, now: int) -> None:
        changed = self._changed
        self.turn(now)
        self._changed = changed
        for name, env_id, label, value in self._gauges():
            shown = (name, env_id, label)
            if not value and shown not in self._shown:
                continue
            (self._shown.add if value else self._shown.discard)(shown)
            series = self._own(name, env_id, (label,) if label else ())
            if series is not None:
                series.open.see(value)
                self._changed = True

    def _gauges(self) -> Iterator[tuple[str, int, str, int]]:
        """(name, environment, queue or "", value) of everything that stands at some value."""
        state = self._state
        for env_id, env in state.core.tree.environments.items():
            for name, queue in env.queues.items():
                yield "queue.queued", env_id, name, queue.queued
                yield "queue.running", env_id, name, queue.running
        for env_id in state.environments:
            sessions = [one for one in state.sessions.values() if one.env_id == env_id]
            yield "workers.sessions", env_id, "", len(sessions)
            yield "workers.slots", env_id, "", sum(one.slots for one in sessions)
            yield "workers.running", env_id, "", sum(len(one.holds) for one in sessions)

    def _own(self, name: str, env_id: int, values: tuple[str, ...]) -> Series | None:
        known = (name, env_id, values)
        if known in self._known:
            return self._known[known]
        measure = BY_NAME[name]
        labels = tuple(zip(measure.labels, values, strict=True))
        found = self._known[known] = self.book.series(env_id, name, measure.kind, labels)
        return found


def _row(part: int, found: book.Row) -> MetricRow:
    key, step_ms, at, cell = found
    return MetricRow(
        key.env_id,
        step_ms,
        key.name,
        at,
        _encode(dict(key.labels)).decode(),
        part,
        key.kind,
        cell.count,
        cell.total,
        cell.low,
        cell.high,
        cell.last,
        _encode(cell.buckets).decode() if cell.buckets else None,
    )
