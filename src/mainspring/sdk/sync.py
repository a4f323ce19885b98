"""Public as `mainspring.sync`: what blocking code calls, in `def` tasks and in scripts."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final, ParamSpec, TypeVar, Unpack, overload

from mainspring.sdk import checkpoint as checkpoints, children, sync_wait
from mainspring.sdk.atomic import transaction_sync as transaction
from mainspring.sdk.call import Call
from mainspring.sdk.local import blocking
from mainspring.sdk.portal import iterate, run
from mainspring.sdk.step import begin_blocking
from mainspring.sdk.step_options import NONE, Durability, Settled, StepOptions, settle

__all__ = ["checkpoint", "gather", "iterate", "run", "step", "transaction", "wait"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")

wait: Final = sync_wait


class BlockingStepVerb:
    """`step` for `def` tasks: `step("name", function, *arguments)` gives the result itself."""

    def __init__(self, settled: Settled) -> None:
        self._settled = settled

    @overload
    def __call__(
        self,
        name: str,
        func: Callable[P, Coroutine[Any, Any, R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R: ...
    @overload
    def __call__(
        self, name: str, func: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R: ...
    @overload
    def __call__(self, **options: Unpack[StepOptions]) -> BlockingStepVerb: ...
    def __call__(  # type: ignore[misc]  # mypy does not see that **kwargs takes those of Unpack
        self, name: Any = None, func: Any = None, /, *args: Any, **kwargs: Any
    ) -> Any:
        """Call `func` once in the life of the run, a plain function in this thread.

        Raises what `mainspring.step` raises.
        """
        if func is None:
            given: Any = {**self._settled.given, **kwargs}
            return BlockingStepVerb(settle(given))
        return begin_blocking(name, func, args, kwargs, self._settled)


step: Final = BlockingStepVerb(NONE)


def checkpoint(name: str, value: T, *, durability: Durability = "durable") -> T:
    """`mainspring.checkpoint` for `def` tasks."""
    return blocking(checkpoints.checkpoint(name, value, durability=durability))


@overload
def gather(one: Call[A], /) -> tuple[A]: ...
@overload
def gather(one: Call[A], two: Call[B], /) -> tuple[A, B]: ...
@overload
def gather(one: Call[A], two: Call[B], three: Call[C], /) -> tuple[A, B, C]: ...
@overload
def gather(*calls: Call[R]) -> tuple[R, ...]: ...
def gather(*calls: Call[Any]) -> Any:
    """`mainspring.gather` for `def` tasks."""
    return blocking(children.gather(*calls))
