"""Tasks and a test of them, and nothing else."""

from __future__ import annotations

from typing import Final

TASKS: Final = '''"""Tasks of this project. `mainspring dev` finds them and reloads them."""

import asyncio

from mainspring import Retry, logger, task


@task
async def hello(name: str = "world") -> str:
    """Say hello."""
    logger.info("saying hello", name=name)
    return f"Hello, {name}!"


@task(retry=Retry(max_attempts=5, min_delay=1))
async def greet_everyone(names: list[str]) -> list[str]:
    """Greet several people at once, each in a run of its own."""
    handles = await hello.batch_trigger([hello.call(name) for name in names])
    return await asyncio.gather(*(handle.result() for handle in handles))
'''

TEST: Final = '''"""Tests of tasks.py; run them with `pytest`."""

import asyncio

from tasks import greet_everyone, hello


def test_hello_greets_by_name() -> None:
    assert asyncio.run(hello.local("Ada")) == "Hello, Ada!"


def test_everyone_is_greeted_in_a_run_of_their_own(jobs) -> None:
    # `jobs` is a real engine in this process, with a clock that only the test moves
    async def scenario() -> list[str]:
        handle = await greet_everyone.trigger(["Ada", "Bob"])
        return await handle.result()

    assert asyncio.run(scenario()) == ["Hello, Ada!", "Hello, Bob!"]
    jobs.assert_triggered(hello, name="Bob")
'''

FILES: Final = {"tasks.py": TASKS, "test_tasks.py": TEST}
NEXT: Final = "mainspring dev"
THEN: Final = """mainspring tasks trigger hello --payload '{"name": "Ada"}' --wait"""
