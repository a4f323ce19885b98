"""What code does beside steps and waits, on the whole platform: hooks, metadata, tokens."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mainspring import (
    Context,
    Local,
    Retry,
    RunFailed,
    current,
    events,
    gather,
    hooks,
    metadata,
    retry,
    runs,
    step,
    streams,
    tags,
    task,
    transaction,
    wait,
)
from mainspring.errors import WaitTimeout
from mainspring.sdk.registry import registry
from mainspring.testing.jobs import Jobs


@pytest.fixture(autouse=True)
def declared() -> Iterator[None]:
    with registry.isolated():
        yield


async def test_failure_hooks_are_called_by_a_run_of_their_own(jobs: Jobs) -> None:
    told: list[Any] = []

    @task(retry=Retry(max_attempts=2, min_delay=1))
    async def work(n: int) -> None:
        raise OSError("no net")

    @work.on_failure
    async def alarm(ctx: Context, error: BaseException) -> None:
        assert isinstance(error, RunFailed)
        told.append((ctx.run_id, ctx.attempt, ctx.payload, error.details.name))
        metadata.parent.set("alarmed", current().run_id)
        await wait.for_("1h")
        told.append("an hour later")

    hooks.on_complete(lambda ctx, result: told.append(("complete", ctx.task, result.ok)))
    handle = await work.trigger(7)
    await jobs.advance("10m")
    assert told == [(handle.id, 2, {"n": 7}, "OSError")]
    await jobs.advance("2h")
    (hook,) = await jobs.runs("work:on_failure")
    assert told[1:] == ["an hour later", ("complete", "work", False)]
    assert (hook.status, hook.parent_id) == ("completed", handle.id)
    failed = await handle.run()
    assert failed.status == "failed"
    assert failed.metadata == f'{{"alarmed":"{hook.id}"}}'


async def test_a_worker_that_dies_in_a_failure_hook_does_not_lose_it(jobs: Jobs) -> None:
    told: list[str] = []

    @task(retry=Retry(max_attempts=1))
    async def work() -> None:
        raise OSError("no net")

    async def note(text: str) -> None:
        told.append(text)

    @work.on_failure
    async def alarm(ctx: Context, error: BaseException) -> None:
        await step("note", note, "first")
        await wait.for_("1h")
        await step("note", note, "second")

    await work.trigger()
    await jobs.settle()
    await jobs.crash_and_resume(within="1m")
    await jobs.advance("2h")
    assert told == ["first", "second"]
    (hook,) = await jobs.runs("work:on_failure")
    assert hook.status == "completed"


async def test_the_policy_of_a_task_decides_about_attempts(jobs: Jobs) -> None:
    attempts: list[int] = []

    @task(retry=Retry(max_attempts=5), abort_on=KeyError)
    async def work(kind: str) -> int:
        attempts.append(current().attempt)
        if kind == "key":
            raise KeyError("k")
        if current().attempt == 1:
            raise OSError("slow down")
        return current().attempt

    @work.catch_error
    def later(ctx: Context, error: BaseException) -> Any:
        return retry.after("3h") if isinstance(error, OSError) else None

    hopeless, patient = await work.trigger("key"), await work.trigger("os")
    await jobs.advance("2h")
    run = await hopeless.run()
    assert (run.status, run.attempt) == ("failed", 1)
    assert run.error is not None
    assert (run.error.name, run.error.message) == ("KeyError", "'k'")
    assert (await patient.run()).attempt <= 2
    assert sorted(attempts) == [1, 1]
    await jobs.advance("2h")
    assert await patient.result() == 2


async def test_metadata_and_tags_are_changed_once_across_a_crash(jobs: Jobs) -> None:
    @task
    async def work() -> dict[str, Any]:
        metadata.increment("before")
        await tags.add("early")
        await step("one", lambda: None)
        metadata.append("log", "after one")
        await wait.for_("1h")
        metadata.increment("after")
        return metadata.current()

    handle = await work.with_options(metadata={"given": 1}).trigger()
    await jobs.settle()
    await jobs.crash_and_resume(within="1m")
    await jobs.advance("2h")
    expected = {"given": 1, "before": 1, "log": ["after one"], "after": 1}
    assert await handle.result() == expected
    run = await handle.run()
    assert run.tags == ("early",)
    assert run.metadata == '{"given":1,"before":1,"log":["after one"],"after":1}'


async def test_a_token_is_completed_from_outside_and_ends_by_itself(jobs: Jobs) -> None:
    made: list[str] = []

    @task
    async def approval(timeout: str) -> str:
        token = await wait.create_token(timeout=timeout, tags=["approval"])
        made.append(token.id)
        try:
            return await wait.token(token, str)
        except WaitTimeout:
            return "too late"

    approved = await approval.trigger("3h")
    await jobs.settle()
    late = await approval.trigger("1h")
    await jobs.settle()
    await jobs.crash_and_resume(within="1m")
    waiting = [token.id async for token in wait.list_tokens(status="waiting", tag="approval")]
    assert waiting == made[1::-1]
    done = await wait.complete_token(await wait.retrieve_token(made[0]), "yes")
    assert done.result(str) == "yes"
    await jobs.advance("2h")
    assert [await approved.result(), await late.result()] == ["yes", "too late"]


async def test_runs_talk_through_streams_and_events(jobs: Jobs) -> None:
    numbers = streams.input("numbers", int)

    @task
    async def adder() -> int:
        return await numbers.wait() + await numbers.wait(timeout="1h")

    @task
    async def waiter(user: int) -> dict[str, int]:
        return await wait.event("paid", dict[str, int], match={"user": user})

    @task
    async def speaker(run_id: str) -> list[int]:
        sent = [await numbers.send(run_id, 20), await numbers.send(run_id, 22)]
        return [*sent, await events.emit("paid", {"user": 7, "cents": 5})]

    sum_, paid, unpaid = await adder.trigger(), await waiter.trigger(7), await waiter.trigger(8)
    await jobs.settle()
    spoken = await speaker.trigger(sum_.id)
    await jobs.settle()
    assert await spoken.result() == [1, 2, 1]
    assert await sum_.result() == 42
    assert await paid.result() == {"user": 7, "cents": 5}
    assert (await unpaid.run()).status == "waiting"
    await runs.cancel(unpaid.id)
    await jobs.settle()


async def test_wait_hooks_are_called_around_a_wait_and_share_the_runs_values(jobs: Jobs) -> None:
    happened: list[str] = []
    pool = Local[str]("pool")

    @task
    async def work() -> str:
        await wait.for_("1h")
        return pool.get("gone")

    @work.on_start_attempt
    def start(ctx: Context) -> None:
        pool.set("open")

    work.on_wait(lambda ctx, waits: happened.append(f"wait for {waits[0].kind}"))
    work.on_resume(lambda ctx, waits: happened.append(f"resumed from {waits[0].key}"))
    handle = await work.trigger()
    await jobs.advance("2h")
    assert await handle.result() == "open"
    assert happened == ["wait for time", "resumed from wait:time"]


async def test_a_crash_between_the_users_commit_and_the_journal_repeats_nothing(
    jobs: Jobs, tmp_path: Path
) -> None:
    database = sqlite3.connect(tmp_path / "users.db")
    database.execute("CREATE TABLE payment (who text)")

    def pay(connection: sqlite3.Connection, who: str) -> str:
        connection.execute("INSERT INTO payment VALUES (?)", (who,))
        return who

    @task
    async def work() -> list[str]:
        return [
            await transaction(database, "pay", pay, who)  # type: ignore[arg-type]
            for who in ("ann", "bob")
        ]

    handle = await work.trigger()
    await jobs.settle()
    assert await handle.result() == ["ann", "bob"]
    again = await work.trigger()
    await jobs.crash_and_resume(1)
    await jobs.settle()
    assert await again.result() == ["ann", "bob"]
    assert database.execute("SELECT who FROM payment").fetchall() == [("ann",), ("bob",)] * 2
    database.close()


async def test_parallel_children_count_on_their_parent(jobs: Jobs) -> None:
    @task
    async def child(n: int) -> None:
        metadata.parent.increment("done").append("who", n)
        metadata.root.increment("below")

    @task
    async def parent() -> Any:
        await gather(child.call(1), child.call(2))
        seen = await metadata.refresh()
        return [seen["done"], seen["below"], sorted(seen["who"])]

    handle = await parent.trigger()
    await jobs.settle()
    assert await handle.result() == [2, 2, [1, 2]]
