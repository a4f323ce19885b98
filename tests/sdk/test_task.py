"""Declaring tasks and making runs of them."""

import hashlib
import importlib.util
import pickle
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mainspring import (
    Context,
    Debounce,
    InvalidOptions,
    InvalidPayload,
    Queue,
    Retry,
    UnknownTask,
    current,
    task,
    tasks,
)
from mainspring.errors import DuplicateTask, InvalidTask
from mainspring.model.retry import RetryPolicy
from mainspring.model.run import Debounce as DebounceSpec, TriggerAnswer, TriggerOptions
from mainspring.sdk.registry import registry
from mainspring.wire.calls import Trigger, Triggered
from tests.sdk.conftest import Recorder

DAY_MS = 86_400_000


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@task
async def at_the_top(n: int) -> int:
    """Doubles it.

    And more.
    """
    return n * 2


def test_the_function_gives_id_queue_and_description() -> None:
    spec = at_the_top.spec
    assert (spec.id, spec.queue, spec.description) == (
        "at_the_top",
        "task/at_the_top",
        "Doubles it.",
    )
    assert (spec.retry, spec.isolation, spec.line) == (RetryPolicy(), "async", at_the_top.line)
    assert Path(spec.file) == Path(__file__).resolve()
    assert spec.output_schema == {"type": "integer"}
    assert at_the_top.__name__ == "at_the_top"
    assert at_the_top.__doc__ is not None


def test_every_option_of_a_task_reaches_the_server() -> None:
    mail = Queue("mail", concurrency_limit=5)

    @task(
        id="send-mail",
        queue=mail,
        retry=Retry(max_attempts=5),
        max_duration="10m",
        ttl=timedelta(hours=1),
        concurrency_key="user-{payload.user.id}",
        idempotency_key="order-{payload.id}",
        idempotency_ttl="1d",
        description="Sends.",
        machine="small-2x",
    )
    def send(id: int, user: dict[str, int]) -> None: ...

    spec = send.spec
    assert (spec.id, spec.queue, spec.retry.max_attempts) == ("send-mail", "mail", 5)
    assert (spec.max_duration_ms, spec.ttl_ms) == (600_000, 3_600_000)
    assert spec.concurrency_key == "user-{payload.user.id}"
    assert (spec.idempotency_key, spec.idempotency_ttl_ms) == ("order-{payload.id}", DAY_MS)
    assert (spec.description, spec.machine, spec.isolation) == ("Sends.", "small-2x", "thread")


def test_options_can_be_shared_by_several_tasks() -> None:
    patient = task(retry=Retry(max_attempts=9))

    @patient
    async def one() -> None: ...

    @patient(queue="slow")
    async def two() -> None: ...

    assert one.spec.retry.max_attempts == two.spec.retry.max_attempts == 9
    assert (one.spec.queue, two.spec.queue) == ("task/one", "slow")


@pytest.mark.parametrize(
    "options, said",
    [
        ({"id": ""}, "1 to 128"),
        ({"retry": 5}, "retry is 5; write Retry"),
        ({"ttl": "soon"}, "ttl: 'soon' is not a duration"),
        ({"queue": 3}, "queue is 3; a text is needed"),
        ({"concurrency_key": "user-{id}"}, "is not a key template"),
        ({"idempotency_key": 5}, "idempotency_key is 5"),
        ({"retries": 5}, "no option is named retries; there are id, queue"),
    ],
)
def test_a_wrong_option_of_a_task_says_what_is_allowed(options: Any, said: str) -> None:
    with pytest.raises(InvalidTask, match=said):

        @task(**options)
        async def wrong() -> None: ...

    assert registry.tasks == {}


def test_only_functions_that_return_become_tasks() -> None:
    async def stream():
        yield 1

    def produce():
        yield 1

    for generator in (stream, produce):
        with pytest.raises(InvalidTask, match="is a generator"):
            task(generator)
    for other in (5, at_the_top):
        with pytest.raises(InvalidTask, match="put on a function"):
            task(other)  # type: ignore


def test_two_functions_with_one_id_are_named_with_their_places() -> None:
    @task(id="same")
    async def first() -> None: ...

    with pytest.raises(DuplicateTask, match=r"first in .*test_task\.py:\d+ and .*second in") as e:

        @task(id="same")
        async def second() -> None: ...

    assert len(e.value.details["places"]) == 2
    assert registry.get("same") is first


def test_the_same_function_imported_again_replaces_itself(tmp_path: Path) -> None:
    file = tmp_path / "jobs.py"
    for number in (1, 2):
        file.write_text(f"import mainspring\n@mainspring.task\ndef job(): return {number}\n")
        spec = importlib.util.spec_from_file_location(f"jobs{number}", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert registry.get("job").func() == number
        # else the second import would find the bytes of the first: same size, same second
        Path(importlib.util.cache_from_source(str(file))).unlink(missing_ok=True)


def test_an_unknown_task_is_named_beside_the_known_ones() -> None:
    @task
    async def known() -> None: ...

    with pytest.raises(UnknownTask, match=r"'other'.*it has known"):
        registry.get("other")


def test_a_task_is_pickled_by_its_name() -> None:
    assert pickle.loads(pickle.dumps(at_the_top)) is at_the_top
    assert sys.modules[at_the_top.__module__].at_the_top is at_the_top


async def test_calling_a_task_calls_its_function() -> None:
    @task
    def plain(a: int, *, b: int = 1) -> int:
        return a + b

    assert await at_the_top(2) == 4
    assert await at_the_top.local(2) == 4
    assert plain(1, b=2) == 3
    assert await plain.local(1, b=2) == 3


async def test_a_trigger_is_one_request_that_gives_a_handle(engine: Recorder) -> None:
    handle = await at_the_top.trigger(5)
    assert (handle.id, handle.cached) == ("run_1", False)
    assert engine.asked == [Trigger([engine.last])]
    assert engine.last.task == "at_the_top"
    assert engine.last.payload == '{"n":5}'
    assert engine.last.options == TriggerOptions(checked=True)


async def test_nothing_is_sent_when_an_argument_does_not_fit(engine: Recorder) -> None:
    with pytest.raises(InvalidPayload):
        await at_the_top.trigger("x")  # type: ignore
    with pytest.raises(InvalidPayload):
        await at_the_top.batch_trigger([at_the_top.call(1), at_the_top.call("x")])  # type: ignore
    assert engine.asked == []


async def test_a_handle_says_when_the_run_is_an_older_one(engine: Recorder) -> None:
    engine.answers[Trigger] = lambda _: Triggered([TriggerAnswer("run_old", cached=True)])
    handle = await at_the_top.trigger(1)
    assert (handle.id, handle.cached) == ("run_old", True)


async def test_every_option_of_a_trigger_reaches_the_engine(engine: Recorder) -> None:
    configured = at_the_top.with_options(
        delay="10m",
        ttl=3600,
        tags=["vip", "eu", "vip"],
        metadata={"stage": 1},
        priority=2.5,
        queue=Queue("mail"),
        concurrency_key=7,
        max_attempts=4,
        max_duration=timedelta(minutes=1),
        machine="micro",
        version="v2",
        debounce=Debounce("k", 1),
        idempotency_key="order-1",
        idempotency_key_ttl="1h",
        test=True,
    )
    await configured.trigger(1)
    assert engine.last.options == TriggerOptions(
        delay_ms=600_000,
        ttl_ms=3_600_000,
        tags=("vip", "eu"),
        metadata='{"stage":1}',
        priority_ms=2_500,
        queue="mail",
        concurrency_key="7",
        max_attempts=4,
        max_duration_ms=60_000,
        machine="micro",
        version="v2",
        debounce=DebounceSpec("k", 1_000),
        idempotency_key=sha("order-1"),
        idempotency_shown="order-1",
        idempotency_scope="global",
        idempotency_ttl_ms=3_600_000,
        is_test=True,
        checked=True,
    )


async def test_later_options_are_added_to_earlier_ones(engine: Recorder) -> None:
    vip = at_the_top.with_options(tags="vip", priority=1)
    await vip.with_options(priority=9).trigger(1)
    assert (engine.last.options.tags, engine.last.options.priority_ms) == (("vip",), 9_000)
    await vip.trigger(1)
    assert engine.last.options.priority_ms == 1_000


async def test_one_trigger_never_shares_its_options_with_the_next(engine: Recorder) -> None:
    vip = at_the_top.with_options(tags="vip")
    await vip.trigger(1)
    engine.last.options.run_id = "run_mine"
    await vip.trigger(1)
    assert engine.last.options.run_id is None


@pytest.mark.parametrize(
    "delay, ms, until",
    [
        (30, 30_000, None),
        (0.25, 250, None),
        ("1h30m", 5_400_000, None),
        (timedelta(days=1), DAY_MS, None),
        (datetime(2026, 1, 31, tzinfo=UTC), None, 1_769_817_600_000),
        ("2026-01-31T00:00:00Z", None, 1_769_817_600_000),
        ("2026-01-31T01:00:00+01:00", None, 1_769_817_600_000),
    ],
)
async def test_a_delay_is_a_duration_or_a_moment(
    engine: Recorder, delay: Any, ms: int | None, until: int | None
) -> None:
    await at_the_top.with_options(delay=delay).trigger(1)
    assert (engine.last.options.delay_ms, engine.last.options.delay_until) == (ms, until)


@pytest.mark.parametrize(
    "options, said",
    [
        ({"delay": "tomorrow"}, "'tomorrow' is not a duration"),
        ({"delay": "2026-13-01"}, "'2026-13-01' is not a moment"),
        ({"delay": "2026-01-01T00:00:00"}, "does not say of which zone"),
        ({"delay": datetime(2026, 1, 1)}, "does not say of which zone"),
        ({"delay": -1}, "outside 0 to 100 years"),
        ({"delay": []}, "delay"),
        ({"ttl": object()}, "ttl"),
        ({"tags": ["x"] * 5 + [str(n) for n in range(10)]}, "11 tags"),
        ({"tags": ["x" * 129]}, "129 characters"),
        ({"tags": [1]}, "1 is not a text"),
        ({"metadata": {"a": object()}}, "metadata cannot be written"),
        ({"metadata": {"a": "x" * 300_000}}, "metadata is over"),
        ({"max_attempts": 0}, "max_attempts is 0"),
        ({"max_attempts": "3"}, "of the wrong type"),
        ({"queue": ""}, "queue"),
        ({"idempotency_scope": "batch"}, "run, attempt or global"),
        ({"prioritty": 1}, "No option is named prioritty; there are delay"),
    ],
)
def test_a_wrong_option_of_a_trigger_says_what_is_allowed(options: Any, said: str) -> None:
    with pytest.raises(InvalidOptions, match=said):
        at_the_top.with_options(**options)


async def test_keys_can_be_functions_of_the_arguments(engine: Recorder) -> None:
    @task(
        concurrency_key=lambda user, amount=0: f"user-{user}",
        idempotency_key=lambda user, amount=0: None if amount == 0 else f"{user}/{amount}",
        idempotency_ttl="1d",
    )
    async def pay(user: int, amount: int = 0) -> None: ...

    assert (pay.spec.concurrency_key, pay.spec.idempotency_key) == (None, None)
    await pay.trigger(7, amount=3)
    options = engine.last.options
    assert options.concurrency_key == "user-7"
    assert (options.idempotency_key, options.idempotency_shown) == (sha("7/3"), "7/3")
    assert (options.idempotency_scope, options.idempotency_ttl_ms) == ("global", DAY_MS)
    await pay.trigger(7)
    assert engine.last.options.idempotency_key is None
    await pay.with_options(
        concurrency_key=lambda user, amount=0: amount, idempotency_key="mine"
    ).trigger(7, 5)
    assert engine.last.options.concurrency_key == "5"
    assert engine.last.options.idempotency_shown == "mine"
    assert engine.last.options.idempotency_ttl_ms == 30 * DAY_MS


async def test_a_run_is_the_parent_of_what_it_triggers(engine: Recorder, in_run: Context) -> None:
    assert current() is in_run
    in_run.is_test = True
    await at_the_top.with_options(idempotency_key="k").trigger(1)
    options = engine.last.options
    assert (options.parent_id, options.is_test) == ("run_a", True)
    assert (options.idempotency_key, options.idempotency_scope) == (sha("k-run_a"), "run")


async def test_keys_of_a_task_are_global_also_inside_a_run(
    engine: Recorder, in_run: Context
) -> None:
    @task(idempotency_key=lambda n: f"n-{n}")
    async def keyed(n: int) -> None: ...

    await keyed.trigger(1)
    assert engine.last.options.idempotency_key == sha("n-1")


async def test_a_batch_is_one_request_in_order(engine: Recorder) -> None:
    calls = [at_the_top.call(1), at_the_top.with_options(tags="x", priority=1).call(2)]
    handles = await at_the_top.with_options(priority=5, version="v").batch_trigger(calls)
    assert [handle.id for handle in handles] == ["run_1", "run_2"]
    assert len(engine.asked) == 1
    first, second = (request.options for request in engine.triggered)
    assert (first.priority_ms, first.version, first.tags) == (5_000, "v", ())
    assert (second.priority_ms, second.version, second.tags) == (1_000, "v", ("x",))
    assert await at_the_top.batch_trigger([]) == []
    assert len(engine.asked) == 1


async def test_a_batch_takes_calls_of_its_own_task(engine: Recorder) -> None:
    @task
    async def other(n: int) -> int: ...

    with pytest.raises(InvalidOptions, match=r"'at_the_top' was given a call of 'other'.*tasks\."):
        await at_the_top.batch_trigger([other.call(1)])
    assert engine.asked == []
    handles = await tasks.batch([other.call(1), at_the_top.call(2), tasks.call("far", [3])])
    assert len(handles) == 3
    assert [request.task for request in engine.triggered] == ["other", "at_the_top", "far"]
    assert [request.options.checked for request in engine.triggered] == [True, True, False]


async def test_a_task_can_be_triggered_by_its_id_alone(engine: Recorder) -> None:
    handle = await tasks.trigger("far", {"a": 1}, tags="x", concurrency_key=lambda p: p["a"])
    assert handle.id == "run_1"
    assert (engine.last.task, engine.last.payload) == ("far", '{"a":1}')
    assert (engine.last.options.tags, engine.last.options.concurrency_key) == (("x",), "1")
    assert engine.last.options.checked is False
    with pytest.raises(InvalidPayload, match="'far' cannot be written"):
        await tasks.trigger("far", object())
