"""Retries, rates, queues and debounces are checked where they are declared."""

from datetime import timedelta
from typing import Any

import pytest

from mainspring import Debounce, InvalidOptions, Queue, RateLimit, Retry
from mainspring.errors import InvalidTask
from mainspring.model.retry import RetryPolicy
from mainspring.model.run import Debounce as DebounceSpec
from mainspring.model.task import QueueSpec, RateSpec
from mainspring.sdk.registry import registry


def test_a_retry_says_its_delays_in_any_form() -> None:
    assert Retry().spec() == RetryPolicy()
    made = Retry(5, timedelta(seconds=2), "1m", factor=3, jitter=False)
    assert made.spec() == RetryPolicy(5, 2_000, 60_000, 3.0, False)


@pytest.mark.parametrize(
    "given, said",
    [
        ({"max_attempts": 0}, "max_attempts is 0; a whole number from 1 to 250"),
        ({"max_attempts": 251}, "max_attempts is 251"),
        ({"max_attempts": 2.0}, "max_attempts is 2.0"),
        ({"max_attempts": True}, "max_attempts is True"),
        ({"min_delay": "soon"}, "min_delay: 'soon' is not a duration"),
        ({"min_delay": -1}, "min_delay: -1 is outside"),
        ({"min_delay": None}, "min_delay: None is not a duration"),
        ({"min_delay": "1h"}, "min_delay '1h' is over max_delay 10"),
        ({"factor": 0.5}, "factor is 0.5"),
    ],
)
def test_a_wrong_retry_says_what_is_allowed(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidTask, match=said):
        Retry(**given)


@pytest.mark.parametrize(
    "text, spec",
    [
        ("100/min", RateSpec(100, 60_000)),
        ("5/s", RateSpec(5, 1_000)),
        ("10/30s", RateSpec(10, 30_000)),
        ("1000 / 1h", RateSpec(1000, 3_600_000)),
        ("7/day", RateSpec(7, 86_400_000)),
        ("3/2", RateSpec(3, 2_000)),
    ],
)
def test_a_rate_can_be_written_as_text(text: str, spec: RateSpec) -> None:
    assert RateLimit.parse(text).spec() == spec
    assert Queue("q", rate=text).spec().rate == spec


@pytest.mark.parametrize("text", ["", "100", "x/min", "100/fortnight", "0/s", "5/0s", "-1/s"])
def test_a_wrong_rate_is_an_invalid_task(text: str) -> None:
    with pytest.raises(InvalidTask):
        RateLimit.parse(text)


def test_a_queue_is_registered_with_its_limits() -> None:
    rate = RateLimit(3, "10s", burst=6, per_key=True)
    mail = Queue("mail", concurrency_limit=5, total_limit=50, rate=rate, weight=2)
    assert registry.specs() == (
        [],
        [QueueSpec("mail", 5, 50, RateSpec(3, 10_000, 6, True), 2)],
    )
    assert registry.queues["mail"] is mail


@pytest.mark.parametrize(
    "given, said",
    [
        ({"name": ""}, "1 to 128"),
        ({"name": "x" * 129}, "1 to 128"),
        ({"name": 5}, "a text is needed"),
        ({"concurrency_limit": -1}, "concurrency_limit is -1"),
        ({"total_limit": "5"}, "total_limit is '5'"),
        ({"weight": 0}, "weight is 0"),
        ({"rate": "often"}, "'often' is not understood"),
    ],
)
def test_a_wrong_queue_says_what_is_allowed(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidTask, match=said):
        Queue(**{"name": "q", **given})
    assert registry.queues == {}


def test_the_same_file_may_declare_a_queue_anew_and_another_one_only_the_same() -> None:
    Queue("mail", concurrency_limit=1)
    Queue("mail", concurrency_limit=2)
    elsewhere = compile("Queue('mail', concurrency_limit=limit)", "other.py", "exec")
    exec(elsewhere, {"Queue": Queue, "limit": 2})
    with pytest.raises(InvalidTask, match=r"different limits in .*other\.py:1"):
        Queue("mail", concurrency_limit=3)


def test_a_debounce_becomes_a_model_value() -> None:
    assert Debounce("k", "5s", mode="trailing", max_delay=60).spec() == DebounceSpec(
        "k", 5_000, "trailing", 60_000
    )
    for given in ({"key": ""}, {"mode": "both"}, {"delay": "x"}, {"max_delay": -1}):
        with pytest.raises(InvalidOptions):
            Debounce(**{"key": "k", "delay": 1, **given})
