"""The command `python -m examples.codebase_analysis.demo`: the main job, from nothing to a report.

It starts the platform, triggers the job as any caller would, and shows what happens.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from examples.codebase_analysis.crashes import Crashes
from examples.codebase_analysis.facts import Analysis
from examples.codebase_analysis.platform import Platform, platform
from examples.codebase_analysis.progress import LineProgress, LiveProgress, View, progress
from examples.codebase_analysis.sources import NoSources, list_sources, split, standard_library
from examples.codebase_analysis.tasks import Outcome, analyze_codebase, one_per_core
from examples.codebase_analysis.undisturbed import differences, undisturbed
from mainspring import MainspringError, queues
from mainspring.app.stopping import stop_signals
from mainspring.server.serve import loop_factory

BATCH_SIZE = 50
KILLS = 5
ROUNDS = 60
LOG = "platform.log"
LOOK_EVERY_S = 0.15


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line."""

    path: str
    analysis: Analysis
    out: Path
    processes: int
    batch_size: int
    crash: bool
    seed: int
    stays: bool

    @property
    def shown_out(self) -> str:
        """The folder as one would type it here."""
        return os.path.relpath(self.out)


class Job:
    """One triggered job while it is watched; `view` is what is known of it."""

    def __init__(self, options: Options, shown: LiveProgress | LineProgress) -> None:
        sources = list_sources(options.path)
        self.options = options
        self.view = View(
            wanted=options.processes,
            files=len(sources.files),
            batches=len(split(sources.files, options.batch_size)),
            checked=options.crash,
        )
        self._shown = shown

    def show(self, **changes: object) -> None:
        """Draws what has changed."""
        self.view = replace(self.view, **changes)  # type: ignore[arg-type]
        self._shown.show(self.view)

    async def run(self, here: Platform, crashes: Crashes | None) -> Outcome:
        """Triggers the job, watches it to its end and answers its result.

        Raises:
            RunFailed: it failed.
        """
        handle = await analyze_codebase.trigger(
            self.options.path, self.options.analysis, self.options.batch_size, str(self.options.out)
        )
        result = asyncio.create_task(handle.result())
        begun = time.monotonic()
        self.show(phase="analysis", done=0, running=0)
        waiting = True
        if crashes:
            crashes.busy.set()
        while not result.done():
            queue = await queues.retrieve(one_per_core.name)
            open_ = queue.queued + queue.running
            waiting = waiting and not open_
            if not waiting and not open_ and self.view.phase == "analysis":
                self.show(phase="report", done=self.view.batches, running=0)
            elif self.view.phase == "analysis":
                self.show(
                    done=0 if waiting else self.view.batches - open_,
                    running=queue.running,
                    workers=len(here.alive),
                    crashes=here.deaths,
                    analysing_s=time.monotonic() - begun,
                )
            await asyncio.wait({result}, timeout=LOOK_EVERY_S)
        if crashes:
            crashes.busy.clear()
        return result.result()


async def demo(options: Options) -> int:
    """Runs the job once, with crashes until there were enough of them; answers the exit code."""
    begun = time.monotonic()
    async with AsyncExitStack() as stack:
        shown = progress()
        with shown:
            job = Job(options, shown)
            job.show()
            here = await stack.enter_async_context(platform(options.out, options.processes))
            stop = stack.enter_context(stop_signals(lambda: None))
            job.show(phase="workers", platform=f"{here.url}, SQLite in {options.shown_out}")
            working = asyncio.create_task(_work(job, here))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                working.cancel()
                await asyncio.wait({working})
                print("\nStopped. The job goes on when the folder is served again.")
                return 130
            outcome, wrong = working.result()
            shown.show(job.view, ended=True)
        _tell(options, outcome, time.monotonic() - begun)
        if options.crash:
            _tell_crashes(job.view.crashes, outcome, wrong)
        _tell_more(options, here)
        if options.stays:
            await stopping
        stopping.cancel()
    return 1 if wrong else 0


async def _work(job: Job, here: Platform) -> tuple[Outcome, list[str]]:
    """The job, and with `--crash` everything about its report that is not as it should be."""
    await here.workers_up()
    job.show(workers=len(here.alive))
    if not job.options.crash:
        return await job.run(here, None), []
    wrong: list[str] = []
    crashes = Crashes(here, job.options.seed, KILLS)
    killing = asyncio.create_task(crashes.run())
    expected: dict[str, Any] = {}
    try:
        for _ in range(ROUNDS):  # a small tree is done before there were enough crashes
            outcome = await job.run(here, crashes)
            job.show(phase="check", crashes=len(crashes.killed))  # the last may not be seen yet
            expected = expected or await asyncio.to_thread(
                undisturbed,
                job.options.path,
                job.options.analysis,
                job.options.processes,
                job.options.batch_size,
            )
            report = json.loads(await asyncio.to_thread(Path(outcome.data).read_bytes))
            wrong += differences(report, expected)
            if crashes.enough or wrong:
                return outcome, wrong
        raise RuntimeError(
            f"only {len(crashes.killed)} crashes in {ROUNDS} jobs; give a larger tree"
        )
    finally:
        killing.cancel()
        await asyncio.wait({killing})


def _tell(options: Options, outcome: Outcome, took: float) -> None:
    totals = outcome.totals
    rows = [
        ("files", f"{totals.files:,}", f"{totals.unparsable_files:,} cannot be parsed or read"),
        ("lines", f"{totals.lines:,}", f"{totals.code:,} of code"),
        ("functions", f"{totals.functions:,}", f"{totals.classes:,} classes"),
    ]
    if options.analysis in ("all", "dependencies"):
        rows.append(("imports", f"{totals.imports:,}", ""))
    if options.analysis in ("all", "security"):
        rows.append(("security smells", f"{totals.security_smells:,}", ""))
    if options.analysis in ("all", "quality"):
        copies = f"{totals.copied_functions:,} copied functions"
        rows.append(("quality issues", f"{totals.quality_issues:,}", copies))
    print()
    for name, number, more in rows:
        print(f"  {name:<16} {number:>9}   {more}".rstrip())
    print(f"\nDone in {took:.1f} s, {outcome.batches} batches.")
    print(f"Report  {outcome.report}\nData    {outcome.data}")


def _tell_crashes(deaths: int, outcome: Outcome, wrong: list[str]) -> None:
    print(
        f"\nWorkers killed with SIGKILL: {deaths}. Attempts that were repeated: {outcome.repeated} "
        f"of batches, {outcome.restarts} of the run that awaits them."
    )
    if wrong:
        print("The report differs from that of an undisturbed analysis:")
        for line in wrong:
            print(f"  {line}")
    else:
        print("Every number is the same as in an undisturbed analysis.")


def _tell_more(options: Options, here: Platform) -> None:
    if not options.stays:
        print("\nWithout --exit the platform stays up, and you can look at each run.")
        return
    command = Path(sys.executable).with_name("mainspring")
    name = os.path.relpath(command, options.out) if command.exists() else "mainspring"
    print(
        f"\nThe platform stays up at {here.url}. In a second terminal:\n"
        f"  cd {options.shown_out}\n"
        f"  {name} runs ls\n"
        f"  {name} tasks ls\n"
        f'  {name} tasks trigger analyze_codebase --payload \'{{"path": "…"}}\' --wait\n'
        "Ctrl-C ends it.",
        flush=True,
    )


def options_of(arguments: list[str]) -> Options:
    """Reads the command line; exits with status 2 where it is wrong."""
    cores = os.cpu_count() or 2
    parser = argparse.ArgumentParser(
        "demo", description="Analyses a source tree as durable runs, and writes a report."
    )
    parser.add_argument("--path", help="what to analyse; default: Python's standard library")
    parser.add_argument("--type", default="all", choices=get_args(Analysis), dest="analysis")
    parser.add_argument("--exit", action="store_true", help="end when the job has ended")
    parser.add_argument("--crash", action="store_true", help="kill workers meanwhile, then compare")
    parser.add_argument("--seed", type=int, help="repeats the moments of --crash")
    parser.add_argument("--out", default=".mainspring-demo", help="folder of report and state")
    parser.add_argument("--processes", type=int, default=min(max(cores, 2), 8), help="workers")
    parser.add_argument("--batch-size", type=int, default=BATCH_SIZE, help="files in one run")
    given = parser.parse_args(arguments)
    for name in ("processes", "batch_size"):
        if getattr(given, name) < 1:
            parser.error(
                f"--{name.replace('_', '-')} is {getattr(given, name)}; 1 or more is needed"
            )
    return Options(
        path=os.path.abspath(given.path) if given.path else standard_library(),
        analysis=given.analysis,
        out=Path(given.out).absolute(),
        processes=given.processes,
        batch_size=given.batch_size,
        crash=given.crash,
        seed=given.seed if given.seed is not None else int(time.time()) % 100_000,
        stays=not given.exit,
    )


def main(arguments: list[str]) -> int:
    """Runs the command and answers its exit code; what is wrong is said in a sentence."""
    options = options_of(arguments)
    try:
        list_sources(options.path)
        if not options.out.exists():
            options.out.mkdir(parents=True)
            (options.out / ".gitignore").write_text("*\n")
        logging.basicConfig(filename=options.out / LOG, filemode="w", level=logging.INFO)
        if options.crash:
            print(f"Seed {options.seed}: --seed {options.seed} kills at the same moments.")
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(demo(options))
    except (NoSources, MainspringError, RuntimeError, OSError) as problem:
        print(f"demo: {problem}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
