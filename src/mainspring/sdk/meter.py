"""Numbers that the code of runs counts and measures. Adding them up is the worker's business."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from mainspring.telemetry.measures import Kind, Labels

Sink = Callable[[Kind, str, float, Labels], None]
"""Takes kind, name, value and labels of one number."""

sink: Final[ContextVar[Sink | None]] = ContextVar("mainspring_meter_sink", default=None)


class Meter:
    """Metrics of the current run's program, kept by the minute and shown over time.

    A name such as `orders.paid` belongs to one kind; names that begin as Mainspring's own (`runs.`,
    `queue.`, …) are refused. Labels are up to eight texts with few different values: each
    combination is a series, of which an environment has 2,000. The task is a label by itself. What
    is refused is a warning among the lines of the run; nothing here ever raises, waits, or is kept
    outside of a run or where a run is replayed.
    """

    def increment(self, name: str, by: float = 1, /, **labels: Any) -> None:
        """A counter grows by that much, which must not be negative."""
        _tell("counter", name, by, labels)

    def gauge(self, name: str, value: float, /, **labels: Any) -> None:
        """Something stands at that value now."""
        _tell("gauge", name, value, labels)

    def histogram(self, name: str, value: float, /, **labels: Any) -> None:
        """One value of many, of which quantiles are shown."""
        _tell("histogram", name, value, labels)


meter: Final = Meter()


def _tell(kind: Kind, name: str, value: float, labels: dict[str, Any]) -> None:
    into = sink.get()
    if into is not None:
        texts = (
            (label, text if type(text) is str else str(text)) for label, text in labels.items()
        )
        into(kind, name, value, tuple(sorted(texts)))
