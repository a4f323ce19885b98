"""`mainspring deploy`: a folder becomes a new version of the code."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import click

from mainspring.app.deploying import send, variables_of
from mainspring.app.preflight import carry, preflight
from mainspring.app.prepared import cache_folder, prepare
from mainspring.cli import deployments, preflight as shown
from mainspring.cli.connection import Talk, talking
from mainspring.cli.faults import FAILED
from mainspring.settings import load
from mainspring.wire.deploying import Promote
from mainspring.worker.rehearsal import Verdict


@click.command("deploy")
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--env", "slug", metavar="ENV", help="The environment. Default: that of the key.")
@click.option("--skip-promotion", is_flag=True, help="Keep the version, and promote it later.")
@click.option("--external-id", metavar="ID", help="An id of your own, such as the commit.")
@click.option("--preflight", "looks", is_flag=True, help="Replay what waits before the promotion.")
@click.option("--strict", is_flag=True, help="With it: promote nothing when a run diverges.")
@click.option("--carry", "carries", is_flag=True, help="With it: let runs that fit go on in it.")
@talking
async def command(
    talk: Talk,
    path: Path,
    *,
    slug: str | None,
    skip_promotion: bool,
    external_id: str | None,
    looks: bool,
    strict: bool,
    carries: bool,
) -> int | None:
    """Keep the code of a folder on the server as a new version, and let new runs get it.

    All files below PATH are packed but hidden ones (so .env is not), what .gitignore and
    .mainspringignore name, and what looks like a secret. The copy is imported first; code that
    cannot be imported is not deployed. The same --external-id with the same code makes no second
    version. `mainspring worker --deployed` runs what is deployed.

    --preflight shows what every run that waits would do in the new version, as `mainspring deploys
    preflight` does, and asks on a terminal before it promotes one that some runs do not fit.
    """
    if (strict or carries) and not looks:
        raise click.UsageError("--strict and --carry go with --preflight.")
    settings = load(path, os.environ, {}).settings
    async with deployments.of_environment(talk, slug) as there:
        key = there.settings.key or ""
        talk.out.note(f"Packing {path} for {there.settings.environment} …")
        variables = await asyncio.to_thread(variables_of, there.settings.url, key)
        made = await send(
            there.ask,
            path,
            settings,
            secret=key,
            external_id=external_id,
            variables=variables,
        )
        verdicts = await _looked(there, made.version) if looks else []
        if shown.count(verdicts, "diverges") and not skip_promotion and not _goes_on(talk, strict):
            click.echo(f"{made.version} is kept, and not promoted.", err=True)
            return FAILED
        if not skip_promotion:
            made = await there.ask(Promote(made.version))
            carried = await carry(there.ask, made.version, verdicts) if carries else 0
            if carries:
                talk.out.note(f"{carried} runs that wait go on in it.")
    talk.out.one(deployments.item(made), deployments.COLUMNS, ident="version")
    return None


async def _looked(talk: Talk, version: str) -> list[Verdict]:
    """What runs that wait would do in that version, shown on stderr: stdout is the deployment's."""
    verdicts = await preflight(talk.ask, await prepare(talk.ask, version, cache_folder()))
    for line in shown.items(verdicts):
        why = f" at {line['at']!r}: {line['reason']}" if line["verdict"] != "fits" else ""
        click.echo(f"{line['task']}: {line['runs']} runs {line['verdict']}{why}", err=True)
    return verdicts


def _goes_on(talk: Talk, strict: bool) -> bool:
    """Whether to promote a version that some runs do not fit; they stay in theirs."""
    if strict or not sys.stdin.isatty():
        return not strict
    return click.confirm(
        "Some runs that wait do not fit, and stay in theirs. Promote it?", err=True
    )
