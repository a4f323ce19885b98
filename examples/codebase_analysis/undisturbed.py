"""The same analysis without the platform, to compare with: plain calls of the same functions."""

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

from examples.codebase_analysis.aggregate import aggregate, as_json
from examples.codebase_analysis.facts import Analysis
from examples.codebase_analysis.measure import measure
from examples.codebase_analysis.sources import list_sources, split


def undisturbed(
    path: str, analysis: Analysis, processes: int, batch_size: int = 50
) -> dict[str, Any]:
    """What the report of the tree must say, but for the part about the run itself."""
    sources = list_sources(path)
    batches = split(sources.files, batch_size)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        measured = list(pool.map(partial(measure, sources.root, analysis=analysis), batches))
    summary = aggregate(sources.root, analysis, measured, sources.problems)
    return dict(_facts(json.loads(json.dumps(as_json(summary, [])))))


def differences(report: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Each part of a report that is not as expected, in words; empty when all are equal."""
    report = dict(_facts(report))
    found = [
        f"totals.{name}: {report['totals'].get(name)} instead of {value}"
        for name, value in expected["totals"].items()
        if report["totals"].get(name) != value
    ]
    return found + [
        f"{part} differs"
        for part in expected
        if part != "totals" and report[part] != expected[part]
    ]


def _facts(report: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, part) for name, part in report.items() if name != "work")
