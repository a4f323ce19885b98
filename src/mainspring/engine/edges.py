"""The open waits that a turn deals with, as they stand while it is planned. No rules."""

from __future__ import annotations

from collections.abc import Iterable

from mainspring.store.changes import Changes
from mainspring.store.waiting import EdgeRow

Place = tuple[str, str, str]
"""(run id, journal key, waitpoint id)."""
Wait = tuple[int, str, str]
"""(end, epoch ms; journal key, run id)."""


class Edges:
    """Rows of `wait_edge` that were read, with what the turn adds and drops.

    Of a run that was read as such every row is known; of one that was found by what it waits for
    only those rows, and how many others there are.
    """

    __slots__ = ("_gone", "_left", "_new", "_points", "_runs")

    def __init__(self) -> None:
        self._runs: dict[str, dict[Place, EdgeRow]] = {}
        self._points: dict[str, dict[Place, EdgeRow]] = {}
        self._left: dict[tuple[str, str], int] = {}
        self._new: dict[Place, EdgeRow] = {}
        self._gone: list[EdgeRow] = []

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._runs)

    def load(self, rows: Iterable[EdgeRow]) -> None:
        """Take in every row of some runs."""
        for row in rows:
            place = _place(row)
            if place not in self._runs.get(row.run_id, ()):
                self._keep(place, row)
                wait = (row.run_id, row.key)
                self._left[wait] = self._left.get(wait, 0) + 1

    def load_found(self, rows: Iterable[EdgeRow]) -> None:
        """Take in rows that were found by what they wait for; after `load`."""
        for row in rows:
            place = _place(row)
            if place not in self._runs.get(row.run_id, ()):
                self._keep(place, row)
                self._left[row.run_id, row.key] = row.total

    def is_open(self, run_id: str, key: str) -> bool:
        """Whether the run still waits under that key."""
        return self._left.get((run_id, key), 0) > 0

    def on(self, waitpoint_id: str) -> list[EdgeRow]:
        """Who waits for that."""
        return list(self._points.get(waitpoint_id, {}).values())

    def of(self, run_id: str) -> list[EdgeRow]:
        """What is known of what a run waits for."""
        return list(self._runs.get(run_id, {}).values())

    def add(self, row: EdgeRow) -> None:
        """Register a wait; one that is there stays."""
        place = _place(row)
        if place in self._runs.get(row.run_id, ()):
            return
        self._keep(place, row)
        self._new[place] = row
        wait = (row.run_id, row.key)
        self._left[wait] = self._left.get(wait, 0) + 1

    def drop(self, row: EdgeRow) -> int:
        """Take a row away; returns how many of its run and key are left."""
        place, wait = _place(row), (row.run_id, row.key)
        rows = self._runs.get(row.run_id)
        if rows is None or rows.pop(place, None) is None:
            return self._left.get(wait, 0)
        if not rows:
            del self._runs[row.run_id]
        self._points[row.waitpoint_id].pop(place)
        if self._new.pop(place, None) is None:
            self._gone.append(row)
        self._left[wait] -= 1
        return self._left[wait]

    def begun(self) -> set[Wait]:
        """The waits that the turn registers and that have an end by time."""
        return {(row.due_at, row.key, row.run_id) for row in self._new.values() if row.due_at}

    def over(self) -> set[Wait]:
        """The waits with an end by time that are over, and were there before the turn."""
        return {
            (row.due_at, row.key, row.run_id)
            for row in self._gone
            if row.due_at and not self._left[row.run_id, row.key]
        }

    def write(self, changes: Changes) -> None:
        """Put what was added and dropped into the commit."""
        changes.drop_edge.extend(map(_place, self._gone))
        changes.edge.extend(
            (
                row.run_id,
                row.key,
                row.waitpoint_id,
                row.kind,
                row.generation,
                row.seq,
                row.due_at,
                row.data,
                row.fingerprint,
                row.created_at,
            )
            for row in self._new.values()
        )

    def _keep(self, place: Place, row: EdgeRow) -> None:
        self._runs.setdefault(row.run_id, {})[place] = row
        self._points.setdefault(row.waitpoint_id, {})[place] = row


def _place(row: EdgeRow) -> Place:
    return (row.run_id, row.key, row.waitpoint_id)
