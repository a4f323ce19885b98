"""The main job on the embedded engine: triggered, executed and answered as a user would."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from examples.codebase_analysis.tasks import analyze_codebase
from examples.codebase_analysis.undisturbed import differences, undisturbed
from mainspring import RunFailed, runs
from mainspring.app.embedded import Embedded
from tests.examples.trees import grow

SOURCE = "import os\n\ndef f(a, b=[]):\n    if a: eval(b)\n"


@pytest.fixture
async def engine() -> AsyncIterator[Embedded]:
    async with Embedded() as embedded:
        yield embedded


async def test_a_tree_is_analysed_in_child_runs(engine: Embedded, tmp_path: Path) -> None:
    tree, out = tmp_path / "tree", tmp_path / "out"
    grow(tree, {f"p{n % 3}/m{n}.py": SOURCE for n in range(7)} | {"bad.py": "def (\n"})
    handle = await analyze_codebase.trigger(str(tree), batch_size=3, out=str(out))
    outcome = await handle.result(timeout=20)
    assert (outcome.batches, outcome.repeated, outcome.restarts) == (3, 0, 0)
    assert (outcome.totals.files, outcome.totals.security_smells) == (8, 7)
    assert outcome.report == str(out / "report.html")
    children = [run async for run in runs.list(task="analyze_batch")]
    assert {run.root_id for run in children} == {handle.id}
    report = json.loads(await asyncio.to_thread(Path(outcome.data).read_text))
    assert differences(report, undisturbed(str(tree), "all", processes=1, batch_size=5)) == []


async def test_a_path_without_python_fails_at_once_and_says_why(
    engine: Embedded, tmp_path: Path
) -> None:
    handle = await analyze_codebase.trigger(str(tmp_path), out=str(tmp_path / "out"))
    with pytest.raises(RunFailed, match=r"holds no \.py files"):
        await handle.result(timeout=20)
    assert (await handle.run()).attempt == 1


def test_a_difference_is_told_by_its_name(tmp_path: Path) -> None:
    grow(tmp_path, {"a.py": SOURCE})
    expected = undisturbed(str(tmp_path), "all", processes=1)
    other = expected | {"totals": expected["totals"] | {"files": 2}, "smells": []}
    assert differences(other, expected) == [
        "totals.files: 2 instead of 1",
        "smells differs",
    ]
