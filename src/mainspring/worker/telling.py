"""What runs measure and the spans they make, collected and handed over in portions."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
from collections.abc import Callable
from typing import Final

import msgspec

from mainspring.sdk.context import running
from mainspring.telemetry.cell import Cell
from mainspring.telemetry.measures import Kind, Labels, label_problem, name_problem
from mainspring.wire.telling import ToldMetric, ToldSpan
from mainspring.wire.worker import Told
from mainspring.worker import hidden
from mainspring.worker.slots import Held, Slots

DELAY_S: Final = 0.5
SPANS: Final = 1_000
"""Spans that wait to be handed over, and those that one attempt may make."""
SERIES: Final = 1_000
"""Series that wait to be handed over."""
ATTRIBUTES: Final = 128
SIZE: Final = 16 * 1024
"""Attributes of one span, and characters of all of them together."""
NAME: Final = 200

log = logging.getLogger("mainspring.worker")
Key = tuple[Kind, str, Labels]


class Telling:
    """Collects from any thread; hands spans over when their run ends, all of it every half second.

    What is too much is dropped and counted. It costs nothing for runs that make and measure
    nothing.
    """

    def __init__(self, slots: Slots, post: Callable[[Told], None]) -> None:
        self._slots = slots
        self._post = post
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._spans: list[ToldSpan] = []
        self._cells: dict[Key, Cell] = {}
        self._kinds: dict[str, Kind] = {}
        self._warned: set[str] = set()
        self._dropped = 0
        self._armed = False

    def measure(self, kind: Kind, name: str, value: float, labels: Labels) -> None:
        """Take a number of `mainspring.meter`."""
        ctx = running.get()
        run = self._slots.owner(ctx) if ctx is not None else None
        if ctx is None or run is None or ctx.replaying:
            return
        problem = self._problem(kind, name, value, labels)
        if problem:
            self._warn(name, problem)
            return
        labels = tuple(sorted((*((k, hidden.shown(v)) for k, v in labels), ("task", ctx.task))))
        with self._lock:
            cell = self._cells.get((kind, name, labels))
            if cell is None:
                if len(self._cells) >= SERIES:
                    self._dropped += 1
                    return
                cell = self._cells[kind, name, labels] = Cell()
            if kind == "counter":
                cell.grow(value)
            elif kind == "gauge":
                cell.see(value)
            else:
                cell.spread(value)
        self._arm()

    def span(self, span: ToldSpan) -> None:
        """Take a span of `mainspring.tracer`."""
        ctx = running.get()
        run = self._slots.owner(ctx) if ctx is not None else None
        if run is None:
            return
        run.spans += 1
        with self._lock:
            if len(self._spans) >= SPANS or run.spans > SPANS:
                self._dropped += 1
                return
            span.name = hidden.shown(_clean(span.name))[:NAME] or "span"
            span.attributes = bounded(hidden.shown_json(span.attributes))
            if span.error is not None:
                span.error = hidden.shown(_clean(span.error))
            self._spans.append(span)
        self._arm()

    def finish(self, run: Held) -> None:
        """The run is about to end: hand over spans, and the rest when no other run is left."""
        if self._spans or (self._cells and len(self._slots.held) <= 1):
            self.flush()

    def flush(self) -> None:
        """Hand over what has been collected; on the event loop only."""
        self._armed = False
        with self._lock:
            spans, self._spans = self._spans, []
            cells, self._cells = self._cells, {}
            dropped, self._dropped = self._dropped, 0
        if spans or cells or dropped:
            self._post(Told(spans, [_told(*found) for found in cells.items()], dropped))

    def _arm(self) -> None:
        if not self._armed:
            self._armed = True
            with contextlib.suppress(RuntimeError):  # a thread has outlived the loop
                self._loop.call_soon_threadsafe(self._loop.call_later, DELAY_S, self.flush)

    def _problem(self, kind: Kind, name: str, value: float, labels: Labels) -> str:
        known = self._kinds.get(name)
        if known is None:
            problem = name_problem(name)
            if problem:
                return problem
            known = self._kinds[name] = kind
        if known != kind:
            return f"it is a {known} elsewhere in this program, and no {kind}"
        if not _is_number(value):
            return f"{value!r} is no number that can be kept"
        if kind == "counter" and value < 0:
            return f"a counter cannot grow by {value!r}"
        if any(label == "task" for label, _ in labels):
            return "the label task is set by itself"
        return label_problem(labels)

    def _warn(self, name: str, problem: str) -> None:
        """Say it in the lines of the run, once for each metric of this process."""
        self._dropped += 1
        if name not in self._warned and len(self._warned) < SERIES:
            self._warned.add(name)
            log.warning("metric %r is not kept: %s", name[:100], problem)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def bounded(attributes: str) -> str:
    """JSON of attributes, as many and as long as are kept. `attributes` must be an object."""
    if len(attributes) <= SIZE // 2 and attributes.count(":") <= ATTRIBUTES:
        return attributes
    kept: dict[str, object] = {}
    size = 0
    for name, value in msgspec.json.decode(attributes).items():
        text = msgspec.json.encode(value).decode()
        if len(text) > SIZE // 4:
            value = f"{text[: SIZE // 4]}…"
        size += len(name) + min(len(text), SIZE // 4)
        if len(kept) == ATTRIBUTES or size > SIZE:
            break
        kept[name] = value
    return msgspec.json.encode(kept).decode()


def _told(key: Key, cell: Cell) -> ToldMetric:
    kind, name, labels = key
    return ToldMetric(
        kind, name, labels, cell.count, cell.total, cell.low, cell.high, cell.last, cell.buckets
    )


def _clean(text: str) -> str:
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()
