"""What somebody watches: one run, or a list of runs. A value and its decisions; nothing is read."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from mainspring.model.run import Run
from mainspring.server.port import Topic

MOST: Final = 1_000
"""Runs that a list shows; the newest."""


class Subject(Struct, frozen=True):
    """One run, or all of an environment that have these tags or are of this batch.

    `created_from` (epoch ms) leaves out older runs.
    """

    env_id: int
    run_id: str = ""
    tags: tuple[str, ...] = ()
    batch_id: str | None = None
    created_from: int = 0

    @property
    def topic(self) -> Topic:
        """What the feed calls it. Lists that differ in their age alone are one topic."""
        if self.run_id:
            return ("run", self.run_id)
        if self.batch_id is not None:
            return ("batch", self.batch_id)
        if self.tags:
            return ("tag", self.env_id, *sorted(set(self.tags)))
        return ("env", self.env_id)

    def shows(self, run: Run) -> bool:
        """Whether the run belongs to it; asked of runs of the environment."""
        if self.run_id:
            return run.id == self.run_id
        return (
            run.created_at >= self.created_from
            and (self.batch_id is None or run.batch_id == self.batch_id)
            and set(self.tags).issubset(run.tags)
        )
