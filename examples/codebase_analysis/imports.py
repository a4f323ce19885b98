"""What a file imports, as it is written; whether that is local is decided over the whole tree."""

import ast

from examples.codebase_analysis.walk import Checks, Hit, Scope, Source


def _import(node: ast.Import, source: Source, _scope: Scope) -> tuple[Hit, ...]:
    for name in node.names:
        source.imports.add(name.name)
        local = name.asname or name.name.partition(".")[0]
        source.origins[local] = name.name if name.asname else local
    return ()


def _import_from(node: ast.ImportFrom, source: Source, _scope: Scope) -> tuple[Hit, ...]:
    module = "." * node.level + (node.module or "")
    for name in node.names:
        whole = f"{module}{'' if module.endswith('.') else '.'}{name.name}"
        source.imports.add(whole)
        if name.name != "*":
            source.origins[name.asname or name.name] = whole
    return ()


CHECKS: Checks = {ast.Import: (_import,), ast.ImportFrom: (_import_from,)}
