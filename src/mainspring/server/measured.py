"""Figures about requests and about this process."""

from __future__ import annotations

import resource
from typing import Final

from mainspring.telemetry.metrics import Durations, Labels, Sample, expose, expose_durations

UNKNOWN: Final = "none"
"""The route of a request that leads nowhere."""


class Measured:
    """Counts the requests that one application answers; an answer costs two dictionary lookups."""

    def __init__(self) -> None:
        self._durations: dict[tuple[str, str], Durations] = {}
        self._statuses: dict[tuple[str, str, int], int] = {}

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered. `route` is a template, such as `/api/v3/runs/{run}`."""
        durations = self._durations.get((method, route))
        if durations is None:
            durations = self._durations[method, route] = Durations()
        durations.add(seconds)
        key = (method, route, status)
        self._statuses[key] = self._statuses.get(key, 0) + 1

    def text(self, more: list[Sample]) -> str:
        """All figures, with `more` in front of them."""
        statuses = [
            Sample(
                "mainspring_http_requests_total",
                "Requests that were answered.",
                count,
                (("method", method), ("route", route), ("status", str(status))),
            )
            for (method, route, status), count in sorted(self._statuses.items())
        ]
        durations: dict[Labels, Durations] = {
            (("method", method), ("route", route)): found
            for (method, route), found in sorted(self._durations.items())
        }
        name, words = (
            "mainspring_http_request_seconds",
            "From the headers to the end of the answer.",
        )
        return expose([*more, *_process(), *statuses]) + expose_durations(name, words, durations)


def _process() -> list[Sample]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return [
        Sample(
            "process_cpu_seconds_total",
            "CPU time of this process.",
            used.ru_utime + used.ru_stime,
        ),
        Sample(
            "process_max_resident_memory_bytes",
            "The most memory that this process had at once.",
            used.ru_maxrss * 1024,
        ),
    ]
