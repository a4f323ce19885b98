"""How many lines runs wrote over time: from what was counted, or by looking through the newest."""

from __future__ import annotations

from typing import Final

import msgspec

from mainspring.engine import series
from mainspring.engine.find_lines import LEVELS, PAGE_LIMIT, RANKS, find, level_of
from mainspring.engine.owner import Owner
from mainspring.errors import InvalidOptions
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire.measuring import CountLines, LineBucket, LineCounts, ReadMetric
from mainspring.wire.observing import FindLines

LOOKED_AT: Final = 20_000
BUCKETS: Final = 500


async def count(owner: Owner, env: EnvironmentRow, wanted: CountLines) -> LineCounts:
    """Lines by level in buckets of time. Raises: InvalidOptions."""
    if wanted.level not in LEVELS:
        raise InvalidOptions(f"level must be one of {', '.join(LEVELS)}.")
    now = owner.state.clock.now()
    until = now + 1 if wanted.until is None else min(wanted.until, now + 1)
    if not 0 <= wanted.since < until:
        raise InvalidOptions(f"since is {wanted.since} and until {until}; since must be before.")
    step = max((until - wanted.since) // max(1, min(wanted.buckets, BUCKETS)), 1)
    counted = _counted if not wanted.text else _searched
    return await counted(owner, env, wanted, until, step)


async def _counted(
    owner: Owner, env: EnvironmentRow, wanted: CountLines, until: int, step: int
) -> LineCounts:
    await owner.write_lines()
    where = {} if wanted.task is None else {"task": wanted.task}
    asked = ReadMetric("log.lines", wanted.since, until, step, ("level",), where)
    found = await series.read(owner, env, asked)
    buckets: dict[int, LineBucket] = {}
    for one in found.series:
        level = one.labels["level"]
        if RANKS.get(level, 1) >= RANKS[wanted.level]:
            for point in one.points:
                bucket = buckets.setdefault(point.at, LineBucket(point.at))
                setattr(bucket, level, int(point.total))
    shown = [buckets[at] for at in sorted(buckets)]
    return LineCounts(found.since, until, found.step_ms, shown)


async def _searched(
    owner: Owner, env: EnvironmentRow, wanted: CountLines, until: int, step: int
) -> LineCounts:
    counts = LineCounts(wanted.since, until, step, [])
    asked = FindLines(
        wanted.text, wanted.level, wanted.task, wanted.since, until - 1, limit=PAGE_LIMIT
    )
    buckets: dict[int, LineBucket] = {}
    left = LOOKED_AT
    while True:
        page = await find(owner, env, asked)
        for line in page.lines:
            at = line.at - (line.at - wanted.since) % step
            level = level_of(line.level)
            bucket = buckets.setdefault(at, LineBucket(at))
            setattr(bucket, level, getattr(bucket, level) + 1)
        left -= page.looked_at
        if page.next is None:
            break
        if left <= 0:
            counts.searched_to = page.searched_to
            break
        asked = msgspec.structs.replace(asked, after=page.next)
    counts.buckets = [buckets[at] for at in sorted(buckets)]
    return counts
