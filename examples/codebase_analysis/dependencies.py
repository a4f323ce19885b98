"""Who imports whom over the whole tree: local, standard and third-party modules, and cycles.

It reads no file. A module's name starts below the outermost folder that is a package, as Python
sees it when that folder's parent is on its path.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from examples.codebase_analysis.facts import File

Graph = dict[str, set[str]]


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Counts of imported names by their origin; lists are (module, count), the largest first.

    `importers` and `imported` speak of local modules, `links` counts imports between top-level
    packages as (from, to, count), `cycles` are groups of local modules that all need each other.
    """

    kinds: dict[str, int] = field(default_factory=dict)
    imported: list[tuple[str, int]] = field(default_factory=list)
    importers: list[tuple[str, int]] = field(default_factory=list)
    standard: list[tuple[str, int]] = field(default_factory=list)
    third_party: list[tuple[str, int]] = field(default_factory=list)
    links: list[tuple[str, str, int]] = field(default_factory=list)
    cycles: list[list[str]] = field(default_factory=list)


def dependencies(files: Iterable[File], top: int = 25) -> Dependencies:
    """Resolves what every file imports against all files of the tree."""
    modules = module_names(file.path for file in files)
    known = frozenset(modules.values())
    graph: Graph = {}
    kinds = Counter(local=0, standard=0, third_party=0)
    outside: dict[str, Counter[str]] = {"standard": Counter(), "third_party": Counter()}
    for file in files:
        module = modules[file.path]
        targets = graph.setdefault(module, set())
        foreign = set[str]()
        for name in file.imports:
            whole = absolute(name, module, is_package=file.path.endswith("__init__.py"))
            local = longest_known(whole, known)
            if local:
                kinds["local"] += 1
                targets.add(local)
            elif whole:
                foreign.add(whole.partition(".")[0])
        targets.discard(module)
        for name in foreign:
            kind = "standard" if name in sys.stdlib_module_names else "third_party"
            kinds[kind] += 1
            outside[kind][name] += 1
    fan_in = Counter(target for targets in graph.values() for target in targets)
    fan_out = Counter({module: len(targets) for module, targets in graph.items() if targets})
    links = Counter(
        (package(module), package(target))
        for module, targets in graph.items()
        for target in targets
        if package(module) != package(target)
    )
    return Dependencies(
        kinds=dict(kinds),
        imported=ranked(fan_in, top),
        importers=ranked(fan_out, top),
        standard=ranked(outside["standard"], top),
        third_party=ranked(outside["third_party"], top),
        links=[(*pair, n) for pair, n in sorted(links.items(), key=lambda x: (-x[1], x[0]))],
        cycles=cycles(graph),
    )


def module_names(paths: Iterable[str]) -> dict[str, str]:
    """The dotted name of each path, by the packages that the paths themselves form."""
    paths = list(paths)
    packages = {path.rpartition("/")[0] for path in paths if path.endswith("/__init__.py")}
    names = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        parts = [] if name == "__init__.py" else [name.removesuffix(".py")]
        while folder in packages:
            folder, _, part = folder.rpartition("/")
            parts.insert(0, part)
        names[path] = ".".join(parts) or path.removesuffix(".py").replace("/", ".")
    return names


def absolute(name: str, module: str, *, is_package: bool) -> str:
    """An imported name without leading dots; "" when the dots point above the tree."""
    inner = name.lstrip(".")
    dots = len(name) - len(inner)
    if not dots:
        return name
    parts = module.split(".")
    kept = len(parts) - dots + is_package
    return ".".join([*parts[:kept], *([inner] if inner else [])]) if kept > 0 else ""


def longest_known(name: str, known: frozenset[str]) -> str:
    """The module that a dotted name lies in: `a.b.C` is in `a.b`, if that is a known module."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name


def package(module: str) -> str:
    return module.partition(".")[0]


def ranked(counts: Mapping[str, int], top: int) -> list[tuple[str, int]]:
    """The largest first, equal ones by name, so that the order never depends on chance."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:top]


def cycles(graph: Graph) -> list[list[str]]:
    """Groups of two or more modules that reach each other, largest first (Tarjan's algorithm)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    path: list[str] = []
    open_: set[str] = set()
    found: list[list[str]] = []
    for start in sorted(graph):
        if start in order:
            continue
        work = [(start, iter(sorted(graph[start])))]
        while work:
            module, targets = work[-1]
            if module not in order:
                order[module] = low[module] = len(order)
                path.append(module)
                open_.add(module)
            for target in targets:
                if target not in order:
                    work.append((target, iter(sorted(graph.get(target, ())))))
                    break
                if target in open_:
                    low[module] = min(low[module], order[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[module])
                if low[module] == order[module]:
                    group = set(islice(reversed(path), path[::-1].index(module) + 1))
                    del path[-len(group) :]
                    open_ -= group
                    if len(group) > 1:
                        found.append(sorted(group))
    return sorted(found, key=lambda group: (-len(group), group))
