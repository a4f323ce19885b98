"""The facts of all batches become one summary. It does not depend on how the tree was split."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from examples.codebase_analysis import quality, smells
from examples.codebase_analysis.dependencies import Dependencies, dependencies
from examples.codebase_analysis.facts import (
    Analysis,
    Batch,
    File,
    Finding,
    Fingerprint,
    Function,
    Piece,
)
from examples.codebase_analysis.measure import top_functions

BUCKETS = (1, 2, 3, 5, 8, 11, 16, 26, 51)
"""Where each bar of the histogram of complexity begins."""


@dataclass(frozen=True, slots=True)
class Totals:
    """One number each; equal for equal trees, whatever happened during the analysis."""

    files: int = 0
    bytes: int = 0
    lines: int = 0
    code: int = 0
    comment: int = 0
    blank: int = 0
    classes: int = 0
    functions: int = 0
    complexity: int = 0
    imports: int = 0
    security_smells: int = 0
    quality_issues: int = 0
    copied_functions: int = 0
    unparsable_files: int = 0


@dataclass(frozen=True, slots=True)
class Package:
    """The files of one top-level folder; "." are those at the root."""

    name: str
    files: int
    code: int
    functions: int
    complexity: int
    public: int
    documented: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bar of the histogram: functions with a complexity from `first` to `last` (0: no end)."""

    first: int
    last: int
    functions: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What is known of a tree. Lists are complete and in a fixed order, except the functions,
    which are the top by complexity and by length.
    """

    root: str
    analysis: Analysis
    totals: Totals
    packages: list[Package]
    histogram: list[Bucket]
    files: list[File]
    functions: list[Function]
    dependencies: Dependencies
    smells: list[Finding]
    issues: list[Finding]
    copies: list[list[Fingerprint]]


@dataclass(frozen=True, slots=True)
class Work:
    """How one batch was worked on; the part of a report that differs from run to run."""

    index: int
    worker: str
    started: float
    ended: float
    claim: int
    files: int
    lines: int


def aggregate(
    root: str, analysis: Analysis, batches: Iterable[Batch], problems: Iterable[Finding] = ()
) -> Summary:
    """Adds the batches up, in any order; `problems` are findings about files never listed."""
    batches = list(batches)
    files = sorted((file for batch in batches for file in batch.files), key=lambda f: f.path)
    findings = sorted(
        [*problems, *(finding for batch in batches for finding in batch.findings)],
        key=lambda f: (f.rule, f.path, f.line, f.code, f.detail),
    )
    found_smells = [finding for finding in findings if finding.rule in smells.RULES]
    issues = [finding for finding in findings if finding.rule in quality.RULES]
    copies = find_copies(print_ for batch in batches for print_ in batch.fingerprints)
    return Summary(
        root=root,
        analysis=analysis,
        totals=Totals(
            files=len(files),
            bytes=sum(file.bytes for file in files),
            lines=sum(file.lines for file in files),
            code=sum(file.code for file in files),
            comment=sum(file.comment for file in files),
            blank=sum(file.blank for file in files),
            classes=sum(file.classes for file in files),
            functions=sum(len(file.complexities) for file in files),
            complexity=sum(sum(file.complexities) for file in files),
            imports=sum(len(file.imports) for file in files),
            security_smells=len(found_smells),
            quality_issues=len(issues),
            copied_functions=sum(len(group) - 1 for group in copies),
            unparsable_files=sum(f.rule in ("unparsable", "unreadable") for f in issues),
        ),
        packages=packages(files),
        histogram=histogram(files),
        files=files,
        functions=top_functions(f for batch in batches for f in batch.functions),
        dependencies=dependencies(files),
        smells=found_smells,
        issues=issues,
        copies=copies,
    )


def timeline(pieces: Iterable[Piece]) -> list[Work]:
    """How each batch was worked on, in the order of the batches."""
    return [
        Work(
            index=index,
            worker=piece.worker,
            started=piece.started,
            ended=piece.ended,
            claim=piece.claim,
            files=len(piece.batch.files),
            lines=sum(file.lines for file in piece.batch.files),
        )
        for index, piece in enumerate(pieces)
    ]


def as_json(summary: Summary, work: Iterable[Work]) -> dict[str, object]:
    """The summary as plain JSON values; what differs from run to run stands under `work`."""
    return {**asdict(summary), "work": [asdict(piece) for piece in work]}


def packages(files: Iterable[File]) -> list[Package]:
    """The top-level folders, the one with the most code first."""
    grouped: dict[str, list[File]] = {}
    for file in files:
        folder, slash, _ = file.path.partition("/")
        grouped.setdefault(folder if slash else ".", []).append(file)
    found = [
        Package(
            name=name,
            files=len(members),
            code=sum(file.code for file in members),
            functions=sum(len(file.complexities) for file in members),
            complexity=sum(sum(file.complexities) for file in members),
            public=sum(file.public for file in members),
            documented=sum(file.documented for file in members),
        )
        for name, members in grouped.items()
    ]
    return sorted(found, key=lambda package: (-package.code, package.name))


def histogram(files: Iterable[File]) -> list[Bucket]:
    """How many functions there are of which complexity."""
    counts = Counter(complexity for file in files for complexity in file.complexities)
    ends = [*(first - 1 for first in BUCKETS[1:]), 0]
    return [
        Bucket(
            first, last, sum(n for c, n in counts.items() if first <= c and (c <= last or not last))
        )
        for first, last in zip(BUCKETS, ends, strict=True)
    ]


def find_copies(fingerprints: Iterable[Fingerprint]) -> list[list[Fingerprint]]:
    """Functions with the same body, the groups that repeat the most lines first."""
    groups: dict[str, list[Fingerprint]] = {}
    for fingerprint in fingerprints:
        groups.setdefault(fingerprint.digest, []).append(fingerprint)
    copies = [sorted(g, key=lambda f: (f.path, f.line)) for g in groups.values() if len(g) > 1]
    return sorted(copies, key=lambda g: (-(len(g) - 1) * g[0].lines, g[0].path, g[0].line))
