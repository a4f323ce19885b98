"""Our ticks against those of cronsim, over random expressions, zones and moments. `./dev crons`."""

import argparse
import random
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from mainspring.errors import InvalidOptions
from mainspring.model import schedule

FIRST, LAST = datetime(2012, 1, 1, tzinfo=UTC), datetime(2037, 1, 1, tzinfo=UTC)
"""Before 2012 some clocks went back over midnight, where cronsim finds no end."""
BEFORE, COUNT = timedelta(days=1), 3
_HOUR, _SECOND = timedelta(hours=1), timedelta(seconds=1)
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


@cache
def zones() -> tuple[str, ...]:
    """Zones whose clocks change by whole hours, on the hour, and leave out no midnight.

    Of the others cronsim, which goes hour by hour and begins each day at midnight, leaves out ticks
    by where it began to look.
    """
    return tuple(name for name in schedule.zones() if is_regular(name))


def is_regular(name: str) -> bool:
    """Whether cronsim can be compared with in this zone."""
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
        "steps": f"{one}-{other}/{chance.randint(1, 9)}",
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


def disagreements(count: int, seed: int, among: Sequence[str]) -> Iterator[str]:
    """What of so many samples differs, in words."""
    for cron, zone, moment in samples(count, seed, among):
        after = round(moment.timestamp() * 1000)
        try:
            schedule.check(cron, zone)
            ours = schedule.ticks(cron, zone, after, COUNT)
        except InvalidOptions:
            ours = ()
        if ours != (theirs := _theirs(cron, zone, after)):
            yield f"{cron!r} in {zone} after {after}: {ours}, cronsim {theirs}"


def _theirs(cron: str, zone: str, after: int) -> tuple[int, ...]:
    """What cronsim comes to when it begins a day earlier."""
    begin = datetime.fromtimestamp(after / 1000, UTC) - BEFORE
    found: list[int] = []
    try:
        for tick in CronSim(cron, begin.astimezone(ZoneInfo(zone))):
            at = round(tick.timestamp() * 1000)
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
    options = parser.parse_args(arguments)
    began, found = time.monotonic(), 0
    for text in disagreements(options.count, options.seed, zones()):
        found += 1
        print(text)
    took = time.monotonic() - began
    print(f"crons: {options.count:,} compared in {took:.0f} s, {found} differ")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
