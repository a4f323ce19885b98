"""Small source trees on disk, and what the main job finds in them."""

import textwrap
from pathlib import Path

from examples.codebase_analysis.facts import Analysis, Batch
from examples.codebase_analysis.measure import measure


def grow(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Writes the files below the folder; text is dedented."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            content = textwrap.dedent(content).encode()
        path.write_bytes(content)
    return folder


def measured(
    folder: Path, source: str | bytes, analysis: Analysis = "all", name: str = "module.py"
) -> Batch:
    """The facts about one file with that source."""
    grow(folder, {name: source})
    return measure(str(folder), [name], analysis)


def rules(batch: Batch) -> list[tuple[str, int]]:
    """The (rule, line) of each finding, in order of lines."""
    return sorted(((f.rule, f.line) for f in batch.findings), key=lambda found: found[1])
