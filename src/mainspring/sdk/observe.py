"""Letting users watch the worker of their own process: claims, renewals, acknowledged ends."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, Literal

from msgspec import Struct

Kind = Literal["claim", "renew", "step", "end"]
_log: Final = logging.getLogger("mainspring.observe")


class WorkerEvent(Struct, frozen=True):
    """Something that the worker and the server agreed on.

    Attributes:
        kind: `claim` an order to run, or to go on after a wait, has arrived; `renew` the server
            acknowledged a beat of the session, so its leases go on (once for each run that it
            holds); `step` a journal entry is durable, which the code does not know yet; `end` the
            end of the attempt is.
        epoch: the fencing token of the run.
        at: epoch ms, by this machine's clock.
        outcome: of an `end`: completed, failed, aborted, retry, canceled, timed_out, ….
    """

    kind: Kind
    run_id: str
    epoch: int
    at: int
    session_id: str = ""
    task: str = ""
    attempt: int = 0
    outcome: str = ""


Observer = Callable[[WorkerEvent], object]
observers: Final[list[Observer]] = []
"""While it is empty the worker makes no events."""


def on_worker_event(observer: Observer) -> Observer:
    """Call `observer(event)` in the worker's event loop for each event; keep it short.

    Usable as a decorator. An error in it is logged and changes nothing.
    """
    observers.append(observer)
    return observer


def emit(event: WorkerEvent) -> None:
    """Tell every observer; for the worker, which looks at `observers` first."""
    for observer in observers:
        try:
            observer(event)
        except Exception:  # noqa: BLE001 - a watcher must not end what it watches
            name = getattr(observer, "__qualname__", repr(observer))
            _log.exception("Observer %s failed on %s of run %s", name, event.kind, event.run_id)
