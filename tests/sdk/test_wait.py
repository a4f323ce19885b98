"""Waits: registered once, answered once, and read back in a replay."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from mainspring import (
    InvalidOptions,
    InvalidPayload,
    Misplaced,
    NotFound,
    StepConflict,
    WaitTimeout,
    continue_with,
    sync,
    task,
    wait,
)
from mainspring.sdk.signals import Continued, Divergence
from mainspring.wire.worker import Entry
from tests.sdk.durable import Run, idle, ran


@dataclass
class Decision:
    ok: bool
    by: str = ""


async def answered(body: Any, key: str, data: str | None, status: str = "completed") -> Any:
    """What a body that begins with one wait gives, and the same in a replay."""
    run = Run(body)
    assert await run.waits() == {key}
    run.port.resolve(key, data, status)
    results = []
    for again in (run, Run(body, run.port.entries)):
        results += await asyncio.gather(again.task, return_exceptions=True)
        assert again.port.waits == {}
    assert repr(results[0]) == repr(results[1])
    return results[0]


async def test_waits_for_time_say_how_long_or_until_when() -> None:
    at = datetime(2030, 1, 1, tzinfo=timezone(timedelta(hours=1)))

    async def body() -> None:
        await asyncio.gather(wait.seconds(1.5), wait.for_("1h"), wait.for_(timedelta(days=1)))
        await wait.until(at, key="new year")

    run = Run(body)
    assert await run.waits() == {"wait:time", "wait:time#1", "wait:time#2"}
    waits = [wait for wait, _ in run.port.waits.values()]
    assert [w.after_ms for w in waits] == [1500, 3_600_000, 86_400_000]
    assert {(w.kind, w.due_at, tuple(w.points)) for w in waits} == {("time", None, ())}
    for key in list(run.port.waits):
        run.port.resolve(key)
    await idle(3)
    assert await run.waits() == {"wait:time[new year]"}
    last, _ = run.port.waits["wait:time[new year]"]
    assert (last.after_ms, last.due_at) == (None, round(at.timestamp() * 1000))
    run.port.resolve(last.key)
    await run.task


async def test_another_duration_in_newer_code_is_no_divergence() -> None:
    assert await answered(lambda: wait.seconds(1), "wait:time", None) is None
    assert (await ran(lambda: wait.for_("2h"), [Entry("wait:time", 1, "time")]))[0] is None


async def test_a_token_gives_its_output_in_the_wanted_type() -> None:
    body = lambda: wait.token("waitpoint_1", Decision, timeout="1d")  # noqa: E731
    assert await answered(body, "wait:token", '{"ok":true}') == Decision(True)
    plain = lambda: wait.token("waitpoint_1")  # noqa: E731
    assert await answered(plain, "wait:token", '{"ok":true}') == {"ok": True}
    assert await answered(plain, "wait:token", None) is None


async def test_a_wait_names_what_it_waits_for() -> None:
    class Token:
        id = "waitpoint_7"

    async def body() -> None:
        await asyncio.gather(
            wait.token(Token(), timeout=5),
            wait.event("order/paid", match={"id": 1}, timeout=datetime(2030, 1, 1, tzinfo=UTC)),
            wait.input("chat"),
        )

    run = Run(body)
    await run.until_blocked()
    token, event, record = (w for w, _ in run.port.waits.values())
    assert (token.kind, token.points, token.after_ms) == ("token", ["waitpoint_7"], 5000)
    assert (event.key, event.kind, event.points) == (
        "wait:event:order%2fpaid",
        "event",
        ["order/paid"],
    )
    assert (event.data, event.due_at) == ('{"id":1}', 1893456000000)
    assert (record.kind, record.points, record.number) == ("input", ["chat"], 1)
    await run.lose()


async def test_what_does_not_come_in_time_raises_also_in_a_replay() -> None:
    error = await answered(lambda: wait.token("w_1", timeout=1), "wait:token", None, "timed_out")
    assert isinstance(error, WaitTimeout)
    assert error.details == {"kind": "token", "name": "w_1"}


async def test_an_output_that_does_not_fit_names_its_faults() -> None:
    error = await answered(lambda: wait.event("e", Decision), "wait:event:e", '{"ok":3}')
    assert isinstance(error, InvalidPayload)
    assert error.details[0]["path"] == "ok"


async def test_a_wait_that_failed_raises_what_is_stored() -> None:
    stored = '{"message":"No token w_1.","code":"not_found"}'
    error = await answered(lambda: wait.token("w_1"), "wait:token", stored, "failed")
    assert isinstance(error, NotFound)
    assert str(error) == "No token w_1."


async def test_another_token_in_the_same_place_is_a_divergence() -> None:
    with pytest.raises(Divergence):
        await ran(lambda: wait.token("w_2"), [Entry("wait:token", 1, "token", fingerprint="w_1")])


async def test_records_of_an_input_stream_come_one_after_another() -> None:
    async def body() -> Any:
        got = []
        for _ in range(3):
            try:
                got.append(await wait.input("chat", str, timeout=1))
            except WaitTimeout:
                got.append("late")
        return got

    run = Run(body)
    numbers = []
    for data, status in (('"a"', "completed"), (None, "timed_out"), ('"b"', "completed")):
        (key,) = await run.waits()
        numbers.append(run.port.waits[key][0].number)
        run.port.resolve(key, data, status)
        await idle(3)
    assert await run.task == ["a", "late", "b"]
    assert numbers == [1, 2, 2]
    assert (await ran(body, run.port.entries))[0] == ["a", "late", "b"]


async def test_a_fresh_journal_goes_on_with_the_next_record() -> None:
    async def body() -> None:
        await wait.input("chat")
        continue_with(None)

    run = Run(body)
    assert await run.waits() == {"wait:input:chat"}
    run.port.resolve("wait:input:chat", "1")
    with pytest.raises(Continued):
        await run.task
    start = Entry("!start", 0, "step", data="null")
    run = Run(body, [start, *run.port.later], generation=1)
    await run.until_blocked()
    assert run.port.waits["wait:input:chat"][0].number == 2
    await run.lose()


async def test_an_input_stream_is_read_by_one_task_at_a_time() -> None:
    async def body() -> None:
        await asyncio.gather(wait.input("chat"), wait.input("chat"))

    with pytest.raises(StepConflict, match="chance would decide"):
        await ran(body)


async def test_def_tasks_wait_in_their_thread() -> None:
    def body() -> Any:
        sync.wait.seconds(1)
        return sync.wait.token("w_1", Decision)

    run = Run(lambda: asyncio.to_thread(body))
    for key, data in (("wait:time", None), ("wait:token", '{"ok":true}')):
        await run.port.begun(key)
        assert run.journal.waiting
        run.port.resolve(key, data)
    assert await run.task == Decision(True)


async def test_wrong_times_are_refused_before_anything_is_said() -> None:
    with pytest.raises(InvalidOptions, match="100 years"):
        wait.seconds(-1)
    with pytest.raises(InvalidOptions, match="zone"):
        wait.until(datetime(2030, 1, 1))
    with pytest.raises(InvalidOptions, match="zone"):
        await ran(lambda: wait.token("w_1", timeout=datetime(2030, 1, 1)))
    with pytest.raises(InvalidOptions, match="key"):
        await ran(lambda: wait.seconds(1, key="!"))
    with pytest.raises(InvalidOptions, match="match"):
        await ran(lambda: wait.event("e", match={"a": object()}))


async def test_outside_a_run_only_local_calls_wait_and_only_for_time() -> None:
    @task
    async def naps() -> str:
        await wait.until(datetime(2020, 1, 1, tzinfo=UTC))
        return "up"

    @task
    async def listens() -> None:
        await wait.token("w_1")

    assert await naps.local() == "up"
    with pytest.raises(Misplaced):
        wait.seconds(0)
    with pytest.raises(Misplaced, match=r"mainspring\.testing"):
        await listens.local()
