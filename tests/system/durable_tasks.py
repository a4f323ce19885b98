"""The tasks of the tests of durable runs. They write down what they do, outside of everything of
ours: `did` when a step's body is executed, `passed` when the code of the run has its result.
"""

import asyncio
import json
import os
import time

from mainspring import Context, current, step, sync, task, wait

HISTORY = os.open(os.environ["CRASH_HISTORY"], os.O_WRONLY | os.O_APPEND)


def write(event: str, **more: object) -> None:
    """One line, in one write: whole or absent, whatever kills the process."""
    ctx = current()
    line = {
        "event": event,
        "at": time.monotonic_ns(),
        "pid": os.getpid(),
        "run": ctx.run_id,
        "epoch": ctx.epoch,
        **more,
    }
    os.write(HISTORY, json.dumps(line).encode() + b"\n")


def work(name: str) -> str:
    """The body of every step: another word each time it is executed."""
    word = f"{name}-{os.urandom(4).hex()}"
    write("did", step=name, word=word)
    return word


async def do(name: str) -> str:
    word = await step(key=name)("work", work, name)
    write("passed", step=name, word=word)
    return word


@task
async def asked() -> str:
    """Waits until the test says so."""
    write("begin")
    before = await do("before")
    await wait.event("go on")
    after = await do("after")
    return f"{before} {after}"


@task
def asked_in_thread() -> str:
    before = sync.step("before", work, "before")
    sync.wait.event("go on")
    after = sync.step("after", work, "after")
    return f"{before} {after}"


@task
async def leaf(n: int, pause: float) -> int:
    await do("leaf")
    await wait.for_(pause)
    return n * n


@task
async def whole(ctx: Context, pause: float) -> dict[str, object]:
    """Steps, time, a child, children, branches, a token."""
    write("begin")
    words = [await do("first")]
    await wait.for_(pause)
    words.append(await do("second"))
    one = await leaf.trigger_and_wait(3, pause)
    many = await leaf.batch_trigger_and_wait([leaf.call(n, pause) for n in range(3)])

    async def branch(name: str) -> str:
        await wait.for_(pause)
        return await do(name)

    words += await asyncio.gather(branch("left"), branch("right"))
    token = await wait.create_token()
    write("token", token=token.id)
    words.append(await wait.token(token, str))
    words.append(await do("last"))
    return {"words": words, "one": one, "many": list(many)}


@task
def plain(pause: float) -> str:
    """A plain function, in a thread."""
    before = sync.step("before", work, "before")
    write("passed", step="before", word=before)
    sync.wait.for_(pause)
    after = sync.step("after", work, "after")
    write("passed", step="after", word=after)
    return f"{before} {after}"
