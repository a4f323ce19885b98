"""The Markdown pages, and the fenced blocks in them."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.architecture.sources import ROOT, tracked_files

FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^`\n]*)$")


@dataclass(frozen=True)
class Block:
    """One fenced block; `line` is where its first line of code stands, counted from 1."""

    info: str
    line: int
    code: str


def pages() -> list[Path]:
    """Every Markdown file that git tracks or that lies in docs/, sorted."""
    tracked = {path for path in tracked_files() if path.suffix == ".md"}
    return sorted(tracked | set((ROOT / "docs").rglob("*.md")) | set(ROOT.glob("*.md")))


def blocks(text: str) -> Iterator[Block]:
    """Yields the fenced blocks of a page, in order.

    Raises:
        ValueError: a fence is never closed.
    """
    info: str | None = None
    begun, collected = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.match(line)
        if info is None and fence:
            info, begun, collected = fence["info"].strip(), number + 1, []
        elif info is not None and line.strip() == "```":
            yield Block(info, begun, textwrap.dedent("\n".join(collected)))
            info = None
        elif info is not None:
            collected.append(line)
    if info is not None:
        raise ValueError(f"the fence before line {begun} is never closed")


def without_code(text: str) -> str:
    """The prose of a page: fenced blocks and inline code are taken out, so that links are links."""
    fenced = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", fenced)
