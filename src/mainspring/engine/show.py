"""What those who watch runs read of them: whole rows, which runs a list has, log lines."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.engine import versions
from mainspring.engine.connect import Door
from mainspring.engine.owner import Owner
from mainspring.engine.shown import hide
from mainspring.errors import StoreUnavailable
from mainspring.model.run import Run
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire.calls import LogEntry


class Show:
    """Reads for subscribers of one environment. Large payloads and outputs stay references.

    Every coroutine may raise StoreUnavailable.
    """

    def __init__(self, owner: Owner, door: Door, env: EnvironmentRow) -> None:
        self._owner = owner
        self._door = door
        self._env = env

    @property
    def last(self) -> int:
        """The number of the newest commit that is known to be durable."""
        return self._owner.feed.last

    async def runs(self, run_ids: Sequence[str]) -> list[Run]:
        """These runs as they are stored, unknown and foreign ones missing, and whether they wait
        for workers of their version at this moment: of that no number tells. Everything that their
        numbers stand for has been told to the watches when this returns.
        """
        owner = self._owner
        asked = [run_id for run_id in run_ids if run_id.isascii() and "\0" not in run_id]
        found = await owner.store.runs.many(owner.state.shard_id, asked) if asked else []
        found = [run for run in found if run.env_id == self._env.env_id]
        newest = max((run.change for run in found), default=0)
        while newest > owner.feed.last:  # durable, but its commit has not returned yet
            if owner.is_over:
                raise StoreUnavailable("This server does not own the run any more; repeat shortly.")
            await owner.turn_over()
        for run in found:
            versions.tell_pending(owner.state, run)
        redaction = await owner.variables.redaction(self._env)
        return [hide(redaction, run) for run in found] if redaction else found

    async def latest(self, tags: Sequence[str], batch_id: str | None, limit: int) -> list[str]:
        """Ids of the newest runs with all tags, or of a batch, or of all; newest first."""
        shard_id, env_id = self._owner.state.shard_id, self._env.env_id
        return await self._owner.store.runs.latest(shard_id, env_id, tags, batch_id, limit)

    async def lines(
        self, run_id: str, after: int, limit: int, *, whole: bool = False
    ) -> list[LogEntry]:
        """Log lines of a run of this environment after the number `after`, in order. `whole` = what
        was written up to now is stored first.
        """
        if whole:
            await self._door.flush_logs()
        owner = self._owner
        found = await owner.store.runs.logs(owner.state.shard_id, run_id, after, limit)
        redaction = await owner.variables.redaction(self._env)
        return [hide(redaction, line) for line in found] if redaction else found
