"""The tasks behind the suites of the official npm packages."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from mainspring import AbortRun, Context, Queue, Retry, logger, metadata, step, streams, task, wait

narrow = Queue("narrow", concurrency_limit=3)
overridden = Queue("overridden", concurrency_limit=2)
answers = streams.input("answers")


@task
async def echo(value: Any = None) -> Any:
    """Its input is its output."""
    return value


@task
async def tomorrow(at: datetime) -> datetime:
    return at + timedelta(days=1)


@task
async def greet(name: str = "world") -> str:
    logger.info("greeting", name=name)
    return f"Hello, {name}!"


@task(queue=narrow)
async def narrowed(value: Any = None) -> Any:
    return value


@task(queue=overridden)
async def bounded(value: Any = None) -> Any:
    return value


@task
async def paused(value: Any = None) -> Any:
    """Of a queue that a test pauses."""
    return value


@task
async def held() -> None:
    """The same, for good."""


@task
async def stacked() -> None:
    """The same, many times."""


@task
async def fail(reason: str) -> None:
    raise AbortRun(reason)


@task
async def jam(reason: str) -> None:
    """Fails in a place of its own, for a group of its own."""
    raise AbortRun(reason)


@task
async def tear(reason: str) -> None:
    """The same."""
    raise AbortRun(reason)


@task
async def nested(n: int) -> dict[str, Any]:
    """A run with a child."""
    child = await echo.trigger_and_wait(n)
    return {"child": child}


@task
async def count(to: int, pause: float = 0.0) -> int:
    """Progress in metadata, one step after another."""
    metadata.set("total", to)
    for n in range(1, to + 1):
        metadata.set("done", n)
        await asyncio.sleep(pause)
    return to


@task
async def forever(ctx: Context) -> str:
    """Ends only by cancel."""
    metadata.set("state", "running")
    await ctx.canceled.wait()
    return "told to stop"


@task
async def approve(token: str) -> Any:
    """Waits for a token that the caller made."""
    return await wait.token(token)


@task
async def listen(records: int) -> list[Any]:
    """Reads so many records of its input stream."""
    return [await answers.wait(timeout="1m") for _ in range(records)]


@task
async def large(size: int) -> str:
    """An output of that many letters."""
    return "x" * size


@task
async def talk(words: int, pause: float = 0.0, key: str = "words") -> int:
    """Writes so many chunks to a stream."""
    out = streams.define(key)
    for n in range(words):
        await out.append({"n": n, "word": f"word {n}"})
        await asyncio.sleep(pause)
    return words


@task
async def paced(words: int) -> int:
    """Goes a step further, in metadata and stream, with every record that it is sent."""
    out = streams.define("words")
    for n in range(words):
        metadata.set("done", n)
        await out.append({"n": n, "word": f"word {n}"})
        await answers.wait(timeout="1m")
    metadata.set("done", words)
    return words


@task
async def tick() -> None:
    """What schedules trigger."""


async def double(n: int) -> int:
    return n * 2


@task
async def refine(n: int) -> int:
    """One step after another."""
    return await step("again", double, await step("double", double, n))


@task(retry=Retry(max_attempts=2, min_delay=0.1, max_delay=0.1))
async def wander(ctx: Context) -> int:
    """Asks in its second attempt for something else than its journal tells."""
    found = await step("double", double, ctx.attempt)
    if ctx.attempt == 1:
        raise RuntimeError("once more")
    return found
