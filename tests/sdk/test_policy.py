"""What a failed attempt comes to: hooks and kinds of errors, and whose opinion counts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mainspring import AbortRun, Context, InvalidOptions, RetryRun, hooks, task
from mainspring.errors import Diverged, InvalidTask
from mainspring.sdk import policy
from mainspring.sdk.signals import Continued
from tests.sdk.conftest import order

CTX = Context(order())
NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
BROKEN = ValueError("broken")


async def resolved(made: Any, error: BaseException = BROKEN) -> BaseException:
    return await policy.resolve_error(made, CTX, error)


async def test_without_a_policy_the_error_stays_as_it_is() -> None:
    @task
    async def work() -> None: ...

    assert await resolved(work) is BROKEN


async def test_only_named_kinds_are_tried_again() -> None:
    @task(retry_on=(OSError, lambda error: "again" in str(error)))
    async def work() -> None: ...

    slow = TimeoutError("slow")
    assert await resolved(work, slow) is slow
    odd = ValueError("once again")
    assert await resolved(work, odd) is odd
    ended = await resolved(work)
    assert isinstance(ended, AbortRun)
    assert policy.shown(ended) is BROKEN
    assert str(ended) == "broken"


async def test_named_kinds_fail_at_once() -> None:
    @task(abort_on=ValueError)
    async def work() -> None: ...

    assert isinstance(await resolved(work), AbortRun)
    other = KeyError("x")
    assert await resolved(work, other) is other


@pytest.mark.parametrize(
    "given", [{"retry_on": int}, {"abort_on": ("ValueError",)}, {"catch_error": 5}]
)
def test_what_means_no_error_is_refused(given: Any) -> None:
    with pytest.raises(InvalidTask, match=next(iter(given))):
        task(**given)(lambda: None)


async def test_the_hook_of_the_task_is_asked_first_and_its_opinion_counts() -> None:
    asked: list[str] = []

    @task(abort_on=ValueError)
    async def work() -> None: ...

    @work.catch_error
    async def own(ctx: Context, error: BaseException) -> Any:
        asked.append(f"own of {ctx.run_id}")
        return policy.after("10m") if isinstance(error, ValueError) else None

    @hooks.catch_error
    def everywhere(ctx: Context, error: BaseException) -> Any:
        asked.append("global")
        return policy.skip() if isinstance(error, KeyError) else None

    again = await resolved(work)
    assert isinstance(again, RetryRun)
    assert (again.after, policy.shown(again)) == (timedelta(minutes=10), BROKEN)
    assert isinstance(await resolved(work, KeyError("k")), AbortRun)
    other = OSError()
    assert await resolved(work, other) is other
    assert asked == ["own of run_a", "own of run_a", "global", "own of run_a", "global"]


async def test_a_hook_names_another_error_by_returning_or_raising_it() -> None:
    @task(catch_error=lambda ctx, error: OSError("no net"))
    async def returning() -> None: ...

    @task
    async def raising() -> None: ...

    @raising.catch_error
    async def refuse(ctx: Context, error: BaseException) -> None:
        raise AbortRun("no money")

    named = await resolved(returning)
    assert str(named) == "no net"
    assert named.__cause__ is BROKEN
    refused = await resolved(raising)
    assert isinstance(refused, AbortRun)
    assert policy.shown(refused) is refused


async def test_an_error_that_is_a_decision_is_not_asked_about() -> None:
    @task(abort_on=Exception, catch_error=lambda ctx, error: policy.skip())
    async def work() -> None: ...

    for said in (AbortRun(), RetryRun(after=5), Diverged("x"), Continued("{}")):
        assert await resolved(work, said) is said


async def test_something_else_is_no_opinion_and_fails_the_run_saying_so() -> None:
    @task(catch_error=lambda ctx, error: {"skip": True})
    async def work() -> None: ...

    wrong = policy.shown(await resolved(work))
    assert isinstance(wrong, InvalidTask)
    assert "retry.skip()" in str(wrong)
    assert wrong.__cause__ is BROKEN


async def test_a_task_with_a_policy_is_executed_with_its_hooks() -> None:
    @task(retry_on=OSError)
    async def choosy() -> None: ...

    @task
    async def bare() -> None: ...

    assert hooks.has_hooks(choosy)
    assert not hooks.has_hooks(bare)


def test_a_moment_becomes_a_delay_and_one_in_the_past_none() -> None:
    later = policy.decide(policy.at(NOW + timedelta(hours=1)), BROKEN, NOW)
    assert isinstance(later, RetryRun)
    assert later.after == timedelta(hours=1)
    over = policy.decide(policy.at(NOW - timedelta(hours=1)), BROKEN, NOW)
    assert isinstance(over, RetryRun)
    assert over.after == timedelta(0)
    usual = policy.decide(policy.after(), BROKEN, NOW)
    assert isinstance(usual, RetryRun)
    assert usual.after is None
    with pytest.raises(InvalidOptions, match="which zone"):
        policy.at(datetime(2026, 1, 1))
