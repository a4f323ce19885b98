"""The task of the tests of streams: it writes down what it knows to be stored, outside of ours."""

import asyncio
import json
import os

from mainspring import Context, streams, task

HISTORY = os.open(os.environ["CRASH_HISTORY"], os.O_WRONLY | os.O_APPEND)


@task
async def talk(ctx: Context, count: int) -> int:
    out = streams.writer("out")
    for n in range(count):
        await out.write({"n": n, "pid": os.getpid()})
        await asyncio.sleep(0.001)
        if n % 7 == 0:
            await out.flush()
            line = {"run": ctx.run_id, "epoch": ctx.epoch, "stored": n, "pid": os.getpid()}
            os.write(HISTORY, json.dumps(line).encode() + b"\n")
    return count


@task(isolation="process")
def apart(count: int) -> int:
    """A plain function in a process of its own."""
    streams.append_sync("log", "begun")
    return streams.pipe_sync("out", range(count))
