"""Trace context as W3C writes it, and the ids of traces and spans, which follow from runs. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from mainspring import ids

OF_RUN: Final = ""
"""Stands for the key of the run's own span."""
SAMPLED: Final = "01"
_OURS: Final = "4d53"
_TRACE: Final = re.compile(_OURS + "[0-3][0-9a-f]{27}")
_PARENT: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_LATER: Final = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")


def read(header: str | None) -> str | None:
    """A `traceparent` as version 00 writes it; None for none, and for one that is not valid."""
    text = header or ""
    found = _PARENT.fullmatch(text) or (_LATER.fullmatch(text) if text[:2] != "00" else None)
    if found is None or not int(found[1], 16) or not int(found[2], 16):
        return None
    return f"00-{found[1]}-{found[2]}-{found[3]}"


def span_id(run_id: str, key: str = OF_RUN, generation: int = 0) -> str:
    """The id of a span: the same whenever and wherever it is asked for."""
    mark = f"{run_id}\0{key}\0{generation}" if generation else f"{run_id}\0{key}"
    return hashlib.sha256(mark.encode()).hexdigest()[:16]


def attempt_key(number: int) -> str:
    """The key of the span of an attempt."""
    return f"!attempt/{number}"


def trace_id(trace: str | None, root_id: str) -> str:
    """The trace of a run: that of its caller, or else that of its root run, from which `root_of`
    reads the run again.
    """
    if trace is not None:
        return trace[3:35]
    try:
        return f"{_OURS}{ids.number_of(root_id):028x}"
    except ValueError:
        return hashlib.sha256(root_id.encode()).hexdigest()[:32]


def root_of(trace_id: str) -> str | None:
    """The root run of a trace that began with it; None for a caller's trace."""
    if not _TRACE.fullmatch(trace_id):
        return None
    return ids.of_number("run", int(trace_id[len(_OURS) :], 16))


def parent_span(trace: str) -> str:
    """The caller's span."""
    return trace[36:52]


def is_sampled(trace: str | None) -> bool:
    """Whether the caller's trace is kept; without a caller it is."""
    return trace is None or bool(int(trace[53:55], 16) & 1)


def below(trace: str | None, root_id: str, span: str) -> str:
    """What is passed on from within that span of a run."""
    flags = trace[53:55] if trace is not None else SAMPLED
    return f"00-{trace_id(trace, root_id)}-{span}-{flags}"
