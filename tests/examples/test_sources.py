"""Which files belong to a tree, how they are dealt into batches, and what a bad path says."""

import os
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from examples.codebase_analysis.sources import (
    NoSources,
    is_test,
    list_sources,
    split,
    standard_library,
)
from tests.examples.trees import grow


def test_python_files_are_found_largest_first(tmp_path: Path) -> None:
    grow(tmp_path, {"a.py": "1", "b/c.py": "12345", "b/d.txt": "", "e.py": "1"})
    found = list_sources(str(tmp_path))
    assert (found.root, found.files, found.problems) == (
        str(tmp_path),
        ["b/c.py", "a.py", "e.py"],
        [],
    )


def test_what_nobody_wrote_here_is_left_out(tmp_path: Path) -> None:
    grow(
        tmp_path,
        {
            "kept.py": "",
            ".git/hook.py": "",
            "__pycache__/x.py": "",
            "node_modules/x.py": "",
            "lib/site-packages/x.py": "",
            "env/pyvenv.cfg": "",
            "env/lib/x.py": "",
        },
    )
    assert list_sources(str(tmp_path)).files == ["kept.py"]


def test_a_folder_of_that_name_is_analysed_when_it_is_asked_for(tmp_path: Path) -> None:
    grow(tmp_path, {"site-packages/x.py": ""})
    assert list_sources(str(tmp_path / "site-packages")).files == ["x.py"]


def test_links_to_folders_are_not_followed_and_dangling_ones_are_told(tmp_path: Path) -> None:
    grow(tmp_path, {"a.py": ""})
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "gone.py").symlink_to(tmp_path / "nowhere.py")
    found = list_sources(str(tmp_path))
    assert found.files == ["a.py"]
    assert [(p.rule, p.path) for p in found.problems] == [("unreadable", "gone.py")]


def test_a_pipe_with_the_name_of_a_module_is_not_opened(tmp_path: Path) -> None:
    grow(tmp_path, {"a.py": ""})
    os.mkfifo(tmp_path / "pipe.py")
    assert list_sources(str(tmp_path)).files == ["a.py"]


def test_a_name_that_is_no_text_is_told(tmp_path: Path) -> None:
    grow(tmp_path, {"ü.py": ""})
    (tmp_path / os.fsdecode(b"caf\xe9.py")).write_bytes(b"")
    found = list_sources(str(tmp_path))
    assert found.files == ["ü.py"]
    (problem,) = found.problems
    assert (problem.rule, problem.path) == ("unreadable", "caf�.py")


def test_one_file_is_a_tree(tmp_path: Path) -> None:
    grow(tmp_path, {"a.py": "", "b.py": ""})
    found = list_sources(str(tmp_path / "a.py"))
    assert (found.root, found.files) == (str(tmp_path), ["a.py"])


def test_a_bad_path_says_what_to_pass_instead(tmp_path: Path) -> None:
    grow(tmp_path, {"notes.txt": "", "empty/x.txt": ""})
    for path, words in (
        ("nowhere", "does not exist"),
        ("notes.txt", "neither a folder nor a .py file"),
        ("empty", "holds no .py files"),
    ):
        with pytest.raises(NoSources, match=words) as raised:
            list_sources(str(tmp_path / path))
        assert str(tmp_path / path) in str(raised.value)
        assert "pass" in str(raised.value)


def test_the_standard_library_is_thousands_of_lines_without_what_was_installed() -> None:
    found = list_sources(standard_library())
    assert "os.py" in found.files
    assert not any("site-packages" in path for path in found.files)


@given(st.integers(0, 300), st.integers(1, 70))
def test_a_split_holds_every_file_once_in_batches_of_about_the_same_size(
    count: int, size: int
) -> None:
    files = [f"{n}.py" for n in range(count)]
    batches = split(files, size)
    assert sorted(name for batch in batches for name in batch) == sorted(files)
    assert all(len(batch) <= size for batch in batches)
    assert len(batches) == -(-count // size)
    if batches:
        assert max(map(len, batches)) - min(map(len, batches)) <= 1


@pytest.mark.parametrize(
    "path,expected",
    [
        ("test_a.py", True),
        ("pkg/tests/a.py", True),
        ("test/a.py", True),
        ("conftest.py", True),
        ("pkg/testing.py", False),
        ("contest.py", False),
        ("latest/a.py", False),
    ],
)
def test_tests_are_known_by_their_path(path: str, expected: bool) -> None:
    assert is_test(path) is expected
