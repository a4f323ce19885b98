"""One file or one batch of files becomes facts. A file that cannot be read or parsed is a finding.

It opens the files of the batch and nothing else; the rules live in `smells` and `quality`.
"""

import ast
import heapq
import io
import os
import threading
import tokenize
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from examples.codebase_analysis import imports, quality, smells
from examples.codebase_analysis.facts import Analysis, Batch, File, Finding, Fingerprint, Function
from examples.codebase_analysis.walk import Check, Checks, Hit, Scope, Source, Walk

TOP = 25
"""How many functions of a batch are kept for each top list; the tree's top is among them."""

LARGEST = 8_000_000
"""Bytes; a larger file is generated data, and its syntax tree would take gigabytes."""

# Warnings are caught per process, not per thread: one at a time.
_compiling = threading.Lock()


def measure(root: str, paths: Iterable[str], analysis: Analysis = "all") -> Batch:
    """Reads the files, relative to `root`, and measures what the analysis asks for.

    Sizes, classes and functions are always counted. The answer depends on the text of each file
    alone, so any split of a tree into batches adds up to the same.
    """
    found = _Found(analysis)
    for path in paths:
        found.add(root, path)
    return found.batch()


@dataclass
class _Found:
    """What a batch gathers while its files are measured."""

    analysis: Analysis
    files: list[File] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    fingerprints: list[Fingerprint] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.judging = self.analysis in ("all", "quality")
        self.following = self.analysis in ("all", "dependencies")
        self.walk = Walk(_checks(self.analysis))

    def add(self, root: str, path: str) -> None:
        size = 0
        try:
            place = os.path.join(root, path)
            size = os.path.getsize(place)
            if size > LARGEST:
                raise ValueError(f"larger than {LARGEST // 1_000_000} MB")
            text = _text(place)
        except (OSError, SyntaxError, ValueError, LookupError) as error:
            self.files.append(File(path, size))
            self.findings.append(Finding("unreadable", path, 0, detail=_shown(_first_line(error))))
            return
        lines = text.split("\n")
        if not lines[-1]:
            lines.pop()
        source = Source(path, text, lines)
        try:
            tree, warned = _parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = getattr(error, "lineno", None) or 0
            self.files.append(_file(source, size, [], self.following))
            self.note(source, [("unparsable", line, _first_line(error))])
            return
        functions = self.walked(tree, source)
        if self.judging:
            self.note(source, warned)
        complexities = [function.complexity for function in functions]
        self.files.append(_file(source, size, complexities, self.following))

    def walked(self, tree: ast.Module, source: Source) -> list[Function]:
        scopes = []
        hits: list[Hit] = []
        for seen in self.walk(tree, source):
            if isinstance(seen, Scope):
                scopes.append(seen)
            else:
                hits.append(seen)
        self.note(source, hits)
        functions = [_function(scope, source.path) for scope in scopes]
        if self.judging:
            self.functions += functions
            for function in functions:
                self.note(source, quality.judge(function))
            for scope in scopes:
                if known := quality.fingerprint(scope, source):
                    self.fingerprints.append(known)
        return functions

    def note(self, source: Source, hits: Iterable[Hit]) -> None:
        for rule, line, detail in hits:
            code = source.lines[line - 1].strip()[:160] if 0 < line <= len(source.lines) else ""
            if rule == "hard-coded-secret":
                code = smells.mask(code)
            self.findings.append(Finding(rule, source.path, line, _shown(code), _shown(detail)))

    def batch(self) -> Batch:
        return Batch(self.files, top_functions(self.functions), self.findings, self.fingerprints)


def top_functions(functions: Iterable[Function]) -> list[Function]:
    """Those that are among the TOP by complexity or by length; ties go by place, so it is exact."""
    every = list(functions)
    kept = {
        *heapq.nsmallest(TOP, every, key=lambda f: (-f.complexity, f.path, f.line)),
        *heapq.nsmallest(TOP, every, key=lambda f: (-f.lines, f.path, f.line)),
    }
    return sorted(kept, key=lambda f: (-f.complexity, f.path, f.line))


def _checks(analysis: Analysis) -> Checks:
    """The table for the walk: always sizes and imports, and what the analysis adds."""
    tables = [SIZE_CHECKS, imports.CHECKS]
    if analysis in ("all", "security"):
        tables.append(smells.CHECKS)
    if analysis in ("all", "quality"):
        tables.append(quality.CHECKS)
    merged: dict[type[ast.AST], tuple[Check, ...]] = {}
    for table in tables:
        for kind, checks in table.items():
            merged[kind] = merged.get(kind, ()) + checks
    return merged


def _text(place: str) -> str:
    """The file decoded as Python would, with every line end as one newline."""
    data = io.BytesIO(Path(place).read_bytes())
    encoding, _lines = tokenize.detect_encoding(data.readline)
    data.seek(0)
    return io.TextIOWrapper(data, encoding).read()


def _parse(text: str) -> tuple[ast.Module, list[Hit]]:
    """The tree, and what the compiler warns of; warnings of other threads do not get in."""
    with _compiling, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tree = ast.parse(text, filename="<measured>")
    return tree, [
        ("compiler-warning", warning.lineno, str(warning.message))
        for warning in caught
        if warning.filename == "<measured>"
    ]


def _string(node: ast.Constant | ast.JoinedStr, source: Source, _scope: Scope) -> tuple[Hit, ...]:
    last = node.end_lineno or node.lineno
    if last > node.lineno:  # only strings have several lines
        source.strings.update(range(node.lineno, last + 1))
    return ()


def _docstring(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
    source: Source,
    _scope: Scope,
) -> tuple[Hit, ...]:
    if ast.get_docstring(node, clean=False) is not None:
        first = node.body[0]
        source.docstrings.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return ()


def _class(_node: ast.ClassDef, source: Source, _scope: Scope) -> tuple[Hit, ...]:
    source.classes += 1
    return ()


SIZE_CHECKS: Checks = {
    ast.Module: (_docstring,),
    ast.ClassDef: (_docstring, _class),
    ast.FunctionDef: (_docstring,),
    ast.AsyncFunctionDef: (_docstring,),
    ast.Constant: (_string,),
    ast.JoinedStr: (_string,),
}


def _file(source: Source, size: int, complexities: list[int], with_imports: bool) -> File:
    blank = comment = 0
    for number, line in enumerate(source.lines, 1):
        text = line.lstrip()
        if not text:
            blank += 1
        elif number in source.docstrings or (text[0] == "#" and number not in source.strings):
            comment += 1
    return File(
        path=source.path,
        bytes=size,
        lines=len(source.lines),
        code=len(source.lines) - blank - comment,
        comment=comment,
        blank=blank,
        classes=source.classes,
        public=source.public,
        documented=source.documented,
        complexities=complexities,
        imports=sorted(source.imports) if with_imports else [],
    )


def _function(scope: Scope, path: str) -> Function:
    node = scope.node
    assert node is not None
    assert node.end_lineno is not None
    return Function(
        path=path,
        line=node.lineno,
        name=scope.name,
        lines=node.end_lineno - node.lineno + 1,
        complexity=scope.complexity,
        nesting=scope.nesting,
        arguments=len(scope.parameters),
    )


def _first_line(error: Exception) -> str:
    """What went wrong, without the path of this machine that some errors carry."""
    text = getattr(error, "strerror", None) or getattr(error, "msg", None) or str(error)
    return f"{type(error).__name__}: {text}".partition("\n")[0]


def _shown(text: str) -> str:
    """Text that any terminal and any database takes; source lines may hold control characters."""
    text = text.replace("\t", " ")
    return text if text.isprintable() else "".join(c if c.isprintable() else "·" for c in text)
