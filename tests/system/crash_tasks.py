"""The tasks of the crash tests. Bodies write down what they do, outside of everything of ours."""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Iterator

from mainspring import Context, Queue, task

narrow = Queue("narrow", concurrency_limit=3)
keyed = Queue("keyed", concurrency_limit=1, total_limit=4)

HOST = os.getpid()  # of the worker process, also in those that it forks for runs
HISTORY = os.open(os.environ["CRASH_HISTORY"], os.O_WRONLY | os.O_APPEND)


def write(event: str, ctx: Context, epoch: int, **more: object) -> None:
    """One line, in one write: whole or absent, whatever kills the process."""
    line = {
        "event": event,
        "at": time.monotonic_ns(),
        "pid": HOST,
        "run": ctx.run_id,
        "epoch": epoch,
        "queue": ctx.queue,
        "key": ctx.concurrency_key,
        **more,
    }
    os.write(HISTORY, json.dumps(line).encode() + b"\n")


@contextlib.contextmanager
def written(ctx: Context) -> Iterator[str]:
    """Write down that the body began and that it is over; gives a word for its output."""
    epoch = ctx.epoch  # that in which the body began; a wait leads to another one
    word = f"{ctx.run_id}-{epoch}"
    write("begin", ctx, epoch)
    try:
        yield word
        write("effect", ctx, epoch, word=word)
    finally:
        write("over", ctx, epoch)


@task
async def quick(ctx: Context, pause: float) -> str:
    with written(ctx) as word:
        await asyncio.sleep(pause)
    return word


@task
def threaded(ctx: Context, pause: float) -> str:
    with written(ctx) as word:
        time.sleep(pause)
    return word


@task(queue=narrow)
async def limited(ctx: Context, pause: float) -> str:
    with written(ctx) as word:
        await asyncio.sleep(pause)
    return word


@task(queue=keyed)
async def apart(ctx: Context, pause: float) -> str:
    with written(ctx) as word:
        await asyncio.sleep(pause)
    return word


@task
async def family(ctx: Context, size: int) -> str:
    with written(ctx) as word:
        children = await quick.batch_trigger(
            [quick.with_options(idempotency_key=f"child-{n}").call(0.01) for n in range(size)]
        )
        words = [await child.result() for child in children]
        assert len(set(words)) == size
    return word


@task
async def stuck(ctx: Context) -> str:
    """Stays in its first claim until somebody kills it; goes through in the next one."""
    with written(ctx) as word:
        if ctx.epoch == 1:
            await asyncio.Event().wait()
    return word
