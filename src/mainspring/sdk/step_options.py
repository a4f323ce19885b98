"""Options of steps as users write them, checked. What they do is `step`'s business."""

from __future__ import annotations

from typing import Final, Literal, TypedDict

from msgspec import Struct

from mainspring.errors import InvalidOptions
from mainspring.model.duration import Duration, milliseconds
from mainspring.model.retry import RetryPolicy
from mainspring.sdk.journal import check_name
from mainspring.sdk.limits import Retry

Durability = Literal["durable", "relaxed"]


class StepOptions(TypedDict, total=False):
    """What `step(...)` takes. Durations are seconds, a timedelta or text such as `"10m"`.

    Attributes:
        name: of a decorated function's step; default the function's name.
        key: marks this call among others of the name, wherever in the run it is made.
        retry: tries again within the attempt; the run keeps its slot meanwhile.
        timeout: of each try; a plain function is left behind in its thread.
        durability: `relaxed` goes on before the result is stored; it is stored before everything
            that the run does later is.
        scope: `attempt` executes the step anew in each attempt of the run.
        check_args: whether other arguments than recorded are a divergence.
        thread: whether a plain function is executed in a thread (the default) or on the event
            loop, which costs less and holds up every other run meanwhile.
    """

    name: str
    key: str
    retry: Retry
    timeout: Duration
    durability: Durability
    scope: Literal["run", "attempt"]
    check_args: bool
    thread: bool


class Settled(Struct, frozen=True):
    """Checked options."""

    given: StepOptions
    key: str | None = None
    retry: RetryPolicy | None = None
    timeout_s: float | None = None
    relaxed: bool = False
    attempt_only: bool = False
    check_args: bool = True
    thread: bool = True
    simple: bool = True
    """Neither tried again nor timed."""


NONE: Final = Settled({})


def settle(given: StepOptions) -> Settled:
    """Check options. Raises: InvalidOptions."""
    unknown = given.keys() - StepOptions.__annotations__.keys()
    if unknown:
        raise InvalidOptions(
            f"A step has no option named {', '.join(sorted(unknown))}; there are "
            f"{', '.join(StepOptions.__annotations__)}. Arguments of the function follow it: "
            '`step("name", function, argument)`.'
        )
    check_name(given.get("name", "-"), given.get("key"))
    for option, allowed in (("durability", ("durable", "relaxed")), ("scope", ("run", "attempt"))):
        value = given.get(option, allowed[0])
        if value not in allowed:
            raise InvalidOptions(
                f"A step's {option} is {value!r}; {' or '.join(allowed)} is allowed."
            )
    retry, timeout = given.get("retry"), given.get("timeout")
    if retry is not None and not isinstance(retry, Retry):
        raise InvalidOptions(f"A step's retry is {retry!r}; write Retry(max_attempts=…).")
    return Settled(
        given,
        key=given.get("key"),
        retry=None if retry is None else retry.spec(),
        timeout_s=None if timeout is None else milliseconds(timeout, "timeout") / 1000,
        relaxed=given.get("durability") == "relaxed",
        attempt_only=given.get("scope") == "attempt",
        check_args=given.get("check_args", True),
        thread=given.get("thread", True),
        simple=retry is None and timeout is None,
    )
