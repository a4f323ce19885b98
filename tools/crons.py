"""Our ticks against those of cronsim, over random expressions, zones and moments. `./dev crons`.

Where they differ, cronsim is only believed while it contradicts neither itself nor the clock. It
does when it says what we say if it begins to look at another moment before; and, of expressions
that follow real time, when it leaves out a minute whose wall clock fits, which is found by looking
at each. It goes hour by hour, so it loses its way where clocks change by a part of an hour, on the
half hour, or over midnight. Such samples are counted apart, and told with --all.
"""

import argparse
import contextlib
import random
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from mainspring.errors import InvalidOptions
from mainspring.model import schedule

FIRST, LAST = datetime(2012, 1, 1, tzinfo=UTC), datetime(2037, 1, 1, tzinfo=UTC)
"""Before 2012 some clocks went back over midnight, where cronsim finds no end."""
BEFORE, COUNT = timedelta(days=1), 3
_HOUR, _SECOND = timedelta(hours=1), timedelta(seconds=1)
_OTHERWISE = tuple(timedelta(hours=hours) for hours in (0, 1, 6, 12, 36, 60, 96))
"""How much earlier cronsim begins when it is asked again."""
_FIELDS = (
    (0, 59, ""),
    (0, 23, ""),
    (1, 31, "L LW"),
    (1, 12, "MAR OCT-NOV"),
    (0, 7, "MON-FRI 5L 1#2"),
)


@cache
def changes(name: str) -> tuple[datetime, ...]:
    """The hours in which the clocks of a zone change."""
    zone, found, at = ZoneInfo(name), [], FIRST
    while at < LAST:
        after = at + timedelta(days=7)
        if at.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
            hour = at
            while hour.astimezone(zone).utcoffset() == at.astimezone(zone).utcoffset():
                hour += _HOUR
            found.append(hour)
        at = after
    return tuple(found)


def is_regular(name: str) -> bool:
    """Whether clocks of the zone change by whole hours, on the hour, and leave out no midnight."""
    zone = ZoneInfo(name)
    steps = [FIRST + timedelta(days=days) for days in range(0, (LAST - FIRST).days, 25)]
    ahead = {step.astimezone(zone).utcoffset() or timedelta() for step in steps}
    if len(ahead) == 1:
        return True
    around = [(at - _SECOND, at) for at in changes(name)]
    days = [(a.astimezone(zone), b.astimezone(zone)) for a, b in around]
    return len({offset % _HOUR for offset in ahead}) == 1 and not any(
        after.minute or (before.date() != after.date() and after.hour) for before, after in days
    )


def expression(chance: random.Random) -> str:
    """An expression that may be read, of all kinds of fields."""
    fields = [_field(chance, *limits) for limits in _FIELDS]
    return " ".join(fields if chance.random() < 0.5 else [*fields[:2], "*", "*", "*"])


def _field(chance: random.Random, low: int, high: int, words: str) -> str:
    kind = chance.choice(["*", "*", "*/", "one", "list", "range", "steps", "word"])
    one, other = sorted((chance.randint(low, high), chance.randint(low, high)))
    return {
        "*": "*",
        "*/": f"*/{chance.randint(1, high)}",
        "one": str(one),
        "list": f"{one},{other}",
        "range": f"{one}-{other}",
        "steps": f"{one}-{other}/{chance.randint(1, min(9, high))}",  # more is refused
        "word": chance.choice(words.split() or ["*"]),
    }[kind]


def samples(count: int, seed: int, among: Sequence[str]) -> Iterator[tuple[str, str, datetime]]:
    """Expression, zone and moment; of the moments most are near a change of clocks."""
    chance = random.Random(seed)
    for _ in range(count):
        cron, zone = expression(chance), chance.choice(among)
        near = changes(zone) if chance.random() < 0.7 else ()
        seconds = (
            chance.randint(-2 * 86_400, 2 * 86_400) if near else chance.randint(0, 700_000_000)
        )
        yield cron, zone, (chance.choice(near) if near else FIRST) + timedelta(seconds=seconds)


class Found(NamedTuple):
    """A sample in which cronsim says something else; `doubtful` = it is proved to be wrong."""

    text: str
    doubtful: bool


def disagreements(count: int, seed: int, among: Sequence[str]) -> Iterator[Found]:
    """What of so many samples differs, in words."""
    for cron, zone, moment in samples(count, seed, among):
        after = round(moment.timestamp() * 1000)
        ours: tuple[int, ...] = ()
        with contextlib.suppress(InvalidOptions):  # else it differs where cronsim finds something
            schedule.check(cron, zone)
            ours = schedule.ticks(cron, zone, after, COUNT)
        if ours != (first := theirs(cron, zone, after)):
            others = {theirs(cron, zone, after, before) for before in _OTHERWISE}
            said = " or ".join(map(str, {first, *others}))
            text = f"{cron!r} in {zone} after {after}: {ours}, cronsim {said}"
            fits = ours == by_the_minute(cron, zone, after, ours)
            yield Found(text, ours != () and (ours in others or fits))


def by_the_minute(cron: str, zone: str, after: int, until: Sequence[int]) -> tuple[int, ...]:
    """The ticks later than `after` up to the last of `until`, found by a look at each minute; none
    of an expression with fixed times, whose ticks move when clocks do.
    """
    minute, hour, *_ = cron.split()
    if not until or not (minute.startswith("*") or hour.startswith("*")):
        return ()
    read, info, found = CronSim(cron, FIRST), ZoneInfo(zone), []
    for at in range((after // 60_000 + 1) * 60_000, until[-1] + 1, 60_000):
        wall = datetime.fromtimestamp(at / 1000, info)
        fits = wall.minute in read.minutes and wall.hour in read.hours
        if fits and wall.month in read.months and read.match_day(wall.date()):
            found.append(at)
    return tuple(found)


def theirs(cron: str, zone: str, after: int, before: timedelta = BEFORE) -> tuple[int, ...]:
    """What cronsim comes to when it begins so much earlier; nothing where it goes in a circle."""
    begin = datetime.fromtimestamp(after / 1000, UTC) - before
    found: list[int] = []
    last = -1
    try:
        for tick in CronSim(cron, begin.astimezone(ZoneInfo(zone))):
            at = round(tick.timestamp() * 1000)
            if at <= last:
                return ()
            last = at
            found += [at] if at > after else []
            if len(found) == COUNT:
                break
    except (CronSimError, ValueError):
        return ()
    return tuple(found)


def main(arguments: list[str]) -> int:
    """Prints what differs, and how much was compared."""
    parser = argparse.ArgumentParser(prog="./dev crons", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="Print these as well.")
    options = parser.parse_args(arguments)
    began, found, doubtful = time.monotonic(), 0, 0
    for sample in disagreements(options.count, options.seed, schedule.zones()):
        found, doubtful = found + (not sample.doubtful), doubtful + sample.doubtful
        if options.all or not sample.doubtful:
            print(sample.text, flush=True)
    took = time.monotonic() - began
    print(
        f"crons: {options.count:,} compared in {took:.0f} s, {found} differ; of {doubtful} cronsim "
        "says one thing or the other by where it begins"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
