"""Which files belong to a source tree, and how they are dealt into batches. It reads no file."""

import os
import stat
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from examples.codebase_analysis.facts import Finding

SKIPPED = {"__pycache__", "node_modules", "site-packages", "dist-packages"}


class NoSources(Exception):
    """The path cannot be analysed; the message says why and what to pass instead."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The files of a tree, relative to `root`, largest first, and what could not be listed."""

    root: str
    files: list[str]
    problems: list[Finding]


def standard_library() -> str:
    """The folder of the running Python's own modules: thousands of real files, always at hand."""
    return sysconfig.get_paths()["stdlib"]


def list_sources(path: str) -> Sources:
    """Finds every `.py` file below a folder, or the one file that is named.

    Hidden folders, caches, virtual environments and installed packages are left out, symbolic links
    to folders are not followed.

    Raises:
        NoSources: there is nothing at that path, or no Python file in it.
    """
    place = Path(path).expanduser().absolute()
    if place.is_file() and place.suffix == ".py":
        return Sources(str(place.parent), [place.name], [])
    if not place.exists():
        raise NoSources(f"{place} does not exist; pass a folder with Python files")
    if not place.is_dir():
        raise NoSources(f"{place} is neither a folder nor a .py file; pass one of these")
    problems: list[OSError] = []
    found = sorted(_below(str(place), problems), key=lambda entry: (-entry[0], entry[1]))
    if not found:
        raise NoSources(f"{place} holds no .py files; pass a folder with Python files")
    named = [os.path.relpath(name, place) for _size, name in found if _is_text(name)]
    return Sources(
        root=str(place),
        files=named,
        problems=[
            *(_problem(place, error.filename, str(error.strerror)) for error in problems),
            *(
                _problem(place, name, "the name of the file is not UTF-8")
                for _size, name in found
                if not _is_text(name)
            ),
        ],
    )


def split(files: list[str], batch_size: int) -> list[list[str]]:
    """Deals the files like cards, so that batches of large-first files cost about the same."""
    batches = -(-len(files) // batch_size)
    return [files[first::batches] for first in range(batches)]


def is_test(path: str) -> bool:
    """Whether a file belongs to a test suite, as far as its path tells."""
    *folders, name = path.split("/")
    return name.startswith(("test_", "conftest.")) or not {"test", "tests"}.isdisjoint(folders)


def _below(folder: str, problems: list[OSError]) -> Iterator[tuple[int, str]]:
    """Yields (size, path) of the Python files; folders that cannot be read become problems."""
    for here, folders, names in os.walk(folder, onerror=problems.append):
        folders[:] = [name for name in folders if _is_source_folder(here, name)]
        for name in names:
            if name.endswith(".py"):
                path = os.path.join(here, name)
                try:
                    seen = os.stat(path)
                except OSError as error:  # a dangling link, or deleted a moment ago
                    problems.append(error)
                    continue
                if stat.S_ISREG(seen.st_mode):
                    yield seen.st_size, path


def _is_source_folder(parent: str, name: str) -> bool:
    if name.startswith(".") or name in SKIPPED:
        return False
    return not os.path.exists(os.path.join(parent, name, "pyvenv.cfg"))


def _is_text(name: str) -> bool:
    """Whether the name can travel as JSON; a file system also takes bytes that are no text."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _problem(root: Path, name: str, why: str) -> Finding:
    shown = os.fsencode(os.path.relpath(name, root)).decode(errors="replace")
    return Finding("unreadable", shown, 0, detail=why)
