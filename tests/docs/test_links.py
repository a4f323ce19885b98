"""Links between pages lead somewhere, and the room map of the docs is the one that is checked."""

import re
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.architecture.sources import ROOT, short
from tests.docs.pages import pages, without_code

LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(?P<title>.+?) *#*$", re.MULTILINE)


def anchors(text: str) -> set[str]:
    """The anchors of a page: its headings in lower case, spaces as hyphens, no punctuation."""
    fenced = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
    titles = (re.sub(r"[^\w\- ]", "", found["title"].lower()) for found in HEADING.finditer(fenced))
    return {title.strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", pages(), ids=short)
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    broken = []
    for found in LINK.finditer(without_code(page.read_text())):
        target = unquote(found["target"])
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        place = (page.parent / name).resolve() if name else page
        missing = not place.exists() or (
            anchor and place.suffix == ".md" and anchor not in anchors(place.read_text())
        )
        if missing:
            broken.append(target)
    assert not broken, f"{short(page)}: {broken}"


def test_the_docs_show_the_rooms_that_are_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    rows = [re.findall(r"\w+", row) for row in contracts[0]["layers"]]
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    assert "\n".join(" | ".join(row) for row in rows) in contributing
    assert [room for row in rows for room in row if f"\n| `{room}` |" not in contributing] == []
    in_short = (ROOT / "AGENTS.md").read_text()
    assert [row for row in rows if f"`{' | '.join(row)}`" not in in_short] == []


@pytest.mark.parametrize("fragment", sorted((ROOT / "changes").glob("*.md")), ids=short)
def test_a_change_fragment_is_named_by_its_kind(fragment: Path) -> None:
    kinds = "added|changed|deprecated|removed|fixed|security"
    assert fragment.name == "README.md" or re.fullmatch(
        rf"[a-z0-9-]+\.({kinds})\.md", fragment.name
    )
