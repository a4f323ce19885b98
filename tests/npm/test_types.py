"""TypeScript that is shown or tested is compiled against the types of the official packages."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.npm.suites import HERE

ROOT = HERE.parent.parent
GUIDE = ROOT / "docs" / "guides" / "typescript.md"
BLOCK = re.compile(r"^```tsx?\n// (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def compiled(node_path: str, folder: Path) -> str:
    """What the compiler has to say about the project in the folder."""
    compiler = HERE / "node_modules" / "typescript" / "bin" / "tsc"
    told = subprocess.run(
        [node_path, compiler, "-p", folder], capture_output=True, text=True, check=False
    )
    assert (told.returncode == 0) == (not told.stdout), told.stdout + told.stderr
    return told.stdout


def test_the_page_of_the_suite_fits_the_types_of_the_hooks(node_path: str) -> None:
    assert compiled(node_path, HERE) == ""


def test_the_guide_compiles(node_path: str, tmp_path: Path) -> None:
    text = GUIDE.read_text()
    blocks = BLOCK.findall(text)
    assert len(blocks) == text.count("```ts")
    for name, code in blocks:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(code)
    (tmp_path / "node_modules").symlink_to(HERE / "node_modules")
    config = (HERE / "tsconfig.json").read_text()
    config = config.replace('"nodenext"', '"preserve"').replace("browser/*", "app/*")
    (tmp_path / "tsconfig.json").write_text(config)
    assert compiled(node_path, tmp_path) == ""
