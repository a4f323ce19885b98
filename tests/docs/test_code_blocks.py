"""Every runnable Python block of the docs is executed; the blocks of a page are one program."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, short
from tests.docs.pages import blocks, pages

KNOWN = {"python", "python no-run"}


def program(text: str) -> str:
    """The runnable blocks at their own line numbers, so that a traceback points into the page."""
    lines: list[str] = []
    for block in blocks(text):
        if block.info == "python":
            lines += [""] * (block.line - 1 - len(lines))
            lines += block.code.splitlines()
    return "\n".join(lines) + "\n" if lines else ""


def pages_with_programs() -> list[Path]:
    shown = [p for p in pages() if p == ROOT / "README.md" or p.is_relative_to(ROOT / "docs")]
    return [page for page in shown if program(page.read_text())]


@pytest.mark.parametrize("page", pages_with_programs(), ids=short)
def test_the_python_of_a_page_runs_from_top_to_bottom(page: Path, tmp_path: Path) -> None:
    script = tmp_path / page.name.replace(".md", "_md.py")
    script.write_text(program(page.read_text()))
    ran = subprocess.run(
        [sys.executable, "-W", "error", script],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, f"{short(page)} (same line numbers):\n{ran.stderr}"


@pytest.mark.parametrize("page", pages(), ids=short)
def test_every_python_fence_says_whether_it_runs(page: Path) -> None:
    odd = [
        f"line {block.line}: {block.info}"
        for block in blocks(page.read_text())
        if block.info.startswith("python") and block.info not in KNOWN
    ]
    assert not odd, f"{short(page)}: fences are one of {sorted(KNOWN)}"


def test_line_numbers_of_a_program_are_those_of_its_page() -> None:
    page = "# Title\n\n```python\na = 1\n```\n\ntext\n\n- item\n\n  ```python\n  b = a\n  ```\n"
    assert program(page).splitlines() == ["", "", "", "a = 1", *[""] * 7, "b = a"]
