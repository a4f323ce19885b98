"""Each quality rule at its threshold, and the numbers of a function that the rules look at."""

from pathlib import Path

import pytest

from examples.codebase_analysis import quality
from tests.examples.trees import measured, rules


def found(folder: Path, source: str) -> set[str]:
    return {rule for rule, _line in rules(measured(folder, source, "quality"))}


def complexity(folder: Path, source: str) -> int:
    (number,) = measured(folder, source, "quality").files[0].complexities
    return number


@pytest.mark.parametrize(
    "body,paths",
    [
        ("pass", 1),
        ("if a: b()", 2),
        ("if a: b()\n    elif c: d()\n    else: e()", 3),
        ("for x in y: z()", 2),
        ("while a and b or c: d()", 4),
        ("return a if b else c", 2),
        ("return [x for x in y if x if not x]", 4),
        ("try: a()\n    except OSError: b()\n    except ValueError: c()\n    finally: d()", 3),
        ("with a: b()", 1),
        ("match a:\n        case 1: b()\n        case 2: c()\n        case _: d()", 3),
        ("return lambda: a and b", 2),
    ],
)
def test_complexity_counts_the_paths_through_a_function(
    tmp_path: Path, body: str, paths: int
) -> None:
    assert complexity(tmp_path, f"def f():\n    {body}\n") == paths


def test_an_inner_function_counts_for_itself(tmp_path: Path) -> None:
    source = """\
        async def outer():
            if a:
                def inner():
                    if b: ...
                    if c: ...
            class Local:
                def method(self): ...
    """
    batch = measured(tmp_path, source)
    assert [(f.name, f.complexity) for f in sorted(batch.functions, key=lambda f: f.line)] == [
        ("outer", 2),
        ("outer.inner", 3),
        ("outer.Local.method", 1),
    ]


def test_nesting_counts_what_a_reader_sees_indented(tmp_path: Path) -> None:
    source = """\
        def f():
            for a in b:
                if a: ...
                elif b: ...
                elif c:
                    with d: ...
                else:
                    if e: ...
    """
    (function,) = measured(tmp_path, source).functions
    assert function.nesting == 3


def test_each_threshold_is_the_last_number_allowed(tmp_path: Path) -> None:
    def of_paths(n: int) -> str:
        return "def f():\n" + "    if a: b()\n" * (n - 1)

    def of_lines(n: int) -> str:
        return "def f():\n" + "    a()\n" * (n - 1)

    def of_depth(n: int) -> str:
        blocks = "".join("    " * (level + 1) + "while a:\n" for level in range(n))
        return f"def f():\n{blocks}{'    ' * (n + 1)}b()\n"

    def of_arguments(n: int) -> str:
        return f"def f(self, {', '.join(f'a{i}' for i in range(n - 1))}, *rest): ...\n"

    for rule, limit, source in (
        ("too-complex", quality.COMPLEX, of_paths),
        ("too-long", quality.LONG, of_lines),
        ("too-deep", quality.DEEP, of_depth),
        ("too-many-arguments", quality.MANY, of_arguments),
    ):
        assert found(tmp_path, source(limit)) == set()
        assert found(tmp_path, source(limit + 1)) == {rule}


@pytest.mark.parametrize("default", ["[]", "{}", "set()", "{1}", "[x for x in y]", "dict(a=1)"])
def test_a_mutable_default_is_found(tmp_path: Path, default: str) -> None:
    assert found(tmp_path, f"def f(a, b={default}): ...") == {"mutable-default"}
    assert found(tmp_path, f"async def f(*, a, b={default}): ...") == {"mutable-default"}


@pytest.mark.parametrize("default", ["None", "()", "frozenset()", "1", "tuple([])"])
def test_an_immutable_default_is_fine(tmp_path: Path, default: str) -> None:
    assert found(tmp_path, f"def f(a={default}, *, b, c={default}): ...") == set()


@pytest.mark.parametrize(
    "handler,expected",
    [
        ("except: raise", {"bare-except"}),
        ("except: pass", {"bare-except", "swallowed-error"}),
        ("except Exception: pass", {"swallowed-error"}),
        ("except BaseException: ...", {"swallowed-error"}),
        ("except Exception: log()", set()),
        ("except OSError: pass", set()),
    ],
)
def test_errors_that_are_hidden_are_found(tmp_path: Path, handler: str, expected: set[str]) -> None:
    assert found(tmp_path, f"try: a()\n{handler}\n") == expected


def test_a_star_import_is_found(tmp_path: Path) -> None:
    assert found(tmp_path, "from os.path import *") == {"star-import"}


def test_what_the_compiler_warns_of_is_found_under_any_filter(tmp_path: Path) -> None:
    assert rules(measured(tmp_path, "import re\nre.compile('\\d')", "quality")) == [
        ("compiler-warning", 2)
    ]


def test_docstrings_of_public_names_are_counted(tmp_path: Path) -> None:
    source = '''\
        """Module."""
        class Shown:
            """Class."""
            def told(self):
                """Method."""
                def inner(): ...
            def untold(self): ...
            def _hidden(self): ...
        class _Hidden:
            def method(self): ...
    '''
    (file,) = measured(tmp_path, source, "quality").files
    assert (file.documented, file.public) == (3, 4)


def test_copies_are_found_under_other_names_and_indentation(tmp_path: Path) -> None:
    body = "".join(f"    total += weigh({n})\n\n" for n in range(quality.COPY_LINES))
    inner = body.replace("    total", "        total  # no\n        total")
    one = f'def first(a):\n    """Says one thing."""\n{body}'
    two = "class C:\n    def second(self):\n" + body.replace(
        "    total", "        # why\n        total"
    )
    three = f"def third():\n{inner}"
    prints = measured(tmp_path, one + two + three, "quality").fingerprints
    assert [p.name for p in prints] == ["first", "C.second", "third"]
    assert prints[0].digest == prints[1].digest != prints[2].digest


def test_short_functions_are_not_called_copies(tmp_path: Path) -> None:
    body = "    a()\n" * (quality.COPY_LINES - 1)
    assert measured(tmp_path, f"def f():\n{body}def g():\n{body}").fingerprints == []
