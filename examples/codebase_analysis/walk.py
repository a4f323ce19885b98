"""One pass over a syntax tree, in the order of the source; it counts branches and asks the checks.

It knows no rule: what to look for is a table from node types to functions, put together by
`measure`. Leaves that no check asks for are never visited; that makes it cheaper than `ast.walk`.
"""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
Hit = tuple[str, int, str]  # (rule, line, what was seen)

# What adds a path through a function, besides `and`, `or`, comprehensions and cases.
BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.IfExp)
# What indents the code below it for a reader.
BLOCKS = (
    *(ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith),
    *(ast.Try, ast.TryStar, ast.Match),
)
SCOPES = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
COUNTED = {*BRANCHES, *BLOCKS, *SCOPES, ast.BoolOp, ast.comprehension, ast.match_case}
LEAVES = (
    *(ast.Name, ast.alias, ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop),
    *(ast.Pass, ast.Break, ast.Continue, ast.Global, ast.Nonlocal),
)


@dataclass(slots=True, eq=False)
class Scope:
    """A function while it is walked; the module and the bodies of classes have one without node."""

    name: str = ""
    node: FunctionNode | None = None
    outer: "Scope | None" = None
    parameters: frozenset[str] = frozenset()
    complexity: int = 1
    nesting: int = 0
    elifs: set[ast.AST] = field(default_factory=set)


@dataclass(slots=True)
class Source:
    """A file while it is walked; what the checks gather beside their findings is written here.

    `origins` says what the names of the file were imported as, so far. `strings` are the lines that
    lie in strings of several lines, `docstrings` those of them that document something.
    """

    path: str
    text: str
    lines: list[str]
    origins: dict[str, str] = field(default_factory=dict)
    imports: set[str] = field(default_factory=set)
    strings: set[int] = field(default_factory=set)
    docstrings: set[int] = field(default_factory=set)
    classes: int = 0
    public: int = 0
    documented: int = 0

    def origin(self, node: ast.expr) -> str:
        """The dotted name behind an expression, seen through the imports; "" if it has none."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        parts.append(self.origins.get(node.id, node.id))
        return ".".join(reversed(parts))


Check = Callable[[Any, Source, Scope], Iterable[Hit]]
Checks = Mapping[type[ast.AST], tuple[Check, ...]]


class Walk:
    """Walks files with one set of checks; may be shared by threads."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self._fields = {
            kind: tuple(reversed(kind._fields))
            for kind in vars(ast).values()
            if isinstance(kind, type)
            and issubclass(kind, ast.AST)
            and (kind in checks or not issubclass(kind, LEAVES))
        }

    def __call__(self, tree: ast.Module, source: Source) -> Iterator[Scope | Hit]:
        """Yields each function when it is entered, and what the checks found, in source order.

        What a scope counts is complete when the walk is.
        """
        fields, checks = self._fields, self._checks
        stack: list[tuple[ast.AST, Scope, int]] = [(tree, Scope(), 0)]
        while stack:
            node, scope, depth = stack.pop()
            kind = type(node)
            if kind in COUNTED:
                scope, depth = _enter(node, scope, depth)
                if scope.node is node:
                    yield scope
            if kind in checks:
                for check in checks[kind]:
                    yield from check(node, source, scope)
            for name in fields[kind]:
                child = getattr(node, name, None)
                if child.__class__ is list:
                    stack += [
                        (item, scope, depth) for item in reversed(child) if item.__class__ in fields
                    ]
                elif child.__class__ in fields:
                    stack.append((child, scope, depth))


def _enter(node: ast.AST, scope: Scope, depth: int) -> tuple[Scope, int]:
    """Counts the node and says which scope and depth hold below it."""
    match node:
        case ast.ClassDef(name=name):
            return Scope(_inside(scope, name), None, scope), 0
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return Scope(_inside(scope, name), node, scope, _parameters(node.args)), 0
        case ast.BoolOp(values=values):
            scope.complexity += len(values) - 1
        case ast.comprehension(ifs=ifs):
            scope.complexity += 1 + len(ifs)
        case ast.match_case(pattern=pattern):
            scope.complexity += not (isinstance(pattern, ast.MatchAs) and pattern.pattern is None)
        case ast.If(orelse=[ast.If(col_offset=column) as follower]) if column == node.col_offset:
            scope.elifs.add(follower)
    if isinstance(node, BRANCHES):
        scope.complexity += 1
    if isinstance(node, BLOCKS) and node not in scope.elifs:
        depth += 1
        scope.nesting = max(scope.nesting, depth)
    return scope, depth


def _inside(scope: Scope, name: str) -> str:
    return f"{scope.name}.{name}" if scope.name else name


def _parameters(arguments: ast.arguments) -> frozenset[str]:
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [extra for extra in (arguments.vararg, arguments.kwarg) if extra]
    return frozenset(argument.arg for argument in every) - {"self", "cls"}
