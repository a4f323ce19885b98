"""Find lines among those of all runs: walked from the newest on, so many of them at a time."""

from __future__ import annotations

from typing import Final

from mainspring.engine.owner import Owner
from mainspring.errors import InvalidOptions
from mainspring.model.limits import NAME_LENGTH, check_text
from mainspring.store.observing import LineRow
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire.observing import FindLines, FoundLine, FoundLines

PAGE_LIMIT: Final = 500
PORTION: Final = 1_000
PORTIONS: Final = 5
"""Lines that are read at once, and how often for one page."""
RANKS: Final = {
    "trace": 0, "debug": 0, "info": 1, "log": 1, "warn": 2, "warning": 2, "error": 3,
    "critical": 3, "fatal": 3,
}  # fmt: skip
LEVELS: Final = ("debug", "info", "warn", "error")
_END: Final = 1 << 62


async def find(owner: Owner, env: EnvironmentRow, wanted: FindLines) -> FoundLines:
    """One page of lines, the newest first. Raises: InvalidOptions."""
    if wanted.level not in LEVELS:
        raise InvalidOptions(f"level must be one of {', '.join(LEVELS)}.")
    if wanted.text:
        check_text(wanted.text, "text", NAME_LENGTH)
    await owner.write_lines()
    limit, place = max(1, min(wanted.limit, PAGE_LIMIT)), _place(wanted)
    found: list[FoundLine] = []
    looked_at = 0
    text, least = wanted.text.lower(), RANKS[wanted.level]
    for _ in range(PORTIONS):
        rows = await owner.store.runs.observing.lines(
            owner.state.shard_id, place, max(wanted.since, 0), PORTION
        )
        for row in rows:
            place = row.at, row.run_id, row.seq
            looked_at += 1
            if row.env_id == env.env_id and _fits(row, wanted.task, text, least):
                found.append(_shown(row))
                if len(found) == limit:
                    return FoundLines(found, _cursor(place), row.at, looked_at)
        if len(rows) < PORTION:
            return FoundLines(found, looked_at=looked_at)
    return FoundLines(found, _cursor(place), place[0], looked_at)


def _fits(row: LineRow, task: str | None, text: str, least: int) -> bool:
    if RANKS.get(row.level.lower(), 1) < least or (task is not None and row.task != task):
        return False
    return not text or text in row.message.lower() or text in (row.data or "").lower()


def _cursor(place: tuple[int, str, int]) -> str:
    return ".".join(map(str, place))


def _place(wanted: FindLines) -> tuple[int, str, int]:
    """Where the search begins. Raises: InvalidOptions."""
    if wanted.after is None:
        return (_END if wanted.until is None else min(max(wanted.until, 0) + 1, _END)), "", 0
    at, _, rest = wanted.after.partition(".")
    run_id, _, seq = rest.partition(".")
    numbers = all(one.isascii() and one.isdigit() and len(one) < 16 for one in (at, seq))
    if not numbers or not run_id.isascii():
        raise InvalidOptions(f"after: {wanted.after[:60]!r} is no cursor of a page.")
    return int(at), run_id, int(seq)


def _shown(row: LineRow) -> FoundLine:
    return FoundLine(row.run_id, row.task or "", row.seq, row.at, row.level, row.message, row.data)


def level_of(text: str) -> str:
    """The level of a line as it is counted: debug, info, warn or error."""
    return LEVELS[RANKS.get(text.lower(), 1)]
