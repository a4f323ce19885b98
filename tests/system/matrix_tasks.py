"""One run with everything durable in it, in each isolation, which dies at a point of its journal.

A task is named `<isolation>.<point>`, that of its child `<isolation>.<point>.child`. At its point a
run kills the worker process that it is in, the first time that it comes by; or is held there until
the test lets go of it. What happens is written down outside of everything of ours: `did` when a
step's body has had its effect, `acked` when the engine has said that the result is stored, `passed`
when the code of the run has it.
"""

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from mainspring import Context, Retry, current, step, sync, task, wait
from mainspring.sdk.observe import WorkerEvent, on_worker_event
from mainspring.sdk.sync import step as step_now, wait as wait_now

HISTORY: Final = os.open(os.environ["CRASH_HISTORY"], os.O_WRONLY | os.O_APPEND)
ROOT: Final = Path(os.environ["CRASH_HISTORY"]).parent
WORKER: Final = os.getpid()
"""The process of the worker that imported this, also in what it has forked."""
FOREVER_S: Final = 600.0

WATCHED: Final = ("claimed", "resumed", "acked", "ended", "child acked", "child ended")
"""Points that the worker comes by, not the code."""
PASSED: Final = (
    "begin", "body one", "effect one", "sent 0", "sent 2", "passed", "on_wait", "parked",
    "on_resume", "body child", "body beside", "effect two", "over 0", "over 2",
)  # fmt: skip
CRASH: Final = "crash"
"""Where a process that is the run's own dies, and not its worker: that costs an attempt."""
HELD: Final = (
    "begin", "body one", "effect one", "passed", "parked", "woken", "body child", "body two",
    "returning",
)  # fmt: skip
"""Points at which a run is held for the test, instead."""
POINTS: Final = WATCHED + PASSED
"""`sent n` and `over n`: so many ms after a result was handed to the worker."""


def write(event: str, run: str, epoch: int, **more: object) -> None:
    """One line, in one write: whole or absent, whatever kills the process."""
    line = {
        "event": event,
        "at": time.time_ns() // 1_000_000,
        "pid": os.getpid(),
        "worker": WORKER,
        "run": run,
        "epoch": epoch,
        **more,
    }
    os.write(HISTORY, json.dumps(line).encode() + b"\n")


def say(event: str, **more: object) -> None:
    ctx = current()
    write(event, ctx.run_id, ctx.epoch, **more)


def first_time(run: str, point: str) -> bool:
    """Whether nobody has come by that point of the run; told to all who come later."""
    try:
        os.close(os.open(ROOT / f"{run} {point}", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def die(process: int = WORKER) -> None:
    """Nothing of this process, or of the code that it has forked, does anything any more."""
    os.kill(process, signal.SIGKILL)
    time.sleep(FOREVER_S)


def at(point: str) -> bool:
    """A point in the code; whether the run is to be held here. It may not come back."""
    ctx = current()
    wanted, held = ctx.task.split(".")[1], ctx.task.startswith("held")
    if wanted != point or not first_time(ctx.run_id, point):
        return False
    say("held" if held else "fired")
    if not held:
        die(os.getpid() if point == CRASH else WORKER)
    return held


def let_go() -> bool:
    return (ROOT / "let go").exists()


async def hold(point: str) -> None:
    if at(point):
        while not let_go():  # noqa: ASYNC110 - no event crosses the process border
            await asyncio.sleep(0.02)
        say("let go")


def hold_now(point: str) -> None:
    if at(point):
        while not let_go():
            time.sleep(0.02)
        say("let go")


def soon(point: str) -> None:
    """Points that are a moment after this one, by another thread."""
    ctx = current()
    wanted = ctx.task.split(".")[1]
    if wanted.startswith(point) and first_time(ctx.run_id, wanted):
        say("fired")
        late = threading.Timer(int(wanted.removeprefix(point)) / 1000, die)
        late.daemon = True
        late.start()


@on_worker_event
def watch(event: WorkerEvent) -> None:
    """Note what the engine has acknowledged, and die if that is the point."""
    name = event.task.split(".")
    if event.kind == "renew" or len(name) < 2:
        return
    if event.kind == "claim":
        point = "claimed" if event.epoch == 1 else "resumed"
        write("claim", event.run_id, event.epoch, session=event.session_id)
    else:
        point = "acked" if event.kind == "step" else "ended"
        write(point, event.run_id, event.epoch)
    if name[-1] == "child":
        point = f"child {point}"
    if point == name[1] and not name[0].startswith("held") and first_time(event.run_id, point):
        write("fired", event.run_id, event.epoch)
        die()


async def work(name: str) -> str:
    """The body of every step: another word each time that it is executed."""
    await hold(f"body {name}")
    word = f"{name}-{os.urandom(4).hex()}"
    say("did", step=name, word=word)
    await hold(f"effect {name}")
    soon("sent ")
    return word


def work_now(name: str) -> str:
    hold_now(f"body {name}")
    word = f"{name}-{os.urandom(4).hex()}"
    say("did", step=name, word=word)
    hold_now(f"effect {name}")
    soon("sent ")
    return word


async def do(name: str) -> str:
    word = await step(key=name)("work", work, name)
    say("passed", step=name, word=word)
    return word


def do_now(name: str) -> str:
    word = step_now(key=name)("work", work_now, name)
    say("passed", step=name, word=word)
    return word


def declare(isolation: str, point: str) -> None:
    """The task of a point, with its child and its hooks."""
    name = f"{isolation}.{point}"
    options: Any = {"retry": Retry(2 if point == CRASH else 1, min_delay=0)}
    if isolation.endswith("process"):
        options["isolation"] = "process"
    plain = isolation.endswith("thread")
    leaf = task(id=f"{name}.child", **options)(child_now if plain else child)
    main: Any = task(id=name, **options)((body_now if plain else body)(leaf, point))
    if point == "on_wait":
        main.on_wait(lambda ctx, waits: at("on_wait"))
    elif point == "on_resume":
        main.on_resume(lambda ctx, waits: at("on_resume"))


async def child(ctx: Context) -> str:
    say("begin", parent=ctx.parent_id)
    return await do("child")


def child_now(ctx: Context) -> str:
    say("begin", parent=ctx.parent_id)
    return do_now("child")


async def beside() -> None:
    """The wait that is beside it is durable before the first step is, so it has begun for good."""
    await do("before")
    await do("beside")


def body(leaf: Any, point: str) -> Callable[..., Any]:
    async def run(pause: float) -> dict[str, object]:
        say("begin")
        await hold("begin")
        one = await do("one")
        await hold("passed")
        if point == "body beside":
            await asyncio.gather(wait.for_(pause), beside())
        else:
            await wait.for_(pause)
        say("woken")
        await hold("woken")
        await hold(CRASH)
        of_child = await leaf.trigger_and_wait()
        token = await wait.create_token()
        say("token", token=token.id)
        granted = await wait.token(token, str)
        two = await do("two")
        await hold("returning")
        soon("over ")
        return {"words": [one, two], "child": of_child, "token": token.id, "granted": granted}

    return run


def body_now(leaf: Any, point: str) -> Callable[..., Any]:
    def run(pause: float) -> dict[str, object]:
        say("begin")
        hold_now("begin")
        one = do_now("one")
        hold_now("passed")
        wait_now.for_(pause)
        say("woken")
        hold_now("woken")
        of_child = leaf.trigger_and_wait_sync()
        token = sync.run(wait.create_token())
        say("token", token=token.id)
        granted = wait_now.token(token, str)
        two = do_now("two")
        hold_now("returning")
        soon("over ")
        return {"words": [one, two], "child": of_child, "token": token.id, "granted": granted}

    return run


for each_isolation in ("async", "thread", "process"):
    for each_point in POINTS:
        declare(each_isolation, each_point)
    declare(each_isolation, CRASH)
    for each_point in HELD:
        declare(f"held-{each_isolation}", each_point)
