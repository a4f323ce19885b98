"""The page holds every chapter, is well-formed, asks nobody for anything and believes no source."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from examples.codebase_analysis.aggregate import Summary, Work, aggregate
from examples.codebase_analysis.facts import Analysis
from examples.codebase_analysis.measure import measure
from examples.codebase_analysis.report import CHAPTERS, prepare, render, write_report
from examples.codebase_analysis.sources import list_sources
from tests.examples.trees import grow

VOID = {"meta", "wbr", "br", "line", "rect", "path", "link", "img", "input", "hr"}
WORK = [
    Work(0, "host:17", 100.0, 101.5, 1, 3, 10),
    Work(1, "host:18", 100.1, 100.9, 1, 3, 12),
    Work(2, "host:18", 101.0, 102.0, 3, 1, 2),
]


class Page(HTMLParser):
    """Checks that every element is closed in order; collects ids, links and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.seen: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        for name, value in attrs:
            assert value is not None, f"{tag} {name}"
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src"):
                self.links.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


def summed(folder: Path, analysis: Analysis = "all") -> Summary:
    found = list_sources(str(folder))
    return aggregate(
        found.root, analysis, [measure(found.root, found.files, analysis)], found.problems
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    long = "def long(a):\n" + "    if a: b()\n" * 70
    return grow(
        tmp_path,
        {
            "pkg/__init__.py": "from pkg import a, b\n",
            "pkg/a.py": f"import pkg.b\nimport numpy\n{long}",
            "pkg/b.py": f"import pkg.a\nimport os\n{long}\neval('<script>alert(1)</script>')\n",
            "main.py": "from pkg.a import long\n\ndef f(a, b=[]):\n    password = 'hunter2x'\n",
            "broken.py": "def (\n",
        },
    )


@pytest.mark.parametrize("analysis", list(CHAPTERS))
def test_the_page_has_the_chapters_of_its_analysis(tree: Path, analysis: Analysis) -> None:
    page = Page(render(summed(tree, analysis), WORK))
    assert page.ids == [name for name, _, _ in CHAPTERS[analysis]] + ["run"]
    assert page.links == [f"#{name}" for name in page.ids]


def test_every_finding_and_chart_is_on_the_page(tree: Path) -> None:
    summary = summed(tree)
    text = render(summary, WORK)
    page = Page(text)
    for finding in (*summary.smells, *summary.issues):
        assert f"{finding.path}:{finding.line}" in page.text
        assert finding.code in page.text
    for chart in ("treemap", "histogram", "matrix", "timeline"):
        assert f'class="chart {chart}"' in text
    for word in ("2 copies", "numpy", "2 modules", "2 attempts were begun again", "3 batches"):
        assert word in page.text


def test_the_page_asks_nobody_for_anything(tree: Path) -> None:
    text = render(summed(tree), WORK)
    assert not re.findall(r"https?:|url\(|@import|<script|javascript:| on\w+=", text)
    assert Page(text).seen.isdisjoint({"script", "link", "iframe", "img", "object"})


def test_what_a_source_says_stays_text(tmp_path: Path) -> None:
    name = "</title><b>&'\".py"
    grow(
        tmp_path, {name.replace("/", "_"): "class A:\n    def f(self): eval('</svg><i a=\"1\">')\n"}
    )
    page = Page(render(summed(tmp_path), []))
    assert "eval('</svg><i a=\"1\">')" in page.text


def test_a_tree_with_nothing_to_tell_still_has_a_page(tmp_path: Path) -> None:
    for source in ("", "x = 1\n", "def (\n"):
        grow(tmp_path, {"a.py": source})
        Page(render(summed(tmp_path), []))
        Page(render(summed(tmp_path), WORK[:1]))


def test_both_files_are_written_whole(tree: Path, tmp_path: Path) -> None:
    summary = summed(tree)
    out = tmp_path / "new" / "out"
    for _ in range(2):
        prepare(out)
        page, data = write_report(out, summary, WORK)
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert json.loads(data.read_text())["totals"]["files"] == summary.totals.files
    assert sorted(path.name for path in page.parent.iterdir()) == ["report.html", "report.json"]
