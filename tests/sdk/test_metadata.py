"""What a run says of itself: changes of metadata and tags, in order, and not twice."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mainspring import InvalidOptions, metadata, parallel, step, tags
from mainspring.errors import Misplaced
from mainspring.sdk import transport
from mainspring.sdk.context import Context
from mainspring.wire import calls
from mainspring.wire.worker import Entry, Op
from tests.sdk.conftest import Recorder, finished
from tests.sdk.durable import ListPort, Run


class Told(ListPort):
    """A port that remembers what was said."""

    said: list[Any]

    def update(self, ops: list[Op], tags: tuple[str, ...]) -> None:
        assert asyncio.get_running_loop() is self.loop
        self.said += [(op.op, op.path, op.value, op.target) for op in ops]
        self.said += tags

    async def flush(self) -> None:
        self.said.append("flush")


async def said(
    body: Callable[[], Awaitable[Any]], entries: list[Entry] | None = None, **fields: Any
) -> list[Any]:
    """What the worker is told while the body runs."""
    run = Run(body, entries, **fields)
    port = Told(entries)
    port.said = []
    run.port = port
    await run.task
    return port.said


async def test_changes_are_said_in_order_and_seen_at_once() -> None:
    async def body() -> None:
        metadata.set("stage", "load").append("files", "a").append("files", {"n": 1})
        metadata.increment("done").increment("done", 2.5).decrement("done")
        assert metadata.current() == {
            "given": True, "stage": "load", "files": ["a", {"n": 1}], "done": 2.5,
        }  # fmt: skip
        assert metadata.get("$.files[1].n") == metadata.get("$.files.1.n") == 1
        assert metadata.get("$.files[7]", "none") == "none"
        assert metadata.get("other") is None
        metadata.remove("files", "a").delete("stage").delete("stage")
        assert metadata.get("files") == [{"n": 1}]
        metadata.replace({"over": True})
        assert metadata.current() == {"over": True}

    assert await said(body, metadata='{"given":true}') == [
        ("set", "stage", '"load"', "self"),
        ("append", "files", '"a"', "self"),
        ("append", "files", '{"n":1}', "self"),
        ("increment", "done", "1", "self"),
        ("increment", "done", "2.5", "self"),
        ("increment", "done", "-1", "self"),
        ("remove", "files", '"a"', "self"),
        ("delete", "stage", None, "self"),
        ("delete", "stage", None, "self"),
        ("replace", "", '{"over":true}', "self"),
    ]


async def test_a_change_may_be_awaited_and_written_as_fields() -> None:
    async def body() -> None:
        change: Any = metadata
        await change.set("stage", "load")
        await change.set(progress=0.5, note=None).increment("done")
        await change.parent.set(stage="child")
        assert metadata.current() == {"stage": "load", "progress": 0.5, "note": None, "done": 1}
        for wrong in ("stage", ""):
            with pytest.raises(InvalidOptions, match="has no value"):
                metadata.set(wrong)

    assert ("set", "stage", '"child"', "parent") in await said(body)


async def test_what_is_read_is_a_copy() -> None:
    async def body() -> None:
        metadata.set("list", [1])
        metadata.get("list").append(2)
        metadata.current()["list"].append(3)
        assert metadata.get("list") == [1]

    await said(body)


async def test_ancestors_are_changed_but_not_read() -> None:
    async def body() -> None:
        metadata.parent.increment("children")
        metadata.root.append("log", "x")
        assert metadata.current() == {}

    assert await said(body) == [
        ("increment", "children", "1", "parent"),
        ("append", "log", '"x"', "root"),
    ]


async def test_what_cannot_be_done_is_refused_here() -> None:
    async def body() -> None:
        with pytest.raises(InvalidOptions, match="not a number"):
            metadata.set("a", "text").increment("a")
        with pytest.raises(InvalidOptions, match="cannot be read"):
            metadata.set("$.a[", 1)
        with pytest.raises(InvalidOptions, match="cannot be read"):
            metadata.parent.set("$.a[", 1)
        with pytest.raises(InvalidOptions, match="cannot be written as JSON"):
            metadata.set("a", object())
        assert metadata.current() == {"a": "text"}

    assert await said(body) == [("set", "a", '"text"', "self")]


async def test_nothing_is_said_again_while_the_run_is_replayed() -> None:
    async def body() -> None:
        metadata.increment("n")
        await tags.add("x")
        await metadata.flush()
        journal = run.ctx.journal
        journal.place("charge")
        assert metadata.get("n") == 1
        metadata.increment("n")
        assert metadata.get("n") == 2

    run = Run(body, [Entry("charge", 1, "step", data="1")], metadata='{"n":1}', tags=("x",))
    run.port = told = Told()
    told.said = []
    await run.task
    assert told.said == ["flush", ("increment", "n", "1", "self")]


async def test_a_step_says_what_it_does_although_another_branch_is_still_replayed() -> None:
    async def inner(n: int) -> int:
        metadata.increment("n", n)
        await tags.add(f"tag {n}")
        done.set()
        return n

    async def beside() -> None:
        await step("b", inner, 2)
        await done.wait()
        await step("c", inner, 3)

    async def body() -> None:
        await parallel(beside(), step("a", inner, 1))

    done = asyncio.Event()
    first = Run(body)
    first.port = Told()
    first.port.said = []
    await first.task
    kept = [entry for entry in first.port.entries if not entry.key.endswith("a")]
    assert len(kept) >= 2, first.port.entries
    done.clear()
    assert await said(body, kept) == [("increment", "n", "1", "self"), "tag 1", "flush"]


async def test_threads_of_a_run_say_it_through_the_loop() -> None:
    def blocking() -> None:
        metadata.set("from", "thread")
        metadata.flush_sync()

    async def body() -> None:
        await asyncio.to_thread(blocking)

    assert await said(body) == [("set", "from", '"thread"', "self"), "flush"]


async def test_others_changes_are_seen_after_a_refresh() -> None:
    server = Recorder()
    server.answers[calls.Retrieve] = lambda ask: finished(ask.run_id, None, metadata='{"theirs":1}')

    async def body() -> None:
        metadata.set("mine", 1)
        with transport.using(server):
            assert await metadata.refresh() == {"theirs": 1}
        assert metadata.get("mine") is None

    assert await said(body) == [("set", "mine", "1", "self"), "flush"]


async def test_tags_are_counted_before_they_are_said() -> None:
    async def body() -> None:
        await tags.add("a", "b", "b")
        await tags.add("a")
        with pytest.raises(InvalidOptions, match="has 9 tags and was given 2 more"):
            await tags.add("y", "z")
        with pytest.raises(InvalidOptions, match="tag has 129 characters"):
            await tags.add("y" * 129)
        await tags.add("y")

    given = tuple("1234567")
    assert await said(body, tags=given) == ["a", "b", "flush", "y", "flush"]


def test_there_is_none_outside_a_run() -> None:
    for use in (
        lambda: metadata.set("a", 1),
        lambda: metadata.get("a"),
        lambda: metadata.root.delete("a"),
        metadata.flush_sync,
    ):
        with pytest.raises(Misplaced, match="No run is being executed"):
            use()


def test_where_there_is_no_worker_nothing_can_be_said(in_run: Context) -> None:
    with pytest.raises(Misplaced, match="has no journal here"):
        metadata.set("a", 1)
