"""Tasks whose runs have processes of their own; imported by a zygote and by the test."""

# ruff: noqa: T201, ASYNC221, ASYNC240 - this is what code of users does

import asyncio
import ctypes
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from mainspring.sdk.context import Context, current
from mainspring.sdk.decorate import task
from mainspring.sdk.limits import Retry
from mainspring.sdk.logger import logger
from mainspring.sdk.machine import Machine
from mainspring.wire.worker import Entry, Wait

SLEEPER = [sys.executable, "-c", "import time; time.sleep(1000)"]


@task(isolation="process")
async def about() -> dict[str, object]:
    """What a process is like."""
    return {
        "pid": os.getpid(),
        "session": os.getsid(0),
        "main": threading.current_thread() is threading.main_thread(),
        "chance": random.random(),
        "handled": [
            int(number)
            for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP)
            if signal.getsignal(number) is not signal.SIG_DFL
        ],
        "at": time.monotonic(),
        "run": current().run_id,
    }


@task(isolation="process")
def plain_about(ctx: Context) -> dict[str, object]:
    return {
        "pid": os.getpid(),
        "main": threading.current_thread() is threading.main_thread(),
        "at": time.monotonic(),
        "environment": ctx.environment,
    }


@task(isolation="process")
async def talk() -> None:
    print("printed")
    logger.info("logged", n=1)
    logging.getLogger("users").warning("of logging")
    os.write(1, b"raw\n")
    subprocess.run([sys.executable, "-c", "print('of another program')"], check=True)


@task(isolation="process")
async def fail() -> None:
    raise ValueError("no")


@task(isolation="process")
async def leave(status: int) -> None:
    print("last words")
    os._exit(status)


@task(isolation="process")
def fall_over() -> None:
    ctypes.string_at(0)


@task(isolation="process")
async def be_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@task(isolation="process", machine=Machine(memory="64mb"), retry=Retry(on_out_of_memory="micro"))
def hog(megabytes: int) -> int:
    kept = []
    for _ in range(megabytes):
        kept.append(bytearray(b"x" * 1024 * 1024))
        time.sleep(0.002)
    return len(kept)


@task(isolation="process", machine="micro", retry=Retry(on_out_of_memory="small-1x"))
def give_up() -> None:
    raise MemoryError


@task(isolation="process", machine=Machine(cpu_seconds=1))
def spin() -> None:
    while True:
        pass


@task(isolation="process")
async def block() -> None:
    print("blocks")
    while True:
        pass


@task(isolation="process")
async def wait_long(folder: str) -> None:
    try:
        Path(folder, "began").write_text(str(os.getpid()))
        await asyncio.sleep(1000)
    finally:
        print("cleans up")


@task(isolation="process")
def sleep_long(folder: str) -> None:
    Path(folder, "began").write_text(str(os.getpid()))
    try:
        time.sleep(1000)
    finally:
        print("cleans up")


@task(isolation="process")
def breed(folder: str) -> None:
    """Leave children behind in every way there is, and do not react to being told to end."""
    near = subprocess.Popen(SLEEPER)
    far = subprocess.Popen(SLEEPER, start_new_session=True)
    # a daemon: its parent ends at once
    code = (
        "import subprocess as s; "
        f"print(s.Popen({SLEEPER!r}, start_new_session=True, stdout=s.DEVNULL).pid)"
    )
    daemon = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True).stdout
    pids = [os.getpid(), near.pid, far.pid, int(daemon)]
    Path(folder, "pids.part").write_text(" ".join(map(str, pids)))
    Path(folder, "pids.part").rename(Path(folder, "pids"))
    while True:
        try:
            time.sleep(1000)
        except BaseException:  # noqa: BLE001 - as bad code does
            logger.info("does not care")


@task(isolation="process")
def bomb(folder: str, depth: int) -> None:
    """Every process makes two more, each in a session of its own, and stays."""
    for _ in range(depth):
        if os.fork() == 0:
            os.setsid()
        with Path(folder, "bomb").open("a") as file:
            file.write(f"{os.getpid()}\n")
    time.sleep(1000)


@task(isolation="process")
async def trigger_another() -> str:
    handle = await about.trigger()
    return handle.id


async def wait_for(name: str) -> str | None:
    """A durable wait, as the verbs of the SDK make it."""
    journal = current().journal
    place = journal.place(name)
    return (await journal.wait(place, Wait("", 0, 0, place.key, place.seq, "token", [name]))).data


async def keep(name: str, data: str) -> str | None:
    """A durable step, as the verbs of the SDK make it."""
    journal = current().journal
    place = journal.place(name)
    if place.entry is None:
        await journal.record(Entry(place.key, place.seq, "step", data=data))
        return data
    return place.entry.data


@task(isolation="process")
async def wait_durably(ctx: Context) -> list[object]:
    try:
        before = await keep("before", str(os.getpid()))
        got = await wait_for("tok")
        return [before, got, os.getpid(), ctx.epoch]
    finally:
        print("finally")


@task(isolation="process")
def wait_durably_plain(ctx: Context) -> list[object]:
    try:
        before = ctx.journal.block(keep("before", str(os.getpid())))
        got = ctx.journal.block(wait_for("tok"))
        return [before, got, os.getpid(), ctx.epoch]
    finally:
        print("finally")


@task(isolation="process")
async def wait_twice(folder: str) -> list[str | None]:
    async def second() -> str | None:
        while not Path(folder, "go").exists():  # noqa: ASYNC110 - a stranger makes it
            await asyncio.sleep(0.001)
        return await wait_for("b")

    return list(await asyncio.gather(wait_for("a"), second()))
