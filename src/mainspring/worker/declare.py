"""The process that imports a project's code to tell what it declares, and ends.

`python -m mainspring.worker.declare FILE`: the file holds a `Question`, and then the `Told`.
"""

from __future__ import annotations

import contextlib
import platform
import sys
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from mainspring.sdk import scan
from mainspring.sdk.registry import registry
from mainspring.wire.deploying import Manifest
from mainspring.worker.channel import Problem

MODULE: Final = "mainspring.worker.declare"


class Question(Struct):
    """Where the code is, and where below that tasks are looked for."""

    root: str
    dirs: tuple[str, ...]
    ignore: tuple[str, ...]


class Told(Struct):
    """What the code declares, and which files could not be used."""

    manifest: Manifest
    problems: list[Problem]
    runtime: str


def declare(question: Question) -> Told:
    """Import the code into this process and tell what it declares."""
    found = scan.scan(question.dirs, question.ignore, question.root)
    tasks, queues = registry.specs()
    problems = [Problem.of(error) for error in found.errors]
    return Told(Manifest(tasks, queues), problems, platform.python_version())


def main(path: str) -> int:
    """Answer the question of that file; returns the exit status."""
    file = Path(path)
    question = msgspec.json.decode(file.read_bytes(), type=Question)
    with contextlib.redirect_stdout(sys.stderr):  # what the code prints is no answer
        told = declare(question)
    file.write_bytes(msgspec.json.encode(told))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
