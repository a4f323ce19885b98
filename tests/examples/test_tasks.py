"""What the tasks answer when they are called directly, without a platform."""

from pathlib import Path

import pytest

from examples.codebase_analysis.tasks import analyze_batch, analyze_codebase
from mainspring import AbortRun
from mainspring.errors import InvalidPayload
from tests.examples.trees import grow


@pytest.mark.parametrize(
    "arguments,words",
    [
        ({"path": "nowhere"}, "nowhere does not exist"),
        ({"path": "empty"}, "holds no .py files"),
        ({"path": "notes.txt"}, "neither a folder nor a .py file"),
        ({"path": "tree", "batch_size": 0}, "batch_size is 0"),
        ({"path": "tree", "out": "notes.txt"}, "give a folder that can be written"),
    ],
)
async def test_a_run_that_cannot_succeed_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: dict, words: str
) -> None:
    grow(tmp_path, {"tree/a.py": "", "empty/b.txt": "", "notes.txt": ""})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AbortRun, match=words):
        await analyze_codebase.local(**arguments)


def test_an_unknown_analysis_is_refused_when_it_is_triggered() -> None:
    with pytest.raises(InvalidPayload) as raised:
        analyze_batch.call("/tree", ["a.py"], "everything")
    assert [problem["path"] for problem in raised.value.details] == ["analysis_type"]
