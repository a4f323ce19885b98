"""Quality issues: what makes code hard to read, to change or to trust. Thresholds are on top."""

import ast
import hashlib
from collections.abc import Iterator

from examples.codebase_analysis.facts import Fingerprint, Function, Rule
from examples.codebase_analysis.walk import Checks, Hit, Scope, Source

LONG, COMPLEX, DEEP, MANY = 60, 15, 4, 7
COPY_LINES = 10

RULES: dict[str, Rule] = {
    "unparsable": Rule(
        "Does not parse", "high", "This Python cannot run the file; it was counted, not measured."
    ),
    "unreadable": Rule(
        "Cannot be read", "high", "The file is no text in its encoding, or was not accessible."
    ),
    "mutable-default": Rule(
        "Mutable default", "medium", "All calls share the one object made when the line was read."
    ),
    "bare-except": Rule(
        "Bare except", "medium", "Catches Ctrl-C and exits as well; name the exception."
    ),
    "swallowed-error": Rule(
        "Swallowed error", "medium", "A broad except that does nothing hides every later bug."
    ),
    "too-complex": Rule(
        f"Complexity over {COMPLEX}", "medium", "Each path wants a test; split it by decisions."
    ),
    "too-long": Rule(
        f"Function over {LONG} lines", "low", "It does not fit on a screen; parts of it have names."
    ),
    "too-deep": Rule(f"Nesting over {DEEP}", "medium", "Return early or move the inner block out."),
    "too-many-arguments": Rule(
        f"More than {MANY} arguments", "low", "Some of them belong together; give them a type."
    ),
    "star-import": Rule(
        "Star import", "low", "Nobody can tell where a name comes from, tools included."
    ),
    "compiler-warning": Rule(
        "Compiler warning", "low", "Python itself warns; a later version may refuse the line."
    ),
}

MUTABLE_CALLS = {"list", "dict", "set", "bytearray", "collections.defaultdict", "collections.deque"}
MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)


def judge(function: Function) -> Iterator[Hit]:
    """The rules about a whole function, once it is measured."""
    if function.complexity > COMPLEX:
        yield "too-complex", function.line, f"{function.name}: {function.complexity} paths"
    if function.lines > LONG:
        yield "too-long", function.line, f"{function.name}: {function.lines} lines"
    if function.nesting > DEEP:
        yield "too-deep", function.line, f"{function.name}: {function.nesting} levels"
    if function.arguments > MANY:
        yield "too-many-arguments", function.line, f"{function.name}: {function.arguments}"


def fingerprint(scope: Scope, source: Source) -> Fingerprint | None:
    """What makes two functions the same text; None for short ones and for functions in functions.

    The signature and the docstring do not count: renamed copies are copies.
    """
    node = scope.node
    if node is None or node.end_lineno is None or (scope.outer and scope.outer.node):
        return None
    has_docstring = ast.get_docstring(node, clean=False) is not None
    first = node.body[has_docstring].lineno if len(node.body) > has_docstring else node.lineno
    if node.end_lineno - first + 1 < COPY_LINES:
        return None
    body = (line.strip() for line in source.lines[first - 1 : node.end_lineno])
    kept = [line for line in body if line and not line.startswith("#")]
    if len(kept) < COPY_LINES:
        return None
    digest = hashlib.blake2b("\n".join(kept).encode(), digest_size=8).hexdigest()
    return Fingerprint(digest, source.path, node.lineno, scope.name, len(kept))


def _handler(node: ast.ExceptHandler, source: Source, _scope: Scope) -> Iterator[Hit]:
    caught = source.origin(node.type) if node.type else ""
    if node.type is None:
        yield "bare-except", node.lineno, ""
    if len(node.body) == 1 and (node.type is None or caught in ("Exception", "BaseException")):
        only = node.body[0]
        says_nothing = isinstance(only, ast.Expr) and isinstance(only.value, ast.Constant)
        if isinstance(only, ast.Pass) or says_nothing:
            yield "swallowed-error", node.lineno, f"except {caught}".strip()


def _defaults(
    node: ast.FunctionDef | ast.AsyncFunctionDef, source: Source, scope: Scope
) -> Iterator[Hit]:
    for default in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
        called = source.origin(default.func) if isinstance(default, ast.Call) else ""
        if isinstance(default, MUTABLE) or called in MUTABLE_CALLS:
            yield "mutable-default", default.lineno, scope.name


def _documented(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
    source: Source,
    scope: Scope,
) -> tuple[Hit, ...]:
    """Counts public names and those with a docstring; a report shows the share, not each name."""
    hidden = any(part.startswith("_") for part in scope.name.split("."))
    if not hidden and not (scope.outer and scope.outer.node):
        source.public += 1
        source.documented += ast.get_docstring(node, clean=False) is not None
    return ()


def _star(node: ast.ImportFrom, _source: Source, _scope: Scope) -> Iterator[Hit]:
    if node.names[0].name == "*":
        yield "star-import", node.lineno, "." * node.level + (node.module or "")


CHECKS: Checks = {
    ast.Module: (_documented,),
    ast.ClassDef: (_documented,),
    ast.FunctionDef: (_documented, _defaults),
    ast.AsyncFunctionDef: (_documented, _defaults),
    ast.ExceptHandler: (_handler,),
    ast.ImportFrom: (_star,),
}
