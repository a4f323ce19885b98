"""Where an import leads: names of modules, relative imports, links between packages, cycles."""

from hypothesis import given, strategies as st

from examples.codebase_analysis.dependencies import (
    absolute,
    cycles,
    dependencies,
    longest_known,
    module_names,
)
from examples.codebase_analysis.facts import File


def tree(**imports: list[str]) -> list[File]:
    """Files by path, with `__` for a slash and without the ending."""
    return [File(f"{name.replace('__', '/')}.py", 1, imports=i) for name, i in imports.items()]


def test_a_module_is_named_from_its_outermost_package() -> None:
    paths = [
        "top.py",
        "src/pkg/__init__.py",
        "src/pkg/sub/__init__.py",
        "src/pkg/sub/a.py",
        "src/b.py",
    ]
    assert list(module_names(paths).values()) == ["top", "pkg", "pkg.sub", "pkg.sub.a", "b"]
    assert module_names(["__init__.py"]) == {"__init__.py": "__init__"}


def test_a_relative_import_starts_at_its_package() -> None:
    assert absolute("os.path", "pkg.a", is_package=False) == "os.path"
    assert absolute(".b", "pkg.a", is_package=False) == "pkg.b"
    assert absolute(".b", "pkg", is_package=True) == "pkg.b"
    assert absolute("..b.c", "pkg.sub.a", is_package=False) == "pkg.b.c"
    assert absolute(".*", "pkg", is_package=True) == "pkg.*"
    assert absolute("...b", "pkg.a", is_package=False) == ""


def test_a_name_belongs_to_the_longest_module_that_is_known() -> None:
    known = frozenset({"pkg", "pkg.a"})
    assert longest_known("pkg.a.Class", known) == "pkg.a"
    assert longest_known("pkg.b", known) == "pkg"
    assert longest_known("package", known) == ""


def test_imports_are_local_standard_or_from_elsewhere() -> None:
    found = dependencies(
        [
            File("pkg/__init__.py", 1, imports=[".a", "os.path"]),
            File("pkg/a.py", 1, imports=["numpy.array", "numpy.linalg", "pkg.b", "json"]),
            File("main.py", 1, imports=["pkg.a.work", "numpy"]),
        ]
    )
    assert found.kinds == {"local": 3, "standard": 2, "third_party": 2}
    assert found.third_party == [("numpy", 2)]
    assert found.standard == [("json", 1), ("os", 1)]
    assert found.imported == [("pkg.a", 2), ("pkg", 1)]
    assert found.links == [("main", "pkg", 1)]


def test_cycles_are_groups_that_reach_each_other() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a", "e"}, "e": {"d"}, "f": {"f", "a"}}
    assert cycles(graph) == [["a", "b", "c"], ["d", "e"]]
    assert cycles({}) == []


def test_a_very_long_chain_of_imports_is_no_problem() -> None:
    chain = {f"m{n:05}": {f"m{(n + 1) % 5000:05}"} for n in range(5000)}
    (group,) = cycles(chain)
    assert len(group) == 5000


@given(
    st.dictionaries(
        st.integers(0, 9).map(str), st.sets(st.integers(0, 9).map(str)), min_size=1, max_size=10
    )
)
def test_cycles_agree_with_reachability(graph: dict[str, set[str]]) -> None:
    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        todo = [start]
        while todo:
            for target in graph.get(todo.pop(), set()) - seen:
                seen.add(target)
                todo.append(target)
        return seen

    reached = {name: reach(name) for name in {*graph, *(t for ts in graph.values() for t in ts)}}
    groups = {
        frozenset(b for b in reached if b == a or (b in reached[a] and a in reached[b]))
        for a in reached
    }
    assert {frozenset(g) for g in cycles(graph)} == {g for g in groups if len(g) > 1}
