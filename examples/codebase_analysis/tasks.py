"""The tasks of the main job: one run for the tree, a child run for each batch of its files."""

import asyncio
import os
import platform
import time
from dataclasses import dataclass

from examples.codebase_analysis.aggregate import Totals, aggregate, timeline
from examples.codebase_analysis.facts import Analysis, Piece
from examples.codebase_analysis.measure import measure
from examples.codebase_analysis.report import prepare, write_report
from examples.codebase_analysis.sources import NoSources, list_sources, split, standard_library
from mainspring import AbortRun, Queue, current, logger, task

BATCHES_IN_ONE_CALL = 1000

# Parsing keeps a core busy, so more batches at a time would only make each of them slower.
one_per_core = Queue("code-analysis", concurrency_limit=max(2, os.cpu_count() or 2))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the main job answers.

    `repeated` counts attempts at batches that were begun again because their worker died,
    `restarts` how often that happened to the run that awaits them.
    """

    totals: Totals
    report: str
    data: str
    batches: int
    repeated: int
    restarts: int


@task(queue=one_per_core)
def analyze_batch(root: str, files: list[str], analysis_type: Analysis = "all") -> Piece:
    """Measures some files of a tree. Being repeated does no harm: it only reads."""
    started = time.time()
    batch = measure(root, files, analysis_type)
    worker = f"{platform.node()}:{os.getpid()}"
    return Piece(batch, worker, started, time.time(), claim=current().epoch)


@task
async def analyze_codebase(
    path: str | None = None,
    analysis_type: Analysis = "all",
    batch_size: int = 50,
    out: str = "codebase-report",
) -> Outcome:
    """Analyses every Python file below `path` and writes a report into the folder `out`.

    Without a path it reads the standard library of the Python it runs under.
    """
    if batch_size < 1:
        raise AbortRun(f"batch_size is {batch_size}; give a number of files, 1 or more")
    try:
        await asyncio.to_thread(prepare, out)
        sources = await asyncio.to_thread(list_sources, path or standard_library())
    except NoSources as problem:
        raise AbortRun(str(problem)) from problem
    except OSError as problem:
        raise AbortRun(f"out is {out}: {problem}; give a folder that can be written") from problem
    batches = split(sources.files, batch_size)
    logger.info("split", root=sources.root, files=len(sources.files), batches=len(batches))

    # A key counts within this run. If the worker dies here and the run starts again, the same keys
    # give the same children, and what they have done already is not done twice.
    calls = [
        analyze_batch.with_options(idempotency_key=f"batch-{index}").call(
            sources.root, files, analysis_type
        )
        for index, files in enumerate(batches)
    ]
    handles = [
        handle
        for first in range(0, len(calls), BATCHES_IN_ONE_CALL)
        for handle in await analyze_batch.batch_trigger(calls[first : first + BATCHES_IN_ONE_CALL])
    ]
    pieces = await asyncio.gather(*(handle.result() for handle in handles))

    summary = await asyncio.to_thread(
        aggregate,
        sources.root,
        analysis_type,
        [piece.batch for piece in pieces],
        sources.problems,
    )
    work = timeline(pieces)
    page, data = await asyncio.to_thread(write_report, out, summary, work)
    logger.info("reported", page=str(page))
    return Outcome(
        totals=summary.totals,
        report=str(page.resolve()),
        data=str(data.resolve()),
        batches=len(batches),
        repeated=sum(piece.claim - 1 for piece in pieces),
        restarts=current().epoch - 1,
    )
