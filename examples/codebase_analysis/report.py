"""The summary as one HTML page that needs nothing else, and as JSON. It writes the two files."""

import json
import os
import platform
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from examples.codebase_analysis import quality, sections, smells
from examples.codebase_analysis.aggregate import Summary, Work, as_json

STYLE = Path(__file__).with_name("report.css")

Chapter = tuple[str, str, Callable[[Summary], str]]
SIZE: Chapter = ("size", "Size", sections.size)
COMPLEXITY: Chapter = ("complexity", "Complexity", sections.complexity)
DEPENDENCIES: Chapter = ("dependencies", "Dependencies", sections.dependencies)
SECURITY: Chapter = ("security", "Security", sections.security)
QUALITY: Chapter = ("quality", "Quality", sections.issues)
CHAPTERS: dict[str, tuple[Chapter, ...]] = {
    "all": (SIZE, COMPLEXITY, DEPENDENCIES, SECURITY, QUALITY),
    "security": (SIZE, SECURITY),
    "quality": (SIZE, COMPLEXITY, QUALITY),
    "dependencies": (SIZE, DEPENDENCIES),
}


def prepare(folder: str | Path) -> None:
    """Makes the folder, so that a place that cannot be written is known before the work.

    Raises:
        OSError: it cannot be made or written.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    probe = place / "report.new"
    probe.touch()
    probe.unlink()


def write_report(folder: str | Path, summary: Summary, work: Sequence[Work]) -> tuple[Path, Path]:
    """Writes `report.html` and `report.json`; a repeated attempt replaces them as a whole."""
    place = Path(folder)
    page, data = place / "report.html", place / "report.json"
    _replace(page, render(summary, work))
    _replace(data, json.dumps(as_json(summary, work), indent=1))
    return page, data


def render(summary: Summary, work: Sequence[Work]) -> str:
    """The page: styles and pictures inline, no script, no request to anywhere."""
    chapters = CHAPTERS[summary.analysis]
    links = [f'<a href="#{name}">{title}</a>' for name, title, _ in chapters]
    body = "".join(write(summary) for _, _, write in chapters)
    if work:
        links.append('<a href="#run">The run</a>')
        body += sections.run(work)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Codebase analysis: {escape(summary.root)}</title>"
        f"<style>{STYLE.read_text(encoding='utf-8')}</style></head><body>"
        f"<header><div>{_header(summary, work)}</div></header>"
        f"<nav><div>{''.join(links)}</div></nav><main>{body}"
        f"<footer>{_footer(summary)}</footer></main></body></html>\n"
    )


def _header(summary: Summary, work: Sequence[Work]) -> str:
    totals = summary.totals
    lead = f"{totals.lines:,} lines in {totals.files:,} files"
    if work:
        took = max(piece.ended for piece in work) - min(piece.started for piece in work)
        workers = len({piece.worker for piece in work})
        lead += f", read in {took:.1f} s by {workers} worker processes in {len(work)} batches"
    return (
        f'<div class="eyebrow">Codebase analysis{_kind(summary)}</div>'
        f"<h1>{escape(_title(summary.root))}</h1>"
        f'<p class="lead">{lead}.<br><span class="mono dim">{escape(summary.root)}</span></p>'
        f'<div class="grid figures">{"".join(_figures(summary))}</div>'
    )


def _figures(summary: Summary) -> list[str]:
    totals = summary.totals
    figures = [
        _figure(totals.files, "files", f"{totals.bytes / 1e6:.1f} MB"),
        _figure(totals.code, "lines of code", f"{totals.comment:,} of comments"),
        _figure(totals.functions, "functions", f"{totals.classes:,} classes"),
    ]
    if summary.analysis in ("all", "quality"):
        mean = totals.complexity / totals.functions if totals.functions else 0
        hard = sum(b.functions for b in summary.histogram if b.first > quality.COMPLEX)
        figures.append(_figure(f"{mean:.1f}", "mean complexity", f"{hard:,} functions over 15"))
    if summary.analysis in ("all", "dependencies"):
        cycles = len(summary.dependencies.cycles)
        figures.append(_figure(totals.imports, "imports", f"{cycles} groups in cycles"))
    if summary.analysis in ("all", "security"):
        high = sum(smells.RULES[finding.rule].severity == "high" for finding in summary.smells)
        figures.append(_figure(totals.security_smells, "security smells", f"{high:,} high"))
    if summary.analysis in ("all", "quality"):
        copied = f"{totals.copied_functions:,} copied functions"
        figures.append(_figure(totals.quality_issues, "quality issues", copied))
    if totals.unparsable_files:
        figures.append(_figure(totals.unparsable_files, "unreadable files", "found, not skipped"))
    return figures


def _figure(value: int | str, label: str, below: str) -> str:
    shown = f"{value:,}" if isinstance(value, int) else value
    return (
        f'<div class="card figure"><b>{shown}</b><span>{label}</span><small>{below}</small></div>'
    )


def _title(root: str) -> str:
    name = Path(root).name
    return f"{name} standard library" if root == os.path.dirname(os.__file__) else name or root


def _kind(summary: Summary) -> str:
    return "" if summary.analysis == "all" else f" · {summary.analysis}"


def _footer(summary: Summary) -> str:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"Written {now} by Mainspring's main job under Python {platform.python_version()}. "
        "Everything on this page is also in report.json beside it."
    )


def _replace(path: Path, text: str) -> None:
    """Writes beside the file first, so that nobody ever sees half of one."""
    fresh = path.with_suffix(path.suffix + ".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
