"""The waiting runs of one lane: a window in memory on a backlog in the database. No limits here."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

LaneKey = tuple[int, str, str, str]
"""(environment, queue, concurrency key, version); "" = no key, "" = any version."""

Entry = tuple[int, str]
"""(ord, run id): ord is enqueue ms minus priority ms; lower goes first, ties by id."""

START: Entry = (-(1 << 62), "")
"""The cursor of a lane of which nothing has been read yet."""

COMPACT_FROM = 32


class Reading:
    """What happened beyond the cursor of a lane while its rows are being read."""

    __slots__ = ("gone", "late", "stale")

    def __init__(self) -> None:
        self.late: list[Entry] = []
        self.gone: set[Entry] = set()
        self.stale = False


class Window:
    """Waiting runs in order; the first of them in memory, the rest known by their number.

    `items[head:]` is sorted. Taking from the front moves `head`, so that both ends are cheap; a
    run out of order is found by bisection, which makes removal exact and needs no tombstones.

    Attributes:
        cursor: rows after it exist only in the database; None if every run is in memory.
        beyond: number of runs after the cursor.
        resumes: runs that go on (sorted), ahead of all others; always in memory.
        costs: rate cost of the runs in memory that cost other than 1.
        reading: set while the rows after the cursor are being read.
    """

    __slots__ = ("beyond", "costs", "cursor", "head", "items", "reading", "resumes")

    def __init__(self) -> None:
        self.items: list[Entry] = []
        self.head = 0
        self.beyond = 0
        self.cursor: Entry | None = None
        self.resumes: list[Entry] | None = None
        self.costs: dict[str, int] | None = None
        self.reading: Reading | None = None

    @property
    def more(self) -> bool:
        """Whether the database may hold runs that are not in memory."""
        return self.cursor is not None

    @property
    def queued(self) -> int:
        """All waiting runs, resumes included, in memory or not."""
        return self.in_memory + self.beyond + (len(self.resumes) if self.resumes else 0)

    @property
    def in_memory(self) -> int:
        """Waiting runs of the window, without resumes."""
        return len(self.items) - self.head

    def reset(self, beyond: int, cursor: Entry) -> None:
        """Forget the window: `beyond` runs lie after the cursor, in the database. Resumes stay."""
        self.items.clear()
        self.head = 0
        self.costs = None
        self.beyond = beyond
        self.cursor = cursor
        if self.reading is not None:
            self.reading.stale = True

    def insert(self, entry: Entry, high: int) -> bool:
        """Take a run in at its place; False if the window held it already.

        Above `high` runs in memory the last one is left to the database.
        """
        cursor = self.cursor
        if cursor is not None and entry > cursor:
            self.beyond += 1
            if self.reading is not None:
                self.reading.gone.discard(entry)
                self.reading.late.append(entry)
            return True
        items = self.items
        if not items or entry > items[-1]:
            items.append(entry)
        else:
            at = bisect_left(items, entry, self.head)
            if at < len(items) and items[at] == entry:
                return False
            items.insert(at, entry)
        if len(items) - self.head > high and self.reading is None:
            self._forget_cost(items.pop()[1])
            self.beyond += 1
            self.cursor = items[-1]
        return True

    def insert_resume(self, entry: Entry) -> bool:
        """Take in a run that goes on; False if it waits already."""
        if self.resumes is None:
            self.resumes = []
        at = bisect_left(self.resumes, entry)
        if at < len(self.resumes) and self.resumes[at] == entry:
            return False
        self.resumes.insert(at, entry)
        return True

    def discard(self, entry: Entry, resume: bool) -> bool:
        """Take a run out; False if it is not here. Beyond the cursor the caller is believed."""
        if resume:
            return self._discard_resume(entry)
        if self.cursor is not None and entry > self.cursor:
            if not self.beyond:
                return False
            self.beyond -= 1
            if self.reading is not None:
                self.reading.gone.add(entry)
            return True
        at = bisect_left(self.items, entry, self.head)
        if at == len(self.items) or self.items[at] != entry:
            return False
        del self.items[at]
        self._forget_cost(entry[1])
        return True

    def take(self, n: int) -> list[Entry]:
        """Take the first `n` runs of the window, or all if it holds fewer."""
        items, head = self.items, self.head
        end = head + n
        taken = items[head:end]
        if end >= len(items):
            items.clear()
            self.head = 0
        elif end >= COMPACT_FROM and 2 * end >= len(items):
            del items[:end]
            self.head = 0
        else:
            self.head = end
        return taken

    def take_resume(self) -> Entry:
        """Take the first run that goes on. There must be one."""
        resumes = self.resumes
        assert resumes
        entry = resumes.pop(0)
        if not resumes:
            self.resumes = None
        return entry

    def first_cost(self) -> int:
        """Return the rate cost of the first run of the window."""
        return 1 if self.costs is None else self.costs.get(self.items[self.head][1], 1)

    def set_cost(self, entry: Entry, cost: int) -> None:
        """Remember what a run costs, if it is in memory; 1 needs no memory."""
        beyond = self.cursor is not None and entry > self.cursor
        if cost != 1 and not (beyond and self.reading is None):
            if self.costs is None:
                self.costs = {}
            self.costs[entry[1]] = cost

    def take_cost(self, run_id: str) -> int:
        """Return the cost of a run that leaves the window."""
        cost = 1 if self.costs is None else self.costs.get(run_id, 1)
        self._forget_cost(run_id)
        return cost

    def extend(
        self, entries: Sequence[Entry], exhausted: bool, costs: Mapping[str, int] | None
    ) -> int:
        """Take in the rows read after the cursor; returns by how much `queued` was wrong.

        Runs that were pushed or removed while the rows were being read are merged. Reading to the
        end corrects the count: the database is right.
        """
        reading, self.reading = self.reading, None
        assert reading is not None
        if reading.stale or (not entries and not exhausted):
            return 0
        end = entries[-1] if entries else START
        late = [entry for entry in reading.late if exhausted or entry <= end]
        fresh = sorted({*entries, *late} - reading.gone) if late or reading.gone else entries
        self.items.extend(fresh)
        left = self.beyond - len(fresh)
        self.beyond = 0 if exhausted else max(left, 0)
        self.cursor = None if exhausted else end
        if costs:
            for entry in fresh:
                self.set_cost(entry, costs.get(entry[1], 1))
        if self.costs is not None and not exhausted:
            for entry in reading.late:
                if entry > end:
                    self._forget_cost(entry[1])
        return self.beyond - left

    def position(self, entry: Entry, resume: bool) -> tuple[int, bool]:
        """Return how many runs go first, and whether that is exact; else it is at least that."""
        resumes = self.resumes or []
        if resume:
            return bisect_left(resumes, entry), True
        if self.cursor is not None and entry > self.cursor:
            return len(resumes) + self.in_memory, False
        return len(resumes) + bisect_left(self.items, entry, self.head) - self.head, True

    def _discard_resume(self, entry: Entry) -> bool:
        resumes = self.resumes or []
        at = bisect_left(resumes, entry)
        if at == len(resumes) or resumes[at] != entry:
            return False
        del resumes[at]
        if not resumes:
            self.resumes = None
        return True

    def _forget_cost(self, run_id: str) -> None:
        if self.costs is not None and self.costs.pop(run_id, None) is not None and not self.costs:
            self.costs = None
