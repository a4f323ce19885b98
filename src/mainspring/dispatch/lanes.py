"""The waiting runs of one lane: a window in memory on a backlog in the database. No limits here."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

LaneKey = tuple[int, str, str, str]
"""(environment, queue, concurrency key, version); "" = no key, "" = any version."""

Entry = tuple[int, str]
"""(ord, run id): ord is enqueue ms minus priority ms; lower goes first, ties by id."""

COMPACT_FROM = 32

# A waiting run is one text: its ord in 16 digits, then its id. It sorts as the tuple does, costs
# the collector nothing and takes about 100 bytes instead of 185.
_DIGITS = 16
_BIAS = 2 * 10**15  # ord may lie between -1e15 and 8e15
_START = ""


def pack(ord: int, run_id: str) -> str:
    """Return the text of an entry; texts sort as entries do."""
    return str(ord + _BIAS) + run_id


def unpack(text: str) -> Entry:
    """Return the entry of a text."""
    return int(text[:_DIGITS]) - _BIAS, text[_DIGITS:]


class Reading:
    """What happened beyond the cursor of a lane while its rows are being read."""

    __slots__ = ("gone", "late", "stale")

    def __init__(self) -> None:
        self.late: list[str] = []
        self.gone: set[str] = set()
        self.stale = False


class Window:
    """Waiting runs in order; the first of them in memory, the rest known by their number.

    `items[head:]` is sorted, and not empty unless `items` is. Taking from the front moves `head`,
    so that both ends are cheap; a run out of order is found by bisection, which makes removal
    exact and needs no tombstones.

    Attributes:
        end: the text after which runs exist only in the database; None if all are in memory.
        beyond: number of runs after the end.
        resumes: runs that go on (sorted), ahead of all others; always in memory.
        costs: rate cost of the runs in memory that cost other than 1, by text.
        reading: set while the rows after the end are being read.
    """

    __slots__ = ("beyond", "costs", "end", "head", "items", "reading", "resumes")

    def __init__(self) -> None:
        self.items: list[str] = []
        self.head = 0
        self.beyond = 0
        self.end: str | None = None
        self.resumes: list[str] | None = None
        self.costs: dict[str, int] | None = None
        self.reading: Reading | None = None

    @property
    def cursor(self) -> Entry | None:
        """The (ord, run id) after which rows exist only in the database.

        None if every run is in memory; (-2**62, "") if nothing was read yet.
        """
        if self.end is None:
            return None
        return unpack(self.end) if self.end else (-(1 << 62), "")

    @property
    def queued(self) -> int:
        """All waiting runs, resumes included, in memory or not."""
        return self.in_memory + self.beyond + (len(self.resumes) if self.resumes else 0)

    @property
    def in_memory(self) -> int:
        """Waiting runs of the window, without resumes."""
        return len(self.items) - self.head

    def reset(self, beyond: int, cursor: Entry | None) -> None:
        """Forget the window: `beyond` runs lie after the cursor, in the database. Resumes stay."""
        self.items.clear()
        self.head = 0
        self.costs = None
        self.beyond = beyond
        self.end = _START if cursor is None else pack(*cursor)
        if self.reading is not None:
            self.reading.stale = True

    def insert(self, text: str, high: int) -> bool:
        """Take a run in at its place; False if the window held it already.

        What then lies above `high` runs in memory is left to the database.
        """
        if self.end is not None and text > self.end:
            self.beyond += 1
            if self.reading is not None:
                self.reading.gone.discard(text)
                self.reading.late.append(text)
            return True
        items = self.items
        if not items or text > items[-1]:
            items.append(text)
        else:
            at = bisect_left(items, text, self.head)
            if at < len(items) and items[at] == text:
                return False
            items.insert(at, text)
        if len(items) - self.head > high and self.reading is None:
            self._trim(high)
        return True

    def insert_resume(self, text: str) -> bool:
        """Take in a run that goes on; False if it waits already."""
        if self.resumes is None:
            self.resumes = []
        at = bisect_left(self.resumes, text)
        if at < len(self.resumes) and self.resumes[at] == text:
            return False
        self.resumes.insert(at, text)
        return True

    def discard(self, text: str) -> bool:
        """Take a run out; False if it is not here. Beyond the end the caller is believed."""
        if self.end is not None and text > self.end:
            if not self.beyond:
                return False
            self.beyond -= 1
            if self.reading is not None:
                self.reading.gone.add(text)
            return True
        at = bisect_left(self.items, text, self.head)
        if at == len(self.items) or self.items[at] != text:
            return False
        del self.items[at]
        if self.head == len(self.items):
            self.items.clear()
            self.head = 0
        self.take_cost(text)
        return True

    def discard_resume(self, text: str) -> bool:
        """Take a run that goes on out; False if it is not here."""
        resumes = self.resumes or []
        at = bisect_left(resumes, text)
        if at == len(resumes) or resumes[at] != text:
            return False
        del resumes[at]
        self.resumes = resumes or None
        return True

    def take(self, n: int) -> list[str]:
        """Take the first `n` runs of the window, or all if it holds fewer."""
        items, head = self.items, self.head
        stop = head + n
        taken = items[head:stop]
        if stop >= len(items):
            items.clear()
            self.head = 0
        elif stop >= COMPACT_FROM and 2 * stop >= len(items):
            del items[:stop]
            self.head = 0
        else:
            self.head = stop
        return taken

    def take_resume(self) -> str:
        """Take the first run that goes on. There must be one."""
        assert self.resumes
        text = self.resumes.pop(0)
        self.resumes = self.resumes or None
        return text

    def first_cost(self) -> int:
        """Return the rate cost of the first run of the window."""
        return self.costs.get(self.items[self.head], 1) if self.costs else 1

    def set_cost(self, text: str, cost: int) -> None:
        """Remember what a run costs, if it is in memory; 1 needs no memory."""
        beyond = self.end is not None and text > self.end
        if cost != 1 and not (beyond and self.reading is None):
            if self.costs is None:
                self.costs = {}
            self.costs[text] = cost

    def take_cost(self, text: str) -> int:
        """Return the cost of a run that leaves the window."""
        if self.costs is None:
            return 1
        cost = self.costs.pop(text, 1)
        self.costs = self.costs or None
        return cost

    def extend(
        self, entries: Sequence[Entry], exhausted: bool, costs: Mapping[str, int] | None
    ) -> int:
        """Take in the rows read after the end; returns by how much `queued` was wrong.

        Runs that were pushed or removed while the rows were being read are merged. Reading to the
        end of the lane corrects the count: the database is right.
        """
        reading, self.reading = self.reading, None
        assert reading is not None, "refill of a lane that did not ask for it"
        if reading.stale or (not entries and not exhausted):
            for text in reading.late:
                self.take_cost(text)
            return 0
        read = [pack(*entry) for entry in entries]
        end = read[-1] if read else _START
        late = [text for text in reading.late if exhausted or text <= end]
        fresh = sorted({*read, *late} - reading.gone) if late or reading.gone else read
        self.items.extend(fresh)
        left = self.beyond - len(fresh)
        self.beyond = 0 if exhausted else max(left, 0)
        self.end = None if exhausted else end
        for ord, run_id in entries if costs else ():
            text = pack(ord, run_id)
            if text not in reading.gone:
                self.set_cost(text, costs.get(run_id, 1) if costs else 1)
        if self.costs is not None:
            for text in {*reading.late, *reading.gone}.difference(fresh):
                self.take_cost(text)
        return self.beyond - left

    def position(self, text: str, resume: bool) -> tuple[int, bool]:
        """Return how many runs go first, and whether that is exact; else it is at least that."""
        resumes = self.resumes or []
        if resume:
            return bisect_left(resumes, text), True
        if self.end is not None and text > self.end:
            return len(resumes) + self.in_memory, False
        return len(resumes) + bisect_left(self.items, text, self.head) - self.head, True

    def _trim(self, high: int) -> None:
        items, keep = self.items, self.head + high
        for text in items[keep:] if self.costs else ():
            self.take_cost(text)
        self.beyond += len(items) - keep
        del items[keep:]
        self.end = items[-1]


def first(window: Window) -> Entry | None:
    """The run in memory that goes first, one that goes on before all others; None = none is."""
    texts = (window.resumes or [])[:1] or window.items[window.head : window.head + 1]
    return unpack(texts[0]) if texts else None
