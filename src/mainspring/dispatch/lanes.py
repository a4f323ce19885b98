"""One lane of waiting runs and its window in memory. No limits, no fairness."""

from __future__ import annotations

LaneKey = tuple[int, str, str, str]
"""(environment, queue, concurrency key, version); "" = no key, "" = any version."""

Entry = tuple[int, str]
"""(ord, run id): ord is enqueue ms minus priority ms; lower goes first, ties by id."""

START: Entry = (-(1 << 62), "")
"""The cursor of a lane of which nothing has been read yet."""


class Lane:
    """The waiting runs of one lane key, and the handle that `claim` hands out.

    Attributes for the owner (read only):
        cursor: rows after this (ord, run id) exist only in the database, if `more`.
        more: whether the database may hold rows beyond the window.
    """

    cursor: Entry
    more: bool

    @property
    def address(self) -> LaneKey:
        """The lane's (environment, queue, key, version)."""
        raise NotImplementedError

    @property
    def queued(self) -> int:
        """All waiting runs of the lane, resumes included, in memory or not."""
        raise NotImplementedError
