"""`mainspring deploys preflight`: what runs that wait would do in a version."""

from __future__ import annotations

import click

from mainspring.app.preflight import carry, preflight
from mainspring.app.prepared import cache_folder, prepare
from mainspring.cli import preflight as shown
from mainspring.cli.connection import Talk, talking
from mainspring.cli.faults import FAILED


@click.command("preflight")
@click.argument("version")
@click.option("--strict", is_flag=True, help="Exit with 1 when a run diverges.")
@click.option("--carry", "carries", is_flag=True, help="Let the runs that fit go on in VERSION.")
@talking
async def command(talk: Talk, version: str, *, strict: bool, carries: bool) -> int | None:
    """Replay every run that waits against the code of VERSION, and say what it would do.

    Steps are answered from the journals, and nothing else is done: connections, processes and
    changes of files are refused. `fits`: the code comes to where the run is. `diverges`: something
    that was done is not there any more, or is something else. `unknown`: it cannot be told, for
    example because code outside of steps connects to something.
    """
    return talk.in_loop(lambda there: _replay(there, version, strict=strict, carries=carries))


async def _replay(talk: Talk, version: str, *, strict: bool, carries: bool) -> int | None:
    prepared = await prepare(talk.ask, version, cache_folder())
    talk.out.note(f"Replaying what waits against {prepared.version} …")
    verdicts = await preflight(talk.ask, prepared)
    talk.out.many(shown.items(verdicts), shown.COLUMNS, ident="example", empty=shown.NOTHING)
    if strict and shown.count(verdicts, "diverges"):
        return FAILED
    if carries:
        carried = await carry(talk.ask, prepared.version, verdicts)
        talk.out.note(f"{carried} runs go on in {prepared.version}.")
    return None
