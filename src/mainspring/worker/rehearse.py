"""The process that imports a version's code and replays runs that wait, one after the other.

`python -m mainspring.worker.rehearse FILE`: the file holds a `Rehearse`; a `Verdict` in a line of
JSON for each run comes out.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from mainspring.sdk import scan
from mainspring.sdk.registry import registry
from mainspring.wire.calls import Outcome
from mainspring.wire.deploying import WaitingRun
from mainspring.worker.declare import Question
from mainspring.worker.refusing import refusing
from mainspring.worker.rehearsal import rehearse

MODULE: Final = "mainspring.worker.rehearse"


class Rehearse(Struct):
    """The code, the runs, and how the runs have ended that these have waited for."""

    code: Question
    runs: list[WaitingRun]
    outcomes: list[Outcome]


async def _all(wanted: Rehearse, answers: int) -> None:
    outcomes = {outcome.run_id: outcome for outcome in wanted.outcomes}
    tasks = registry.executables()
    for run in wanted.runs:
        verdict = await rehearse(tasks, run, outcomes)
        os.write(answers, msgspec.json.encode(verdict) + b"\n")


def main(path: str) -> int:
    """Answer the file; returns the exit status."""
    wanted = msgspec.msgpack.decode(Path(path).read_bytes(), type=Rehearse)
    answers = os.dup(1)
    os.dup2(2, 1)  # what the code prints is no answer
    sys.dont_write_bytecode = True
    scan.scan(wanted.code.dirs, wanted.code.ignore, wanted.code.root)
    refusing.watch()
    asyncio.run(_all(wanted, answers))
    sys.stdout.flush()
    os._exit(0)  # threads of code that never came to an end must not keep the process


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
