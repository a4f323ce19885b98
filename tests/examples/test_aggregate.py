"""A tree adds up to the same, however it is split and in whatever order its batches arrive."""

import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings, strategies as st

from examples.codebase_analysis.aggregate import (
    BUCKETS,
    Summary,
    aggregate,
    as_json,
    histogram,
    timeline,
)
from examples.codebase_analysis.facts import File, Finding, Piece
from examples.codebase_analysis.measure import TOP, measure
from examples.codebase_analysis.sources import list_sources, split
from tests.examples.trees import grow


def function(name: str, paths: int, lines: int) -> str:
    return f"def {name}():\n" + "    if a: b()\n" * paths + "    c()\n" * lines


pieces_of_code = st.one_of(
    st.builds(function, st.sampled_from("fgh"), st.integers(0, 20), st.integers(1, 14)),
    st.sampled_from(
        ["import os\n", "from .m1 import x\n", "import m2\n", "eval(x)\n", "# c\n\n", "a = (\n"]
    ),
)
trees = st.dictionaries(
    st.sampled_from([f"{folder}m{n}.py" for folder in ("", "p/", "p/q/") for n in range(4)]),
    st.lists(pieces_of_code, max_size=12).map("".join),
    min_size=1,
)


def whole(files: dict[str, str], deal: Callable[[list[str]], list[list[str]]]) -> Summary:
    with tempfile.TemporaryDirectory() as folder:
        grow(Path(folder), dict(files))
        batches = [measure(folder, batch) for batch in deal(list(files))]
        return aggregate("tree", "all", batches)


@settings(max_examples=60)
@given(trees, st.integers(1, 5), st.randoms(use_true_random=False))
def test_a_summary_does_not_depend_on_split_and_order(
    files: dict[str, str], size: int, chance: random.Random
) -> None:
    def dealt(names: list[str]) -> list[list[str]]:
        chance.shuffle(names)
        batches = split(names, size)
        chance.shuffle(batches)
        return batches

    assert whole(files, dealt) == whole(files, lambda names: [names])


def test_the_top_functions_of_the_tree_are_in_some_batch() -> None:
    files = {
        f"m{n}.py": "".join(function(f"f{i}", (n * 7 + i * 3) % 40, i) for i in range(30))
        for n in range(6)
    }
    one = whole(files, lambda names: [names])
    assert one == whole(files, lambda names: [[name] for name in names])
    assert len(one.functions) >= TOP


def test_totals_are_sums(tmp_path: Path) -> None:
    grow(
        tmp_path,
        {
            "a.py": "import os\n\n# c\nclass A:\n    def f(self, x=[]):\n        if x: eval(x)\n",
            "b/c.py": "def g(): ...\n",
            "bad.py": "def (\n",
        },
    )
    found = list_sources(str(tmp_path))
    summary = aggregate(found.root, "all", [measure(found.root, found.files)])
    totals = summary.totals
    assert (totals.files, totals.lines, totals.code, totals.comment) == (3, 8, 6, 1)
    assert (totals.blank, totals.classes, totals.functions, totals.complexity) == (1, 1, 2, 3)
    assert (totals.imports, totals.security_smells, totals.quality_issues) == (1, 1, 2)
    assert totals.unparsable_files == 1
    assert [(p.name, p.files) for p in summary.packages] == [(".", 2), ("b", 1)]


def test_files_that_could_not_be_listed_are_in_the_summary() -> None:
    problem = Finding("unreadable", "gone.py", 0, detail="why")
    summary = aggregate("tree", "all", [], [problem])
    assert summary.issues == [problem]
    assert summary.totals.unparsable_files == 1


def test_every_function_is_in_one_bar_of_the_histogram() -> None:
    bars = histogram([File("a.py", 1, complexities=[1, 1, 2, 4, 5, 51, 900])])
    assert [bar.first for bar in bars] == list(BUCKETS)
    assert [bar.functions for bar in bars] == [2, 1, 1, 1, 0, 0, 0, 0, 2]


def test_a_summary_is_plain_json() -> None:
    summary = whole({"a.py": "def f(): eval(x)\n"}, lambda names: [names])
    batch = measure("nowhere", [])
    work = timeline([Piece(batch, "host:1", 1.0, 2.5, 1)])
    data = json.loads(json.dumps(as_json(summary, work)))
    assert data["totals"]["functions"] == 1
    assert data["smells"][0]["rule"] == "dynamic-code"
    assert data["work"] == [
        {
            "index": 0,
            "worker": "host:1",
            "started": 1.0,
            "ended": 2.5,
            "claim": 1,
            "files": 0,
            "lines": 0,
        }
    ]
