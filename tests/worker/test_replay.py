"""Runs that begin anew from their journal: what is said again, what is not, and how they end."""
# ruff: noqa: T201 - printing is one of the subjects

import pytest

from mainspring import continue_with
from mainspring.sdk import retrying as retry, wait
from mainspring.sdk.context import current
from mainspring.sdk.decorate import task
from mainspring.sdk.step import step
from mainspring.wire.worker import Entry, Park, Record, Resume, Update
from tests.worker.conftest import Worker
from tests.worker.engine import Engine, execute
from tests.worker.test_capture import said, terminal


def one() -> int:
    return 1


def recorded(engine: Engine) -> list[Entry]:
    return [entry for message in engine.of(Record) for entry in message.entries]


async def test_a_recorded_step_is_not_executed_again(engine: Engine, anywhere: Worker) -> None:
    calls = []

    def count() -> int:
        calls.append(1)
        return len(calls)

    @task(id="steps")
    async def steps() -> list[int]:
        return [await step("count", count), await step("count", count)]

    await anywhere()
    engine.order(execute("steps"))
    await engine.until(lambda: engine.ended)
    assert [entry.key for entry in recorded(engine)] == ["count", "count#1"]

    engine.order(execute("steps", "run_2", epoch=2, journal=recorded(engine)[:1]))
    await engine.until(lambda: len(engine.ended) == 2)
    assert engine.ended["run_2"].output == "[1,3]"
    assert recorded(engine)[2].seq > recorded(engine)[0].seq


async def test_lines_of_the_part_that_is_replayed_are_not_kept_again(
    engine: Engine, worker: Worker
) -> None:
    @task(id="body")
    async def body() -> None:
        print("before")
        await step("one", one)
        print("between")
        await wait.token("tok")
        print("after")

    with terminal() as shown:
        await worker(capture=shown.capture)
        engine.order(execute("body"))
        await engine.until(lambda: engine.of(Park))
        (key,) = engine.of(Park)[0].keys
        engine.order(Resume("run_1", 2, 1, [Entry(key, 2, "token", data="1")]))
        await engine.until(lambda: engine.ended)
        engine.order(execute("body", "run_2", epoch=2, journal=recorded(engine)))
        await engine.until(lambda: len(engine.of(Park)) == 2)
        shown.capture.flush()
        await engine.until(lambda: said(engine)[-1:] == [("run_2", "info", "between")])

    assert [(run, text) for run, _, text in said(engine)] == [
        ("run_1", "before"),
        ("run_1", "between"),
        ("run_1", "after"),
        ("run_2", "between"),
    ]


async def test_steps_that_the_code_does_not_come_to_any_more_are_named_in_the_log(
    engine: Engine, worker: Worker
) -> None:
    @task(id="body")
    async def body() -> int:
        return await step("one", one)

    with terminal() as shown:
        await worker(capture=shown.capture)
        gone = Entry("gone", 9, "step", data="1")
        engine.order(execute("body", epoch=2, journal=[gone]))
        await engine.until(lambda: engine.ended)

    ((_, level, message),) = said(engine)
    assert level == "warning"
    assert "did not come to any more: 'gone'" in message


async def test_code_that_does_not_fit_its_journal_diverges(
    engine: Engine, anywhere: Worker
) -> None:
    @task(id="body")
    async def body() -> None:
        try:
            await step("one", one)
        except Exception:  # noqa: BLE001 - what users write must not hide it
            print("caught")

    await anywhere()
    entry = Entry("one", 1, "time")
    engine.order(execute("body", epoch=2, journal=[entry]))
    await engine.until(lambda: engine.ended)

    end = engine.ended["run_1"]
    assert (end.outcome, end.error and end.error.code) == ("diverged", "diverged")
    assert end.error is not None
    assert end.error.details["key"] == "one"


async def test_a_swallowed_divergence_is_one_all_the_same(engine: Engine, worker: Worker) -> None:
    @task(id="body")
    async def body() -> int:
        try:
            await step("one", one)
        except BaseException:  # noqa: BLE001 - the worst that code can do
            return 3
        return 1

    await worker()
    engine.order(execute("body", epoch=2, journal=[Entry("one", 1, "time")]))
    await engine.until(lambda: engine.ended)

    assert engine.ended["run_1"].outcome == "diverged"


@pytest.mark.parametrize("hooked", [False, True])
async def test_a_run_can_go_on_with_a_fresh_journal(
    engine: Engine, worker: Worker, hooked: bool
) -> None:
    called = []

    @task(id="body")
    async def body(n: int) -> None:
        await step("one", one)
        continue_with({"n": n + 1})

    if hooked:
        body.on_success(lambda ctx, output: called.append("success"))
        body.on_failure(lambda ctx, error: called.append("failure"))
    await worker()
    engine.order(execute("body", payload='{"n":1}', max_attempts=1))
    await engine.until(lambda: engine.ended)

    assert engine.ended["run_1"].outcome == "continued"
    assert engine.ended["run_1"].output is not None
    assert "2" in engine.ended["run_1"].output
    assert called == []


async def test_the_policy_of_a_task_decides_what_an_error_comes_to(
    engine: Engine, worker: Worker
) -> None:
    @task(id="fatal", abort_on=[KeyError])
    async def fatal() -> None:
        raise KeyError("no such thing")

    @task(id="later")
    def later() -> None:
        raise ValueError("busy")

    @later.catch_error
    async def decide(ctx: object, error: BaseException) -> object:
        return retry.after("90s")

    await worker()
    engine.order(execute("fatal"), execute("later", "run_2"))
    await engine.until(lambda: len(engine.ended) == 2)

    aborted, again = engine.ended["run_1"], engine.ended["run_2"]
    assert (aborted.outcome, aborted.error and aborted.error.name) == ("aborted", "KeyError")
    assert (again.outcome, again.retry_after_ms) == ("retry", 90_000)
    assert again.error is not None
    assert again.error.name == "ValueError"


async def test_metadata_goes_in_order_with_steps(engine: Engine, worker: Worker) -> None:
    @task(id="body")
    async def body() -> None:
        port = current().journal.port
        port.update([], ("first",))
        await step("one", one)
        port.update([], ("second",))

    await worker()
    engine.order(execute("body"))
    await engine.until(lambda: engine.ended)

    sent = [m for m in engine.messages if isinstance(m, Update | Record)]
    assert [m.tags if isinstance(m, Update) else "step" for m in sent] == [
        ("first",),
        "step",
        ("second",),
    ]
