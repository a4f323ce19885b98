"""What simulated runs do: plans for the tasks of `tasks`, from chance. Nothing is executed here."""

from __future__ import annotations

from random import Random
from typing import Any, Final

TASKS: Final = ("free", "free", "narrow", "single", "keyed", "rated")
EVENTS: Final = ("news", "weather")
DEEPEST: Final = 2


def plan(random: Random, depth: int = 0) -> list[Any]:
    """One to four verbs."""
    return [_verb(random, depth) for _ in range(random.choice((0, 1, 1, 2, 2, 3, 4)))]


def _verb(random: Random, depth: int) -> list[Any]:  # noqa: C901 - one line per verb is the table
    kinds = [
        "nap", "nap", "step", "step", "sleep", "sleep", "token", "event", "input", "flaky", "both",
        "emit", "metadata", "stream", "swallow", "again", "abort",
    ]  # fmt: skip
    if depth < DEEPEST:
        kinds += ["child", "child", "children", "fire"]
    kind = random.choice(kinds)
    match kind:
        case "nap" | "step":
            seconds = (0, 0.05, 0.5, 3.0) if random.random() < 0.9 else (16.0,)
            return [kind, random.choice(seconds)]
        case "swallow":
            return [kind, random.choice((0.5, 4.0))]
        case "sleep":
            return [kind, random.choice((0, 50, 700, 4_000, 9_000))]
        case "both":
            return [kind, random.choice((100, 3_000)), random.choice((100, 5_000))]
        case "token" | "input":
            return [kind, random.choice((500, 5_000, 14_000))]
        case "event":
            return [kind, random.choice(EVENTS), random.choice((500, 5_000, 14_000))]
        case "emit":
            return [kind, random.choice(EVENTS)]
        case "flaky":
            return [kind, random.choice((2, 2, 3, 9))]
        case "again":
            return [kind, plan(random, DEEPEST)]
        case "child" | "fire":
            return [kind, random.choice(TASKS), plan(random, depth + 1)]
        case "children":
            count = random.choice((1, 2, 3))
            return [kind, random.choice(TASKS), [plan(random, depth + 1) for _ in range(count)]]
        case _:
            return [kind]
