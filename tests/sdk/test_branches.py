"""Which asyncio tasks of a run get which names, and when all of them wait."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from mainspring import StepConflict, parallel, step, wait
from mainspring.sdk import branches
from mainspring.wire.worker import Entry
from tests.sdk.durable import Run, idle, ran


async def one(value: Any) -> Any:
    return value


async def mark(name: str) -> Any:
    return await step(name, one, name)


async def two(name: str) -> None:
    await mark(name)
    await asyncio.sleep(0)
    await mark(name)


async def keys(body: Callable[[], Coroutine[Any, Any, Any]]) -> list[str]:
    """The keys that a body leaves; the same once more in a replay."""
    _, entries = await ran(body)
    run = Run(body, entries)
    await run.task
    assert run.port.entries == entries
    assert run.journal.unread() == []
    return [entry.key for entry in entries]


async def test_branches_of_a_gather_have_scopes_by_the_order_of_creation() -> None:
    async def body() -> None:
        await mark("a")
        await asyncio.gather(two("a"), two("a"))
        await mark("a")

    assert sorted(await keys(body)) == ["0/a", "0/a#1", "1/a", "1/a#1", "a", "a#1"]


async def test_a_second_group_has_a_number_of_its_own_and_groups_nest() -> None:
    async def inner() -> None:
        await asyncio.gather(mark("x"), mark("x"))
        await parallel(mark("x"))

    async def body() -> None:
        await asyncio.gather(mark("a"), inner())
        async with asyncio.TaskGroup() as group:
            group.create_task(mark("b"))
            await asyncio.sleep(0)
            group.create_task(mark("b"))
        await parallel(mark("c"), mark("c"))

    assert sorted(await keys(body)) == [
        "0/a", "1.0/b", "1.1/b", "1/0/x", "1/1.0/x", "1/1/x", "2.0/c", "2.1/c",
    ]  # fmt: skip


async def test_groups_that_do_nothing_durable_change_no_keys() -> None:
    def body(fetches: int) -> Any:
        async def all_() -> None:
            for _ in range(fetches):
                await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))
            await asyncio.gather(mark("a"), mark("a"))

        return all_

    assert await keys(body(0)) == await keys(body(3)) == ["0/a", "1/a"]


async def test_groups_side_by_side_are_numbered_in_the_order_of_their_creation() -> None:
    def body(slow: int) -> Any:
        async def late(name: str) -> None:
            for _ in range(slow):
                await asyncio.sleep(0)
            await mark(name)

        async def all_() -> None:
            first = asyncio.gather(late("a"), late("a"))
            second = asyncio.gather(mark("a"), mark("a"))
            await first
            await second

        return all_

    for slow in (0, 9):
        assert sorted(await keys(body(slow))) == ["0/a", "1.0/a", "1.1/a", "1/a"]


async def test_a_step_body_opens_no_scope() -> None:
    async def inside() -> list[int]:
        return list(await asyncio.gather(one(1), one(2)))

    async def body() -> None:
        await step("a", inside)
        await asyncio.gather(mark("b"))

    assert await keys(body) == ["a", "0/b"]


async def test_time_outs_add_no_scope_and_count_as_the_same_branch() -> None:
    async def body() -> None:
        for _ in range(2):
            await asyncio.wait_for(mark("a"), 5)
            async with asyncio.timeout(5):
                await mark("a")

    assert await keys(body) == ["a", "a#1", "a#2", "a#3"]


async def test_coroutines_made_before_their_tasks_keep_their_places() -> None:
    async def body() -> None:
        tasks = [asyncio.create_task(step("a", one, n)) for n in range(3)]
        for task in reversed(tasks):
            await task

    assert sorted(await keys(body)) == ["a", "a#1", "a#2"]


async def test_other_tasks_share_the_scope_and_must_use_names_of_their_own() -> None:
    async def body(second: str) -> None:
        task = asyncio.create_task(mark("a"))
        await mark(second)
        await task

    assert sorted(await keys(lambda: body("b"))) == ["a", "b"]
    with pytest.raises(StepConflict):
        await ran(lambda: body("a"))


async def test_groups_of_two_such_tasks_are_refused() -> None:
    async def opens() -> None:
        await asyncio.gather(mark("a"))

    async def body() -> None:
        await asyncio.create_task(opens())
        await asyncio.create_task(opens())

    with pytest.raises(StepConflict, match="both open branches"):
        await ran(body)


async def test_parallel_gives_results_in_order_and_cancels_the_rest_after_an_error() -> None:
    ended: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    async def body() -> Any:
        result = await parallel(one(1), asyncio.ensure_future(one("b")), mark("c"))
        with pytest.raises(ValueError, match="no"):
            await parallel(waits(), fails(), waits())
        return result

    assert (await ran(body))[0] == (1, "b", "c")
    assert ended == ["cancelled", "cancelled"]


async def test_a_task_factory_of_the_users_own_goes_on_making_the_tasks() -> None:
    loop = asyncio.get_running_loop()
    made: list[Any] = []

    def factory(loop: Any, coro: Any, **options: Any) -> Any:
        task = asyncio.Task(coro, loop=loop, **options)
        made.append(task)
        return task

    loop.set_task_factory(factory)
    branches.install(loop)
    installed = loop.get_task_factory()
    branches.install(loop)
    assert loop.get_task_factory() is installed
    await asyncio.create_task(asyncio.sleep(0))
    assert len(made) == 1
    loop.set_task_factory(None)


async def test_a_branch_with_a_context_of_its_own_keeps_that() -> None:

    async def body() -> Any:
        var.set("main")
        own = contextvars.copy_context()
        own.run(var.set, "own")
        async with asyncio.TaskGroup() as group:
            task = group.create_task(read(), context=own)
        return task.result()

    async def read() -> str:
        await mark("a")
        return var.get()

    var: contextvars.ContextVar[str] = contextvars.ContextVar("var")
    result, entries = await ran(body)
    assert (result, entries[0].key) == ("own", "0/a")


# ── whether everything waits


async def sleeper() -> None:
    await wait.seconds(60)


async def everything_waits(body: Callable[[], Coroutine[Any, Any, Any]]) -> bool:
    run = Run(body)
    await idle()
    answer = run.blocked
    assert run.port.waits
    await run.lose()
    return answer


async def gathered() -> None:
    await asyncio.gather(sleeper(), asyncio.gather(sleeper(), sleeper()))


async def grouped() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(sleeper())
        group.create_task(gathered())


async def tasked() -> None:
    task = asyncio.create_task(sleeper())
    await task


async def in_set() -> None:
    await asyncio.wait({asyncio.create_task(sleeper())})


async def after_a_timeout() -> None:
    async with asyncio.timeout(60) as before:
        await asyncio.sleep(0)
    async with asyncio.timeout(None):
        await sleeper()
    assert before


async def beside_nothing() -> None:
    await parallel(sleeper(), grouped(), tasked())


@pytest.mark.parametrize(
    "body", [sleeper, gathered, grouped, tasked, in_set, after_a_timeout, beside_nothing]
)
async def test_a_run_waits_when_each_of_its_tasks_does(body: Any) -> None:
    assert await everything_waits(body)


async def timed() -> None:
    await asyncio.wait({asyncio.create_task(sleeper())}, timeout=60)


async def beside_io() -> None:
    await asyncio.gather(sleeper(), asyncio.Event().wait())


async def inside_a_timeout() -> None:
    async with asyncio.timeout(60):
        await gathered()


async def inside_a_timed_wait() -> None:
    await asyncio.wait_for(gathered(), 60)


async def beside_a_leftover() -> None:
    kept.append(asyncio.create_task(asyncio.sleep(60)))
    await sleeper()


async def beside_a_future() -> None:
    await asyncio.gather(sleeper(), asyncio.get_running_loop().create_future())


kept: list[Any] = []


@pytest.mark.parametrize(
    "body",
    [timed, inside_a_timeout, inside_a_timed_wait, beside_io, beside_a_leftover, beside_a_future],
)
async def test_a_run_goes_on_while_anything_else_may_wake_it(body: Any) -> None:
    assert not await everything_waits(body)


async def test_a_branch_that_ends_while_others_wait_says_so() -> None:
    told: list[bool] = []

    async def body() -> None:
        await asyncio.gather(sleeper(), asyncio.sleep(0), sleeper())

    run = Run(body)
    run.journal.stirred = lambda: told.append(True)
    await idle()
    assert told == [True]
    assert run.blocked
    run.port.resolve("0/wait:time")
    await idle()
    assert run.blocked
    assert run.journal.waiting.keys() == run.journal.branches - {run.task}
    run.port.resolve("2/wait:time")
    await run.task
    assert not run.blocked


# ── the law: whenever the worker is lost, the result is the same and nothing acknowledged repeats

Node = tuple[Any, ...]
NODES: st.SearchStrategy[Node] = st.recursive(
    st.sampled_from([("step", "a"), ("step", "b"), ("wait",), ("pause",)]),
    lambda inner: st.tuples(
        st.sampled_from(["gather", "group", "seq", "timed"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=8,
)


class Program:
    """A tree of operations as a body; counts what is executed."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.executed: list[str] = []

    async def __call__(self) -> Any:
        return await self.run(self.node, "r")

    async def run(self, node: Node, path: str) -> Any:
        kind = node[0]
        if kind == "step":
            return await step(node[1], self.effect, path)
        if kind == "wait":
            return await wait.seconds(1)
        if kind == "pause":
            return await asyncio.sleep(0)
        parts = (self.run(part, f"{path}.{n}") for n, part in enumerate(node[1]))
        if kind == "gather":
            return list(await asyncio.gather(*parts))
        if kind == "group":
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(part) for part in parts]
            return [task.result() for task in tasks]
        if kind == "timed":
            return [await asyncio.wait_for(part, 60) for part in parts]
        return [await part for part in parts]

    async def effect(self, path: str) -> str:
        self.executed.append(path)
        await asyncio.sleep(0)
        return path


async def until_end(program: Program, losses: list[int]) -> Any:
    entries: list[Entry] = []
    for turns in [*losses, 1000]:
        run = Run(program, entries)
        for turn in range(turns):
            if run.task.done():
                break
            await asyncio.sleep(0)
            if run.port.waits and (run.blocked or turn % 3 == 0):
                run.port.resolve(next(iter(run.port.waits)))
        if run.task.done():
            assert run.journal.unread() == []
            return run.task.result(), run.port.entries
        entries = await run.lose()
    raise AssertionError("it never ends")


@settings(max_examples=60, deadline=None)
@given(NODES, st.lists(st.integers(0, 25), max_size=4))
def test_a_run_comes_to_the_same_end_however_often_its_worker_is_lost(
    node: Node, losses: list[int]
) -> None:
    async def compare() -> None:
        calm, shaken = Program(node), Program(node)
        expected, plain = await until_end(calm, [])
        result, entries = await until_end(shaken, losses)
        assert result == expected
        assert sorted(e.key for e in entries) == sorted(e.key for e in plain)
        assert len(calm.executed) == len(set(calm.executed))
        assert set(shaken.executed) == set(calm.executed)
        assert len(shaken.executed) - len(calm.executed) <= len(losses) * len(calm.executed)

    asyncio.run(compare())
