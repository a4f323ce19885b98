"""What runs that wait would do in another version: replayed in processes of their own, and told."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from mainspring.app.prepared import Prepared
from mainspring.settings import load
from mainspring.wire.calls import GetOutcomes, Outcome, Request
from mainspring.wire.deploying import CarryRuns, ListWaiting, WaitingPage, WaitingRun
from mainspring.worker.declare import Question
from mainspring.worker.rehearsal import Verdict
from mainspring.worker.rehearse import MODULE, Rehearse

Ask = Callable[[Request], Awaitable[Any]]
MANY: Final = 200
"""Runs that one process replays."""
PAGE: Final = 100
STALLED_S: Final = 30.0
"""The first verdict comes after the import; none takes longer than its own limit."""


async def preflight(ask: Ask, prepared: Prepared) -> list[Verdict]:
    """A verdict for every run that waits, and is not of that version."""
    found: list[Verdict] = []
    async for runs in _portions(ask, prepared.version):
        outcomes = await _outcomes(ask, runs)
        while runs:
            verdicts = await _replay(prepared, runs, outcomes)
            runs = runs[len(verdicts) :]
            if runs:  # the process has died of the next one, or stands still in it
                order = runs[0].order
                reason = "the process that replayed it died, or stood still"
                verdicts.append(
                    Verdict(order.run_id, order.task, runs[0].version, "unknown", "", reason)
                )
                runs = runs[1:]
            found += verdicts
    return found


async def carry(ask: Ask, version: str, verdicts: Sequence[Verdict]) -> int:
    """Let the runs that fit go on in that version; how many do."""
    fit = [one.run_id for one in verdicts if one.verdict == "fits"]
    carried = 0
    for start in range(0, len(fit), PAGE):
        carried += len((await ask(CarryRuns(version, fit[start : start + PAGE]))).run_ids)
    return carried


async def _portions(ask: Ask, version: str) -> AsyncIterator[list[WaitingRun]]:
    runs: list[WaitingRun] = []
    after: str | None = None
    while True:
        page: WaitingPage = await ask(ListWaiting(version, after))
        runs += page.runs
        after = page.next
        if runs and (after is None or len(runs) >= MANY):
            yield runs
            runs = []
        if after is None:
            return


async def _outcomes(ask: Ask, runs: Sequence[WaitingRun]) -> list[Outcome]:
    """How the children have ended whose results these runs read again in a replay."""
    ids: dict[str, None] = {}
    for run in runs:
        for entry in run.order.journal:
            if entry.kind == "trigger" and entry.data:
                made = msgspec.json.decode(entry.data, type=list[tuple[str, bool]])
                ids.update(dict.fromkeys(id_ for id_, _ in made))
    wanted, found = list(ids), list[Outcome]()
    for start in range(0, len(wanted), PAGE):
        found += (await ask(GetOutcomes(wanted[start : start + PAGE]))).outcomes
    return found


async def _replay(
    prepared: Prepared, runs: list[WaitingRun], outcomes: list[Outcome]
) -> list[Verdict]:
    """The verdicts on the first runs, until the process ends."""
    tasks = (await asyncio.to_thread(load, prepared.root, {})).settings.tasks
    code = Question(str(prepared.root), tasks.dirs, tasks.ignore)
    with tempfile.TemporaryDirectory(prefix="mainspring-preflight-") as place:
        file = Path(place, "question")
        question = msgspec.msgpack.encode(Rehearse(code, runs, outcomes))
        await asyncio.to_thread(file.write_bytes, question)
        process = await asyncio.create_subprocess_exec(
            prepared.python, "-m", MODULE, str(file), cwd=prepared.root,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stdout is not None
        found: list[Verdict] = []
        stalled = True
        try:
            with contextlib.suppress(TimeoutError):
                while len(found) < len(runs):
                    line = await asyncio.wait_for(process.stdout.readline(), STALLED_S)
                    if not line:
                        break
                    found.append(msgspec.json.decode(line, type=Verdict))
                stalled = False
        finally:
            if stalled:
                process.kill()
            await process.wait()
        return found
