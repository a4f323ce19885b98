"""What has become of a subject since a number: whole rows, each change once. Sends nothing."""

from __future__ import annotations

from typing import NamedTuple

from mainspring.server.port import ShowPort, WatchPort
from mainspring.server.watch.rows import Rows, Snapshot
from mainspring.server.watch.subject import MOST, Subject


class Found(NamedTuple):
    """Rows that changed, in the order of their changes, and the number up to which that is all."""

    rows: list[Snapshot]
    change: int


class Reader:
    """Reads one subject for one subscriber, who keeps the number and nothing else."""

    __slots__ = ("_rows", "_show", "subject", "watch")

    def __init__(self, subject: Subject, watch: WatchPort, show: ShowPort, rows: Rows) -> None:
        self.subject = subject
        self.watch = watch
        self._show = show
        self._rows = rows

    @property
    def last(self) -> int:
        """The number of the newest commit."""
        return self._show.last

    async def one(self) -> Snapshot | None:
        """The run that is watched, as it is now; None when there is none here."""
        run_id = self.subject.run_id
        found = await self._rows.get({run_id: self.watch.known(run_id)})
        return found.get(run_id)

    async def since(self, change: int) -> Found:
        """Every row that has changed after that number; -1 = every row.

        Runs go on changing while rows are read. So the answer ends before the first change that the
        rows cannot hold; what came later comes with the next one. Raises: StoreUnavailable.
        """
        while not self.watch.closed:
            self.watch.rung = False
            wanted, base = await self._wanted(change)
            found = await self._rows.get(wanted) if wanted else {}
            last, later = self._show.last, self.watch.since(base)
            if later is None:
                continue  # the owner of the runs began anew, and what it has told is forgotten
            for run_id, number in later.items():
                row = found.get(run_id)
                if (run_id not in wanted) if row is None else row.covers < number:
                    last = min(last, number - 1)
            rows = [row for row in found.values() if change < row.run.change <= last]
            rows = [row for row in rows if self.subject.shows(row.run)]
            rows.sort(key=lambda row: row.run.change)
            return Found(rows, last)
        return Found([], change)

    async def _wanted(self, change: int) -> tuple[dict[str, int | None], int]:
        """The runs to be read, with the number that each row has to hold, and the number up to
        which these are all that have changed.
        """
        changed = self.watch.since(change) if change >= 0 else None
        if changed is not None:
            return dict(changed), self._show.last
        subject = self.subject
        if subject.run_id:
            ids = [subject.run_id]
        else:
            ids = await self._show.latest(subject.tags, subject.batch_id, MOST)
            self.watch.expect(reversed(ids))
        return {run_id: self.watch.known(run_id) for run_id in ids}, self._show.last
