"""Sizes, broken files, and that each analysis does its part and no more."""

import ast
import os
import threading
import warnings
from pathlib import Path

import pytest

from examples.codebase_analysis import measure as measuring
from examples.codebase_analysis.measure import measure
from tests.examples.trees import grow, measured, rules

EVERYTHING = '''\
"""About."""
import os
from . import sibling

def work(a, b=[]):
    assert a
    return eval(b)
'''


def test_lines_are_code_comments_or_blank(tmp_path: Path) -> None:
    source = '''\
        """A docstring

        of three lines."""

        # a comment
        text = """
        # not a comment
        """  # code
        name = f"""
        # not a comment either
        {text}"""


        def f():
            """Said."""
            return text
    '''
    (file,) = measured(tmp_path, source).files
    assert (file.lines, file.comment, file.blank, file.code) == (16, 4, 4, 8)


def test_every_line_end_is_one_line(tmp_path: Path) -> None:
    for end in (b"\n", b"\r\n", b"\r"):
        (file,) = measured(tmp_path, end.join([b"a = 1", b"", b"# c", b""])).files
        assert (file.code, file.blank, file.comment) == (1, 1, 1)


def test_classes_and_functions_are_counted_in_every_analysis(tmp_path: Path) -> None:
    source = "class A:\n    def f(self): ...\nasync def g(): ...\n"
    for analysis in ("all", "security", "quality", "dependencies"):
        (file,) = measured(tmp_path, source, analysis).files
        assert (file.classes, len(file.complexities)) == (1, 2)


def test_each_analysis_does_its_part_and_no_more(tmp_path: Path) -> None:
    def parts(analysis: str) -> tuple[set[str], list[str], bool]:
        batch = measured(tmp_path, EVERYTHING, analysis)  # type: ignore[arg-type]
        return {f.rule for f in batch.findings}, batch.files[0].imports, bool(batch.functions)

    smells, issues = {"checking-assert", "dynamic-code"}, {"mutable-default"}
    imports = [".sibling", "os"]
    assert parts("security") == (smells, [], False)
    assert parts("quality") == (issues, [], True)
    assert parts("dependencies") == (set(), imports, False)
    assert parts("all") == (smells | issues, imports, True)


@pytest.mark.parametrize(
    "source",
    [
        b"print 'two'\n",
        b"def f(:\n",
        b"x = 0777\n",
        b"a = 1\n\x00\n",
        b"(" * 5000,
        b"x = " + b"-" * 100_000 + b"1",
    ],
    ids=["old", "broken", "octal", "nul", "nested", "deep"],
)
def test_a_file_that_does_not_parse_is_a_finding(tmp_path: Path, source: bytes) -> None:
    batch = measured(tmp_path, source)
    (finding,) = batch.findings
    assert finding.rule == "unparsable"
    assert finding.detail
    assert batch.files[0].bytes == len(source)
    assert batch.files[0].lines > 0


@pytest.mark.parametrize(
    "source",
    [
        "# caf\xe9\n".encode("latin-1"),
        b"# coding: uft-8\n",
        b"# coding: rot13\n",
        b"\xef\xbb\xbf# coding: latin-1\n",
    ],
    ids=["no text", "unknown", "no encoding", "contradiction"],
)
def test_a_file_that_does_not_decode_is_a_finding(tmp_path: Path, source: bytes) -> None:
    batch = measured(tmp_path, source)
    (finding,) = batch.findings
    assert finding.rule == "unreadable"
    assert str(tmp_path) not in finding.detail, "a report must not name places of one machine"


def test_a_declared_encoding_is_respected(tmp_path: Path) -> None:
    source = "# coding: latin-1\nname = 'caf\xe9'\n".encode("latin-1")
    assert measured(tmp_path, source).findings == []
    assert measured(tmp_path, b"\xef\xbb\xbfname = 1\n").findings == []


def test_a_file_that_is_gone_or_huge_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = measure(str(tmp_path), ["gone.py"])
    assert rules(batch) == [("unreadable", 0)]
    assert batch.files[0].path == "gone.py"
    monkeypatch.setattr(measuring, "LARGEST", 10)
    assert rules(measured(tmp_path, "a = 1\n" * 2)) == [("unreadable", 0)]


def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    (file,) = measured(tmp_path, b"").files
    assert (file.lines, file.code, file.blank) == (0, 0, 0)


def test_a_line_is_shown_without_control_characters(tmp_path: Path) -> None:
    (finding,) = measured(tmp_path, "eval('\x1b[31m\t\x7f')", "security").findings
    assert finding.code == "eval('·[31m ·')"


def test_threads_do_not_see_each_others_warnings(tmp_path: Path) -> None:
    grow(tmp_path, {f"m{n}.py": f"x = {n}\ny = '\\d'\n" * 40 for n in range(4)})
    seen: dict[int, list[tuple[str, int]]] = {}

    def work(n: int) -> None:
        seen[n] = rules(measure(str(tmp_path), [f"m{n}.py"], "quality"))

    before = list(warnings.filters)
    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(
        found == [("compiler-warning", 2 * i) for i in range(1, 41)] for found in seen.values()
    )
    assert list(warnings.filters) == before


def test_the_walk_visits_what_ast_walk_visits(tmp_path: Path) -> None:
    """Every function of a real module is seen, wherever it hides."""
    source = Path(ast.__file__).read_text()
    whole = sum(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(ast.parse(source))
    )
    (file,) = measure(os.path.dirname(ast.__file__), ["ast.py"]).files
    assert len(file.complexities) == whole
