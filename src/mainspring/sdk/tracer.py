"""Spans that the code of runs makes. Sending them is the worker's business."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, Final

import msgspec

from mainspring.model import tracing
from mainspring.sdk.context import Context, running
from mainspring.sdk.encode import BEYOND_JSON, to_json
from mainspring.sdk.scopes import current_branch
from mainspring.wire.telling import ToldSpan

Sink = Callable[[ToldSpan], None]
"""Takes a span that has ended."""

sink: Final[ContextVar[Sink | None]] = ContextVar("mainspring_tracer_sink", default=None)
_open: Final[ContextVar[Span | None]] = ContextVar("mainspring_span", default=None)
_LONGEST: Final = 1_000


class Span:
    """A part of a run that is timed; it ends with its block.

    Attributes:
        id: its W3C id, 16 hexadecimal digits; "" outside of a run.
    """

    __slots__ = ("_attributes", "_ctx", "id", "name", "started_at")

    def __init__(self, name: str, ctx: Context | None, attributes: dict[str, Any]) -> None:
        self.name = name
        self.id = os.urandom(8).hex() if ctx is not None else ""
        self.started_at = time.time_ns() // 1_000_000
        self._ctx = ctx
        self._attributes = attributes

    def set(self, **attributes: Any) -> None:
        """Add attributes, of which there are 128 at most, or change them."""
        self._attributes |= attributes

    def usage(
        self, model: str, input_tokens: int = 0, output_tokens: int = 0, cost: float = 0
    ) -> None:
        """Say that this was a call of a model: the tokens and the cost (dollars) count for the run.

        The attributes are those of OpenTelemetry (`gen_ai.…`), so that spans of its
        instrumentations count the same.
        """
        self._attributes |= {
            "gen_ai.request.model": model,
            "gen_ai.usage.input_tokens": input_tokens,
            "gen_ai.usage.output_tokens": output_tokens,
            "gen_ai.usage.cost": cost,
        }

    @property
    def traceparent(self) -> str:
        """The W3C trace context of this span, to pass on in a header of that name; "" outside of a
        run.
        """
        return "" if self._ctx is None else self._ctx.within(self.id)

    def told(self, parent: str, ended_at: int, error: BaseException | None) -> ToldSpan:
        """The span as it is sent."""
        assert self._ctx is not None
        words = None if error is None else f"{type(error).__name__}: {error}"[:_LONGEST]
        return ToldSpan(
            self._ctx.run_id,
            self.id,
            parent,
            self.name,
            self.started_at,
            max(ended_at, self.started_at),
            words,
            _text(self._attributes),
        )


class Tracer:
    """Makes spans of the current run: `with tracer.span("charge", card="visa") as span: …`.

    A span stands below the one around it, the step, or the attempt. A run keeps 1,000; outside of a
    run, or where it is replayed, none is kept. Nothing here ever raises or waits.
    """

    @contextlib.contextmanager
    def span(self, name: str, /, **attributes: Any) -> Iterator[Span]:
        """Time a block; one that raises makes it a failed span."""
        ctx = running.get()
        span, above = Span(name, ctx, attributes), _open.get()
        if ctx is None:
            yield span
            return
        parent = above.id if above is not None and above._ctx is ctx else _parent(ctx)
        token = _open.set(span)
        error: BaseException | None = None
        try:
            yield span
        except BaseException as raised:
            error = raised
            raise
        finally:
            with contextlib.suppress(ValueError):  # a generator may be closed in another context
                _open.reset(token)
            into = sink.get()
            if into is not None and not ctx.replaying:
                into(span.told(parent, time.time_ns() // 1_000_000, error))


tracer: Final = Tracer()


def _parent(ctx: Context) -> str:
    """The step that the code is inside of, or the attempt."""
    branch = current_branch.get()
    if branch is not None and branch.step is not None and ctx.opened is not None:
        return tracing.span_id(ctx.run_id, branch.step, ctx.opened.generation)
    return tracing.span_id(ctx.run_id, tracing.attempt_key(ctx.attempt))


def _text(attributes: dict[str, Any]) -> str:
    try:
        return to_json(attributes).decode()
    except BEYOND_JSON:
        shown = {name: repr(value) for name, value in attributes.items()}
        return msgspec.json.encode(
            {name: value.encode(errors="replace").decode() for name, value in shown.items()}
        ).decode()
