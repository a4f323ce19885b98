"""Tables at 80 columns, each as tables.txt has it.

`MAINSPRING_GOLDEN=write ./dev test tests/cli/test_tables.py` writes the file anew.
"""

import importlib
import io
import os
import pkgutil
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from rich.console import Console

from mainspring import cli
from mainspring.cli import draw
from mainspring.cli.item import Columns, Item

PAGE = Path(__file__).with_name("tables.txt")
WIDTH: Final = 80
RUN = "run_06g1c0p3s1000ab12cd34ef"
TAGS = ["customer-4711", "nightly"]
CRON = {"expression": "0 9 * * MON-FRI", "description": "At 09:00 on Monday through Friday"}
SAMPLES: dict[str, list[dict[str, Any]]] = {
    "columns.RUN": [
        {
            "id": RUN, "taskIdentifier": "billing/send-monthly-statement",
            "status": "PENDING_VERSION", "durationMs": 83_000, "isCompleted": True, "tags": TAGS,
        },
        {"id": RUN, "taskIdentifier": "a", "status": "FAILED", "durationMs": 7, "isCompleted": 1},
    ],
    "columns.TASK": [
        {
            "id": "billing/send-monthly-statement", "queue": "mail", "workers": 12,
            "description": "Sends everybody who has bought something a statement.",
        }
    ],
    "columns.QUEUE": [
        {
            "queue": "task/billing/send-monthly-statement", "queued": 123_456, "running": 100,
            "concurrencyLimit": 100, "totalLimit": 1000, "rate": "100/min", "paused": True,
            "concurrency": {"overriddenAt": 1, "base": 20},
        }
    ],
    "columns.BATCH": [
        {
            "id": "batch_06g1c0p3s1000ab12cd34ef", "status": "COMPLETED", "runCount": 1000,
            "endedCount": 1000, "failedCount": 3, "idempotencyKey": "monthly-statements-2026-11",
        }
    ],
    "columns.TOKEN": [
        {
            "id": "waitpoint_06g1c0p3s1000ab12cd34ef", "status": "COMPLETED",
            "idempotencyKey": "approve-4711", "tags": TAGS,
        }
    ],
    "columns.SCHEDULE": [
        {
            "id": "sched_06g1c0p3s1000ab12cd34ef", "task": "billing/send-monthly-statement",
            "generator": CRON, "timezone": "America/Argentina/Buenos_Aires", "active": False,
        }
    ],
    "columns.TICK": [{"at": "2026-11-21T08:00:00.000Z", "local": "2026-11-21T09:00:00+01:00"}],
    "columns.NAMES": [{"name": "feature/" + "a-long-name-of-a-branch/" * 4}],
    "columns.VARIABLE": [{"name": "STATEMENT_TEMPLATE", "value": "x" * 99, "isSecret": True}],
    "columns.ENTRY": [
        {"key": "render#2", "kind": "step", "status": "completed", "data": {"pages": list("abc")}}
    ],
    "deployments.COLUMNS": [
        {"version": "20261121.12", "current": True, "workers": 12, "externalId": "9f8e7d6" * 6}
    ],
    "preflight.COLUMNS": [
        {
            "task": "billing/send-monthly-statement", "version": "20261121.12",
            "verdict": "diverges", "at": "render", "runs": 123,
            "reason": "the code does not do the step 'render' any more, which the run has done",
        }
    ],
    "profiles.PROFILE": [
        {
            "profile": "production", "url": "https://jobs.a-company-of-mine.example/mainspring",
            "environment": "prod", "key": "…abcd", "inUse": True,
        }
    ],
    "commands.archive_ls._COLUMNS": [
        {
            "name": "runs/2026/11/21/00000000000000000123.parquet", "kind": "runs",
            "state": "written", "from": "2026-11-20T00:00:00.000Z",
            "to": "2026-11-21T00:00:00.000Z", "count": 123_456, "rows": 123_456, "bytes": 9_876_543,
        }
    ],
    "commands.audit_ls._COLUMNS": [
        {
            "number": 12_345, "who": "ada@a-company-of-mine.example", "what": "deployments.promote",
            "target": "20261121.12", "environment": "prod", "origin": "2001:db8::1:2:3",
        }
    ],
    "commands.capacity._COLUMNS": [{"what": "commits", "value": 12_345.6, "unit": "a second"}],
    "commands.config_show._COLUMNS": [
        {"setting": "server.keep_versions", "value": "y" * 80, "from": "mainspring.toml, line 12"}
    ],
    "commands.db_status._COLUMNS": [
        {"name": "0011_pre_deployments", "appliedAt": "2026-11-21T08:00:00.000Z"}
    ],
    "commands.doctor._COLUMNS": [
        {
            "check": "server", "state": "fail", "next": "mainspring dev, or name it with --url",
            "text": "No server answers at http://127.0.0.1:7420 (Connection refused).",
        }
    ],
    "commands.keys_ls.COLUMNS": [
        {
            "id": "key_06g1c0p3s1000ab12cd34ef", "environment": "prod", "lastFour": "abcd",
            "label": "deployments from the pipeline", "state": "revoked",
            "scopes": ["write:deployments", "read:runs"],
        }
    ],
    "commands.people_ls._COLUMNS": [
        {"name": "ada@a-company-of-mine.example", "role": "admin", "environment": "", "tokens": 2}
    ],
}  # fmt: skip


@cache
def tables() -> dict[str, Columns]:
    """Everything that can be the columns of a table, by its place in the package."""
    found: dict[str, Columns] = {}
    for module in pkgutil.walk_packages(cli.__path__, "mainspring.cli."):
        if ".typed" in module.name or ".templates" in module.name:
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            is_table = isinstance(value, dict) and value and all(map(callable, value.values()))
            if is_table and all(isinstance(title, str) and title.isupper() for title in value):
                found.setdefault(f"{module.name.removeprefix('mainspring.cli.')}.{name}", value)
    homes: dict[int, str] = {}
    for place in sorted(found, key=lambda place: (place.startswith("commands."), place)):
        homes.setdefault(id(found[place]), place)  # others import it from there
    return {place: found[place] for place in homes.values()}


def drawn(columns: Columns, items: list[Item], width: int) -> tuple[str, list[str]]:
    text = io.StringIO()
    table, left = draw.table(items, columns, width)
    Console(file=text, width=width).print(table)
    return text.getvalue(), left


def test_every_table_is_as_its_page_says_at_80_columns() -> None:
    found = tables()
    sheets = {"deployments.SHEET"}
    assert found.keys() - sheets == SAMPLES.keys(), "give each table a sample"
    parts = []
    for place, items in sorted(SAMPLES.items()):
        shown, left = drawn(found[place], [*items], WIDTH)
        rows = "\n".join(line.rstrip() for line in shown.splitlines())
        parts.append(f"# {place}\n{rows}\n" + (f"no room: {', '.join(left)}\n" if left else ""))
    now = "\n".join(parts)
    if os.environ.get("MAINSPRING_GOLDEN") == "write":
        PAGE.write_text(now)
    assert now == PAGE.read_text(), "If that is right: MAINSPRING_GOLDEN=write."


@pytest.mark.parametrize("width", [60, 80, 100, 300])
@pytest.mark.parametrize("place", SAMPLES)
def test_a_row_is_one_line_in_which_ids_are_whole(place: str, width: int) -> None:
    columns, items = tables()[place], [*SAMPLES[place]]
    shown, left = drawn(columns, items, width)
    lines = shown.splitlines()
    assert max(map(len, lines)) <= width
    if not {"FOUND", "WHY"} & columns.keys():
        assert len(lines) == len(items) + 1
    for item in items:
        assert item.get("id", "") in shown or place == "columns.TASK"
    if width == 300:
        assert left == []
        assert "…" not in shown.replace("…abcd", "") or place.endswith(
            (".VARIABLE", "config_show._COLUMNS")
        )
