"""A run that goes on for many worker processes, and for two versions of its code."""

import json
import os
from pathlib import Path
from typing import Final

from mainspring import current, step, task, wait
from mainspring.sdk.sync import step as step_now, wait as wait_now

HISTORY: Final = os.open(os.environ["CRASH_HISTORY"], os.O_WRONLY | os.O_APPEND)
ENOUGH: Final = Path(os.environ["CRASH_HISTORY"]).with_name("enough")


def write(event: str, **more: object) -> None:
    """One line, in one write: whole or absent, whatever kills the process."""
    line = {"event": event, "run": current().run_id, "worker": os.getpid(), **more}
    os.write(HISTORY, json.dumps(line).encode() + b"\n")


def add(number: int) -> list[str | int]:
    """The body of every step: another word each time that it is executed."""
    word = f"{number}-{os.urandom(4).hex()}"
    write("did", number=number, word=word)
    return [word, number]


async def do(number: int) -> int:
    word, result = await step("add", add, number)
    write("passed", number=number, word=word)
    return int(result)


def do_now(number: int) -> int:
    word, result = step_now("add", add, number)
    write("passed", number=number, word=word)
    return int(result)


def enough() -> bool:
    """Whether the test has seen enough; a step, so that a replay takes as many rounds."""
    return ENOUGH.exists()


@task
async def square(n: int, pause: float) -> int:
    await wait.for_(pause)
    return n * n


@task
async def long(pause: float) -> tuple[int, int]:
    write("begin")
    n = total = 0
    while not await step("enough", enough):
        total += await do(n)
        await wait.for_(pause)
        if n % 3 == 0:
            total += await square.trigger_and_wait(n, pause)
        n += 1
    # a later version adds: total += await do(1_000_000)
    return n, total


@task
def long_plain(pause: float) -> tuple[int, int]:
    write("begin")
    n = total = 0
    while not step_now("enough", enough):
        total += do_now(n)
        wait_now.for_(pause)
        if n % 3 == 0:
            total += square.trigger_and_wait_sync(n, pause)
        n += 1
    # a later version adds: total += do_now(1_000_000)
    return n, total
