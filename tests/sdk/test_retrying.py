"""A part of a task that is tried again in place."""

from typing import Any

import pytest

from mainspring import AbortRun, Context, RetryRun, retry
from mainspring.errors import FencedOut, InvalidTask


class Part:
    """Raises the errors one after the other, then returns how often it was called."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self) -> int:
        return self.plain()

    def plain(self) -> int:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.calls


async def test_a_part_is_called_until_it_returns() -> None:
    assert await retry.on_throw(Part(OSError(), OSError()), min_delay=0) == 3
    assert retry.on_throw_sync(Part(OSError()).plain, min_delay=0) == 2


async def test_the_error_of_the_last_attempt_is_raised() -> None:
    part = Part(OSError("a"), OSError("b"), OSError("c"))
    with pytest.raises(OSError, match="b"):
        await retry.on_throw(part, max_attempts=2, min_delay=0)
    assert part.calls == 2


async def test_kinds_of_errors_are_told_apart() -> None:
    part = Part(KeyError("k"))
    with pytest.raises(KeyError):
        await retry.on_throw(part, retry_on=OSError, min_delay=0)
    with pytest.raises(OSError, match="net"):
        await retry.on_throw(Part(OSError("net")), abort_on=lambda e: "net" in str(e), min_delay=0)


@pytest.mark.parametrize("error", [AbortRun(), RetryRun(), FencedOut("x")])
async def test_what_is_about_the_whole_run_passes_at_once(error: Exception) -> None:
    part = Part(error)
    with pytest.raises(type(error)):
        await retry.on_throw(part, min_delay=0)
    with pytest.raises(type(error)):
        retry.on_throw_sync(Part(error).plain, min_delay=0)
    assert part.calls == 1


def test_a_cancel_ends_blocking_attempts_at_the_next_delay(in_run: Context) -> None:
    part = Part(OSError("net"), OSError("net"))
    in_run.canceled.set()
    with pytest.raises(OSError, match="net"):
        retry.on_throw_sync(part.plain, min_delay=0)
    assert part.calls == 1


async def test_a_longer_first_delay_needs_no_longer_longest_one() -> None:
    assert await retry.on_throw(Part(), min_delay="1h") == 1


@pytest.mark.parametrize("given", [{"tries": 3}, {"max_attempts": 0}, {"retry_on": "OSError"}])
async def test_options_that_make_no_sense_are_refused(given: Any) -> None:
    with pytest.raises(InvalidTask):
        await retry.on_throw(Part(), **given)
