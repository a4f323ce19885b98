"""What an analysis knows: plain values that travel between runs as JSON. It measures nothing."""

from dataclasses import dataclass, field
from typing import Literal

Analysis = Literal["all", "security", "quality", "dependencies"]
Severity = Literal["high", "medium", "low"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a check looks for; findings name it by the key it has in its table."""

    title: str
    severity: Severity
    why: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One place that broke a rule. `code` is the line itself, `detail` what was seen there."""

    rule: str
    path: str
    line: int
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Function:
    """One function or method; `lines` counts from `def` to its last line."""

    path: str
    line: int
    name: str
    lines: int
    complexity: int
    nesting: int
    arguments: int


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The body of a function without indentation, blanks and comments; equal digests are copies."""

    digest: str
    path: str
    line: int
    name: str
    lines: int


@dataclass(frozen=True, slots=True)
class File:
    """One source file. `complexities` has a number for each function, in the order of the file.

    `comment` counts comments and docstrings; `public` names of which `documented` have a docstring;
    `imports` are dotted names as far as they are written, relative ones with their dots.
    """

    path: str
    bytes: int
    lines: int = 0
    code: int = 0
    comment: int = 0
    blank: int = 0
    classes: int = 0
    public: int = 0
    documented: int = 0
    complexities: list[int] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything learned from some files.

    `functions` are only those that could be among the top of the whole tree, so that a batch stays
    small however large its files are.
    """

    files: list[File]
    functions: list[Function]
    findings: list[Finding]
    fingerprints: list[Fingerprint]


@dataclass(frozen=True, slots=True)
class Piece:
    """A batch and the work it took: in which process and when (epoch seconds).

    `claim` is how often a worker had taken the run by then: over 1, the one before did not end it.
    """

    batch: Batch
    worker: str
    started: float
    ended: float
    claim: int
