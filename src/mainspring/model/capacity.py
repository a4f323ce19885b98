"""What a number of runs a day takes of PostgreSQL and of workers, by the model of docs/scale.md."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

DAY_S: Final = 86_400
KEPT_BYTES: Final = 600
"""A plain run's rows that stay, with their indexes, without payload and output."""
LOG_BYTES: Final = 1_600
"""What it writes to the log, without payload and output."""
SERVER_US: Final = 120
"""Processor time of a plain run in the server and its worker together, triggered by the thousand;
requests over HTTP come on top."""
DATABASE_US: Final = 60
"""The same in PostgreSQL, without vacuum and checkpoints."""
CONNECTIONS: Final = 5
"""Those that a server holds at most."""


@dataclass(frozen=True)
class Load:
    """Runs a day; `peak` is the busiest second's share of the average, `data_bytes` a run's
    payload and output together.
    """

    runs_per_day: int
    peak: float = 5.0
    data_bytes: int = 1_000
    run_s: float = 1.0
    keep_days: int = 30
    servers: int = 2


@dataclass(frozen=True)
class Capacity:
    """What that takes; bytes, and runs a second. `server_cores` and `database_cores` are busy with
    it in the busiest second.
    """

    average_per_s: float
    peak_per_s: float
    table_bytes: int
    log_bytes_per_day: int
    log_bytes_per_s: float
    slots: int
    server_cores: float
    database_cores: float
    connections: int


def capacity(load: Load) -> Capacity:
    """What the load takes."""
    average = load.runs_per_day / DAY_S
    peak = average * load.peak
    logged = LOG_BYTES + load.data_bytes
    return Capacity(
        average,
        peak,
        load.runs_per_day * load.keep_days * (KEPT_BYTES + load.data_bytes),
        load.runs_per_day * logged,
        peak * logged,
        ceil(peak * load.run_s),
        peak * SERVER_US / 1e6,
        peak * DATABASE_US / 1e6,
        load.servers * CONNECTIONS,
    )
