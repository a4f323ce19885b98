"""Steps: executed once, read back in every replay, and never confused with one another."""

import asyncio
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mainspring import (
    AbortRun,
    InvalidOptions,
    JournalFull,
    Misplaced,
    Retry,
    StepConflict,
    StepFailed,
    step,
    sync,
    task,
    wait,
)
from mainspring.errors import FencedOut, InvalidOutput, classes
from mainspring.sdk import journal as journals
from mainspring.sdk.context import current as current_run
from mainspring.sdk.signals import Divergence
from mainspring.wire.worker import Entry
from tests.sdk.durable import Run, idle, ran


@dataclass
class Receipt:
    id: int
    lines: tuple[str, ...]


class Calls(list[Any]):
    """What has been called."""

    async def add(self, value: Any) -> Any:
        self.append(value)
        return value


async def test_a_step_is_executed_once_and_read_in_a_replay() -> None:
    calls = Calls()

    async def body() -> Any:
        return [await step("a", calls.add, 1), await step("a", calls.add, 2)]

    first, entries = await ran(body)
    second, after = await ran(body, entries)
    assert first == second == [1, 2]
    assert calls == [1, 2]
    assert after == entries
    assert [(e.key, e.kind, e.status, e.data) for e in entries] == [
        ("a", "step", "completed", "1"),
        ("a#1", "step", "completed", "2"),
    ]
    assert entries[0].seq < entries[1].seq


async def test_the_place_of_a_step_is_taken_when_it_is_called() -> None:
    calls = Calls()

    async def body() -> Any:
        later, sooner = step("a", calls.add, "first"), step("a", calls.add, "second")
        return [await sooner, await later]

    _, entries = await ran(body)
    assert {e.key: e.data for e in entries} == {"a": '"first"', "a#1": '"second"'}


@pytest.mark.parametrize(
    "value",
    [None, True, 3, 2**60, 1.5, "é", [1, [2]], {"a": {"b": None}}, (1, 2), {3}, Path("a"), b"x"],
)
async def test_the_first_result_is_what_a_replay_reads(value: Any) -> None:
    async def untyped():
        return value

    async def body() -> Any:
        return await step("a", untyped)

    first, entries = await ran(body)
    second, _ = await ran(body, entries)
    assert first == second
    assert type(first) is type(second)


async def test_results_come_back_in_the_type_of_the_annotation() -> None:
    async def receipt() -> Receipt:
        return Receipt(1, ("a", "b"))

    def numbers() -> dict[int, float]:
        return {1: 2}

    async def body() -> Any:
        return await step("r", receipt), await step("n", numbers)

    first, entries = await ran(body)
    second, _ = await ran(body, entries)
    assert first == second == (Receipt(1, ("a", "b")), {1: 2.0})
    assert type(first[1][1]) is float


async def test_a_result_is_a_copy_so_that_changing_it_later_changes_no_replay() -> None:
    kept: list[int] = []

    async def give() -> list[int]:
        return kept

    async def body() -> Any:
        mine = await step("a", give)
        kept.append(7)
        return mine

    assert (await ran(body))[0] == []


async def test_results_without_a_json_form_are_refused_by_name() -> None:
    async def give() -> Any:
        return object()

    async def wrong() -> list[int]:
        return "no"  # type: ignore

    with pytest.raises(InvalidOutput, match="'a' returned what cannot be stored"):
        await ran(lambda: step("a", give))
    with pytest.raises(InvalidOutput, match="does not fit the annotation"):
        await ran(lambda: step("a", wrong))


async def test_a_result_that_the_code_cannot_read_any_more_is_a_divergence() -> None:
    async def old() -> str:
        return "text"

    async def new() -> int:
        return 1

    new.__qualname__ = old.__qualname__
    _, entries = await ran(lambda: step("a", old))
    with pytest.raises(Divergence) as caught:
        await ran(lambda: step("a", new), entries)
    assert caught.value.error.details["expected"] == 'a result ("text")'


async def test_plain_functions_run_in_a_thread_and_see_the_run() -> None:
    def where() -> tuple[bool, str]:
        with pytest.raises(Misplaced, match="inside the body of step 'a"):
            step("inner", where)
        return threading.current_thread() is threading.main_thread(), "seen"

    async def body() -> Any:
        inline = step(thread=False)
        return [await step("a", where), await inline("a", where)]

    assert (await ran(body))[0] == [(False, "seen"), (True, "seen")]


async def test_a_plain_function_may_return_an_awaitable() -> None:
    calls = Calls()
    assert (await ran(lambda: step("a", lambda: calls.add(4))))[0] == 4


async def test_a_step_inside_a_step_is_refused_with_the_next_move() -> None:
    calls = Calls()

    async def outer() -> None:
        await asyncio.gather(wait.seconds(1))

    async def body() -> Any:
        await step("pay", outer)

    with pytest.raises(Misplaced, match=r"inside the body of step 'pay'.*beside the step"):
        await ran(body)
    assert calls == []


async def test_an_error_is_raised_as_it_is_and_the_step_runs_again_in_the_next_attempt() -> None:
    calls = Calls()

    async def fails() -> None:
        calls.append(1)
        raise ValueError("no")

    async def body() -> Any:
        with pytest.raises(ValueError, match="no") as caught:
            await step("a", fails)
        return caught.value

    error, entries = await ran(body, attempt=1)
    assert type(error) is ValueError
    assert [(e.key, e.status) for e in entries] == [("a!1", "failed")]
    await ran(body, entries, attempt=2)
    assert calls == [1, 1]


async def test_a_replay_in_the_same_attempt_raises_the_error_again_without_the_step() -> None:
    calls = Calls()

    async def fails() -> None:
        calls.append(1)
        raise KeyError("id", 7)

    async def body() -> Any:
        try:
            await step("a", fails)
        except KeyError as error:
            return error

    _, entries = await ran(body)
    again, _ = await ran(body, entries)
    assert calls == [1]
    assert isinstance(again, StepFailed)
    assert again.args == ("id", 7)
    assert again.details.name == "KeyError"
    assert "fails" in again.details.stack
    assert classes()["step_failed"] is StepFailed


async def test_an_error_of_an_unknown_class_is_read_as_step_failed() -> None:
    class Own(Exception):
        pass

    async def fails() -> None:
        raise Own("x\0")

    with pytest.raises(Own):
        await ran(lambda: step("a", fails))
    run = Run(lambda: step("a", fails))
    await asyncio.gather(run.task, return_exceptions=True)
    with pytest.raises(StepFailed, match="'a' failed earlier in this attempt: x") as caught:
        await ran(lambda: step("a", fails), run.port.entries)
    assert type(caught.value) is StepFailed


async def test_errors_about_the_whole_run_are_not_kept() -> None:
    async def aborts() -> None:
        raise AbortRun("stop")

    run = Run(lambda: step(retry=Retry(max_attempts=5))("a", aborts))
    with pytest.raises(AbortRun):
        await run.task
    assert run.port.entries == []


async def test_a_step_is_tried_again_within_the_attempt() -> None:
    calls = Calls()

    @step(retry=Retry(max_attempts=3, min_delay=0, max_delay=0), name="pay")
    async def flaky(n: int) -> int:
        calls.append(n)
        if len(calls) < 3:
            raise OSError("again")
        return n

    result, entries = await ran(lambda: flaky(5))
    assert (result, calls) == (5, [5, 5, 5])
    assert [e.key for e in entries] == ["pay"]


async def test_a_step_that_takes_too_long_is_cancelled() -> None:
    async def slow() -> None:
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError, match=r"took longer than 0\.001 s"):
        await ran(lambda: step(timeout="1ms")("a", slow))


async def test_a_changed_argument_or_function_is_a_divergence_that_except_does_not_catch() -> None:
    calls = Calls()

    async def other(value: int) -> None:
        raise AssertionError

    _, entries = await ran(lambda: step("a", calls.add, 1))
    for changed in (lambda: step("a", calls.add, 2), lambda: step("a", other, 1)):

        async def body(changed: Any = changed) -> Any:
            try:
                return await changed()
            except Exception:  # noqa: BLE001 - what users write
                return "swallowed"

        run = Run(body, entries)
        with pytest.raises(Divergence) as caught:
            await run.task
        assert run.journal.ended is caught.value
        error = caught.value.error
        assert (error.code, error.name) == ("diverged", "Diverged")
        assert error.details["key"] == "a"
        assert error.details["expected"].startswith("Calls.add:")
        assert error.details["found"] != error.details["expected"]
    assert calls == [1]


async def test_something_of_another_kind_in_its_place_is_a_divergence() -> None:
    with pytest.raises(Divergence, match="holds time as 'a', and the code now asks for step"):
        await ran(lambda: step("a", Calls().add, 1), [Entry("a", 1, "time")])


async def test_after_a_divergence_nothing_durable_happens_any_more() -> None:
    calls = Calls()
    _, entries = await ran(lambda: step("a", calls.add, 1))

    async def body() -> Any:
        with pytest.raises(Divergence):
            await step("a", calls.add, 2)
        await step("b", calls.add, 3)

    run = Run(body, entries)
    with pytest.raises(Divergence):
        await run.task
    assert calls == [1]


async def test_an_accepted_difference_takes_the_stored_result() -> None:
    calls = Calls()
    _, entries = await ran(lambda: step("a", calls.add, 1))
    entries.append(Entry("!accept:a", 9, "step", data="null"))
    assert (await ran(lambda: step("a", calls.add, 2), entries))[0] == 1


async def test_arguments_are_not_checked_when_told_so_on_either_side() -> None:
    calls = Calls()
    loose = step(check_args=False)
    _, entries = await ran(lambda: loose("a", calls.add, 1))
    assert (await ran(lambda: step("a", calls.add, 2), entries))[0] == 1
    _, entries = await ran(lambda: step("a", calls.add, 3))
    assert (await ran(lambda: loose("a", calls.add, 4), entries))[0] == 3


async def test_arguments_without_a_json_form_count_by_type_and_sets_in_any_order() -> None:
    async def take(*things: Any, **named: Any) -> int:
        return 1

    class Client:
        pass

    def body(names: set[str]) -> Any:
        return lambda: step("a", take, Client(), {"x": Client()}, names, lock=threading.Lock())

    _, entries = await ran(body({"b", "a", "c"}))
    assert (await ran(body({"c", "b", "a"}), entries))[0] == 1
    with pytest.raises(Divergence):
        await ran(body({"z"}), entries)


async def test_a_key_marks_a_step_whatever_the_order() -> None:
    calls = Calls()

    def body(items: list[str]) -> Any:
        async def one(item: str) -> Any:
            return await step(key=item)("pay", calls.add, item)

        async def all_() -> Any:
            return await asyncio.gather(*map(one, items))

        return all_

    _, entries = await ran(body(["x", "y"]))
    assert [e.key for e in entries] == ["pay[x]", "pay[y]"]
    assert (await ran(body(["y", "x", "z"]), entries))[0] == ["y", "x", "z"]
    assert calls == ["x", "y", "z"]


async def test_a_step_of_the_attempt_is_executed_anew_in_the_next() -> None:
    calls = Calls()
    fresh = step(scope="attempt")
    keyed = step(scope="attempt", key="k")

    async def body() -> Any:
        return [await fresh("a", calls.add, 1), await keyed("a", calls.add, 2)]

    _, entries = await ran(body, attempt=1)
    await ran(body, entries, attempt=1)
    assert calls == [1, 2]
    run = Run(body, entries, attempt=2)
    await run.task
    assert calls == [1, 2, 1, 2]
    assert run.journal.unread() == []


async def test_relaxed_steps_do_not_wait_for_the_journal() -> None:
    calls = Calls()
    relaxed = step(durability="relaxed")

    async def body() -> Any:
        return await relaxed("a", calls.add, 1)

    run = Run(body)
    run.port.lost = True  # nothing is acknowledged
    assert await run.task == 1
    assert run.port.keys == ["a"]


async def test_a_lost_worker_loses_only_the_step_that_was_not_acknowledged() -> None:
    calls = Calls()
    gate = asyncio.Event()

    async def second() -> str:
        calls.append("second")
        await gate.wait()
        return "done"

    async def body() -> Any:
        return [await step("a", calls.add, "first"), await step("b", second)]

    run = Run(body)
    await idle()
    entries = await run.lose()
    gate.set()
    assert (await ran(body, entries))[0] == ["first", "done"]
    assert calls == ["first", "second", "second"]


async def test_replaying_ends_with_the_last_entry_or_the_first_new_one() -> None:
    calls = Calls()
    seen: list[bool] = []

    def body(*names: str) -> Any:
        async def all_() -> None:
            seen.append(run.ctx.replaying)
            for name in names:
                await step(name, calls.add, name)
                seen.append(run.ctx.replaying)

        return all_

    run = Run(body("a", "b"))
    await run.task
    assert seen == [False] * 3
    seen.clear()
    run = Run(body("a", "b", "c"), run.port.entries)
    await run.task
    assert seen == [True, True, False, False]
    seen.clear()
    run = Run(body("a", "d"), run.port.entries)
    await run.task
    assert seen == [True, True, False]
    assert run.journal.unread() == ["b", "c"]


@pytest.mark.parametrize("name", ["", "a/b", "a#1", "a!", "a[b]", "\0", "\ud800", "x" * 129, 3])
async def test_names_that_make_no_key_are_refused(name: Any) -> None:
    with pytest.raises(InvalidOptions, match="A step's name is"):
        await ran(lambda: step(name, Calls().add, 1))


async def test_options_are_checked() -> None:
    for wrong in (
        {"key": "!a"},
        {"key": ""},
        {"durability": "maybe"},
        {"scope": "global"},
        {"retry": 3},
        {"timeout": "soon"},
        {"unknown": 1},
    ):
        with pytest.raises(InvalidOptions):
            step(**wrong)
    with pytest.raises(InvalidOptions, match="no function"):
        step("name")
    with pytest.raises(InvalidOptions, match="two names"):
        step(name="a")("b", Calls().add)


async def test_a_journal_has_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    async def large() -> str:
        return "x" * (10 * 1024 * 1024)

    with pytest.raises(JournalFull, match="10,485,760 are allowed"):
        await ran(lambda: step("a", large))
    monkeypatch.setattr(journals, "MOST", 2)

    async def body() -> None:
        for n in range(3):
            await step("a", Calls().add, n)

    with pytest.raises(JournalFull, match="continue_with"):
        await ran(body)


async def test_decorated_functions_are_steps_also_as_methods() -> None:
    class Shop:
        def __init__(self, name: str) -> None:
            self.name = name

        @step
        async def charge(self, n: int) -> str:
            return f"{self.name} {n}"

    @step
    def double(n: int) -> int:
        """Twice as much."""
        return 2 * n

    async def body() -> Any:
        return [await Shop("a").charge(1), await double(2), await double.with_options(key="k")(3)]

    result, entries = await ran(body)
    assert result == ["a 1", 4, 6]
    assert [e.key for e in entries] == ["charge", "double", "double[k]"]
    assert double.__doc__ == "Twice as much."
    assert double.func(4) == 8
    assert repr(double) == "<Step double>"


async def test_outside_a_run_a_step_says_what_to_do() -> None:
    with pytest.raises(Misplaced, match=r"my_task\.local"):
        step("a", Calls().add, 1)


async def test_a_task_called_locally_calls_its_steps() -> None:
    calls = Calls()

    @step
    def double(n: int) -> int:
        return 2 * n

    @task
    async def work(n: int) -> list[int]:
        await wait.seconds(0)
        return [await step("a", calls.add, n), await double(n)]

    @task
    def plain(n: int) -> list[int]:
        return [sync.step("a", abs, n), double.sync(n)]

    assert await work.local(2) == [2, 4]
    assert await plain.local(-2) == [2, -4]
    with pytest.raises(Misplaced):
        await work(2)


async def test_the_same_name_in_two_asyncio_tasks_is_refused() -> None:
    calls = Calls()

    async def helper() -> None:
        await step("a", calls.add, 1)

    async def body() -> None:
        await asyncio.create_task(helper())
        await asyncio.create_task(helper())

    with pytest.raises(StepConflict, match=r"'a'.*parallel.*key"):
        await ran(body)


async def test_steps_of_def_tasks_run_in_their_own_thread() -> None:
    calls = Calls()

    def body() -> Any:
        me = threading.get_ident()
        same = sync.step("where", threading.get_ident) == me
        return [same, sync.step("a", calls.add, 1), sync.checkpoint("c", {"n": 1})]

    first, entries = await ran(lambda: asyncio.to_thread(body))
    assert first == [True, 1, {"n": 1}]
    assert [e.key for e in entries] == ["where", "a", "checkpoint:c"]
    second, _ = await ran(lambda: asyncio.to_thread(body), entries)
    assert second[1:] == first[1:]
    assert calls == [1]


async def test_a_blocking_step_on_the_loop_is_refused() -> None:
    async def body() -> None:
        sync.step("a", abs, 1)

    with pytest.raises(Misplaced, match="blocking form"):
        await ran(body)


async def test_steps_work_on_an_event_loop_of_the_users_own() -> None:
    calls = Calls()

    async def inner() -> Any:
        return [await step("a", calls.add, 1), await step("b", calls.add, 2)]

    result, entries = await ran(lambda: asyncio.to_thread(asyncio.run, inner()))
    assert result == [1, 2]
    assert [e.key for e in entries] == ["a", "b"]


async def test_no_step_begins_once_the_worker_s_lease_has_run_out() -> None:
    done: list[str] = []

    async def work(name: str) -> None:
        done.append(name)

    async def body() -> None:
        await step("one", work, "one")
        current_run().journal.lapsed = lambda: True
        with pytest.raises(FencedOut, match="lease"):
            await step("two", work, "two")

    await Run(body).task
    assert done == ["one"]
