"""How code of a run is left for good from inside; no errors, so `except Exception` lets them by."""

from __future__ import annotations

from mainspring.model.run import RunError


class Signal(BaseException):
    """Ends the attempt. User code has no reason to catch it."""


class Divergence(Signal):
    """The code asks for something else than the journal holds: outcome `diverged`, `error`."""

    def __init__(self, error: RunError) -> None:
        super().__init__(error.message)
        self.error = error


class Continued(Signal):
    """The run goes on with a fresh journal: outcome `continued`, `payload` (JSON) as its output."""

    def __init__(self, payload: str) -> None:
        super().__init__("continued with another payload")
        self.payload = payload
