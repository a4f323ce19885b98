"""Size and form of the source: smoke alarms with a list for honest exceptions that only shrinks."""

import ast
import functools
from collections.abc import Iterator

from tests.architecture.sources import PACKAGE, functions, length, python_files, short, tree

MODULE_LINES, TEST_MODULE_LINES = 400, 700
CLASS_LINES, CLASS_METHODS = 300, 15
FUNCTION_LINES = 60

# What is over a limit today, with its number and the reason. A number here may only go down.
RATCHET: dict[str, tuple[int, str]] = {
    "tools/sim/client.py::Client public methods": (
        21,
        "one for each verb of the API that it promises",
    ),
    "tools/sim/troubles.py::Troubles public methods": (20, "one method for each trouble"),
    "tools/sim/ledger.py::Ledger": (352, "what every promise is checked against"),
    "tools/sim/ledger.py::Ledger public methods": (16, "one for each thing that is promised"),
    "src/mainspring/store/protocol.py::Store public methods": (16, "one for each room of tables"),
}

VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "managers"}


@functools.cache
def sizes() -> tuple[tuple[str, int, int], ...]:
    """(name, size, limit) of each module, class and function."""
    return tuple(measured())


def measured() -> Iterator[tuple[str, int, int]]:
    """Measures them."""
    for path in python_files():
        name = short(path)
        is_test = name.startswith("tests/")
        lines = len(path.read_text().splitlines())
        yield name, lines, TEST_MODULE_LINES if is_test else MODULE_LINES
        if is_test:
            continue
        module = tree(path)
        for function in functions(module):
            yield f"{name}::{function.name}()", length(function), FUNCTION_LINES
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef):
                yield f"{name}::{node.name}", length(node), CLASS_LINES
                methods = (
                    f for f in node.body if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef)
                )
                public = sum(not method.name.startswith("_") for method in methods)
                yield f"{name}::{node.name} public methods", public, CLASS_METHODS


def test_nothing_outgrows_its_limit() -> None:
    grown = [
        f"{name}: {size}, limit {max(limit, RATCHET.get(name, (0, ''))[0])}"
        for name, size, limit in sizes()
        if size > max(limit, RATCHET.get(name, (0, ""))[0])
    ]
    assert not grown, "Split by noun or verb, or list it in RATCHET with its reason:\n" + "\n".join(
        grown
    )


def test_the_ratchet_only_goes_down() -> None:
    found = {name: (size, limit) for name, size, limit in sizes()}
    loose = [
        f"{name}: listed {listed}, now {found.get(name, (0, 0))[0]}"
        for name, (listed, _reason) in RATCHET.items()
        if found.get(name, (0, 0))[0] < listed or listed <= found[name][1]
    ]
    assert not loose, "Lower or remove these numbers in RATCHET:\n" + "\n".join(loose)


def test_every_module_says_what_lives_there() -> None:
    silent = [short(path) for path in python_files("src") if not ast.get_docstring(tree(path))]
    assert not silent, f"Begin with a docstring: {silent}"
    vague = [short(path) for path in python_files("src") if path.stem in VAGUE]
    assert not vague, f"Name the noun or the verb instead: {vague}"


def test_init_files_only_reexport() -> None:
    allowed = (ast.Import, ast.ImportFrom)
    busy = []
    for path in python_files("src"):
        if path.name != "__init__.py":
            continue
        for node in tree(path).body[1:]:
            names = [t.id for t in getattr(node, "targets", []) if isinstance(t, ast.Name)]
            dunder = bool(names) and all(name.startswith("__") for name in names)
            is_for_checkers = (
                isinstance(node, ast.If)
                and ast.unparse(node.test) == "TYPE_CHECKING"
                and all(isinstance(one, allowed) for one in (*node.body, *node.orelse))
            )
            if not isinstance(node, allowed) and not dunder and not is_for_checkers:
                busy.append(f"{short(path)}:{node.lineno}")
    assert not busy, f"Move the code into a module of its own: {busy}"


def test_only_the_command_line_imports_late() -> None:
    late = [
        f"{short(path)}:{node.lineno}"
        for path in python_files("src")
        if not path.is_relative_to(PACKAGE / "cli")
        for function in functions(tree(path))
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert not late, f"Imports belong to the top; a cycle means a type wants to move down: {late}"


def test_no_error_is_swallowed() -> None:
    swallowed = [
        f"{short(path)}:{node.lineno}"
        for path in python_files("src", "tools", "examples", "bench")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler)
        and len(node.body) == 1
        and isinstance(node.body[0], ast.Pass)
    ]
    assert not swallowed, f"Handle it, or say why with contextlib.suppress: {swallowed}"
