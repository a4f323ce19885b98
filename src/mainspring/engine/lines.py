"""Lines that runs have logged, on their way to the rows; only of runs that are the sender's."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from mainspring.engine.find_lines import level_of
from mainspring.engine.link import storable
from mainspring.engine.owner import Owner
from mainspring.engine.session import Session
from mainspring.wire.worker import LogLine, Logs, Told

MOST: Final = 500
"""Lines that wait at most before they are written."""
FOREIGN: Final = 10_000
"""Lines of other programs that a run takes."""
WAITING: Final = 5_000
"""Those of them that wait at most, also while the database is away."""


class Lines:
    """What the sessions of one shard have sent and is not written yet."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._sure: list[LogLine] = []
        self._late: list[tuple[int, LogLine]] = []
        self._foreign: Counter[str] = Counter()
        self._counted: list[tuple[int, str, str]] = []
        self._flushing = asyncio.Lock()

    def hear(self, session: Session, message: Logs | Told) -> bool:
        """Keep lines, or have spans and metrics kept; whether it is time to write them."""
        if isinstance(message, Told):
            self._owner.tellings.keep(session, message)
        else:
            for line in message.lines:
                self.keep(session, line)
        return self.are_many

    def keep(self, session: Session, line: LogLine) -> None:
        """Keep a line. Whose run it is, memory tells while it executes or is parked there; of
        another one the rows tell it when the lines are written.
        """
        live = self._owner.state.lives.get(line.run_id)
        if live is None and line.run_id not in session.parked:
            self._late.append((session.env_id, storable(line)))
        elif live is None or live.env_id == session.env_id:
            self._sure.append(storable(line))
        else:
            return
        task = live.task if live is not None else ""
        self._counted.append((session.env_id, level_of(line.level), task))

    def take(self, env_id: int, lines: list[LogLine]) -> int:
        """Keep lines of other programs that tell of these runs; how many are too many."""
        kept = 0
        if len(self._foreign) > WAITING:
            self._foreign.clear()
        for line in lines:
            if self._foreign[line.run_id] < FOREIGN and len(self._late) < WAITING:
                self._foreign[line.run_id] += 1
                self._late.append((env_id, storable(line)))
                self._counted.append((env_id, level_of(line.level), ""))
                kept += 1
        return len(lines) - kept

    @property
    def are_many(self) -> bool:
        """Whether it is time to write them."""
        return len(self._sure) + len(self._late) > MOST or self._owner.tellings.are_many

    async def flush(self) -> None:
        """Write them, and wake who follows them."""
        async with self._flushing:
            lines, self._sure = self._sure, []
            counted, self._counted = self._counted, []
            if counted:
                self._owner.measures.lines(counted)
            if self._late:
                late, self._late = self._late, []
                lines += await self._own(late)
            if lines:
                owner = self._owner
                await owner.store.runs.append_logs(owner.state.shard_id, lines)
                if owner.feed.is_watched:
                    owner.feed.publish(*{("logs", line.run_id) for line in lines})
        await self._owner.tellings.flush()

    async def _own(self, late: list[tuple[int, LogLine]]) -> list[LogLine]:
        owner = self._owner
        named = {line.run_id for _, line in late}
        ids = sorted(id_ for id_ in named if id_.isascii() and "\0" not in id_)
        envs = {
            end.run_id: end.env_id
            for end in await owner.store.waits.ends(owner.state.shard_id, ids)
        }
        return [line for env_id, line in late if envs.get(line.run_id) == env_id]
