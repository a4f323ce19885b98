"""`mainspring capacity`: what a number of runs a day takes."""

from __future__ import annotations

from typing import Any, Final

import click

from mainspring.cli.item import Columns
from mainspring.cli.output import Output
from mainspring.model.capacity import Load, capacity

_COLUMNS: Final[Columns] = {
    "WHAT": lambda item: str(item["what"]),
    "VALUE": lambda item: f"{item['value']:,.{0 if item['value'] >= 100 else 2}f} {item['unit']}",
}


@click.command("capacity")
@click.option("--runs-per-day", type=click.IntRange(1), required=True, help="All of them.")
@click.option("--peak", type=click.FloatRange(1), default=5.0, help="Busiest second. Default: 5.")
@click.option("--bytes", "data", type=int, default=1_000, help="Payload, output. Default: 1000.")
@click.option("--seconds", type=float, default=1.0, help="That a run executes. Default: 1.")
@click.option("--keep-days", type=int, default=30, help="That runs stay. Default: 30.")
@click.option("--servers", type=click.IntRange(1), default=2, help="Default: 2.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines, as when piped.")
@click.option("-q", "--quiet", is_flag=True, help="Only the values.")
def command(
    *,
    runs_per_day: int,
    peak: float,
    data: int,
    seconds: float,
    keep_days: int,
    servers: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Say what so many runs a day take of PostgreSQL and of workers.

    The model and where its constants come from: docs/scale.md. --peak is how many times the
    average the busiest second has.
    """
    found = capacity(Load(runs_per_day, peak, data, seconds, keep_days, servers))
    rows: list[tuple[str, float, str]] = [
        ("average", found.average_per_s, "runs/s"),
        ("peak", found.peak_per_s, "runs/s"),
        ("tables", found.table_bytes / 1e9, "GB"),
        ("log a day", found.log_bytes_per_day / 1e9, "GB"),
        ("log at the peak", found.log_bytes_per_s / 1e6, "MB/s"),
        ("slots of workers", found.slots, "runs"),
        ("servers and workers at the peak", found.server_cores, "cores"),
        ("PostgreSQL at the peak", found.database_cores, "cores"),
        ("connections", found.connections, ""),
    ]
    items: list[dict[str, Any]] = [
        {"what": what, "value": value, "unit": unit} for what, value, unit in rows
    ]
    Output(as_json, quiet).many(items, _COLUMNS, ident="value", empty="")
