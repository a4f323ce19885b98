"""`mainspring deploy`: a folder becomes a new version of the code."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TypedDict, Unpack

import click

from mainspring.app.deploying import send, variables_of
from mainspring.app.preflight import carry, preflight
from mainspring.app.prepared import cache_folder, prepare
from mainspring.cli import deployments, preflight as shown
from mainspring.cli.connection import Talk, talking
from mainspring.cli.faults import FAILED
from mainspring.model.branch import PREVIEW
from mainspring.settings import Settings, load
from mainspring.wire.deploying import Deployment, Promote
from mainspring.wire.environments import CreateBranch
from mainspring.worker.rehearsal import Verdict


class Given(TypedDict):
    """The options as they were typed."""

    slug: str | None
    branch: str | None
    skip_promotion: bool
    external_id: str | None
    image: str
    build: bool
    looks: bool
    strict: bool
    carries: bool


@click.command("deploy")
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--env", "slug", metavar="ENV", help="The environment. Default: that of the key.")
@click.option("--branch", help="A branch of preview, which is made if there is none.")
@click.option("--skip-promotion", is_flag=True, help="Keep the version, and promote it later.")
@click.option("--external-id", metavar="ID", help="An id of your own, such as the commit.")
@click.option("--image", default="", metavar="NAME", help="The code is in this container image.")
@click.option("--build", is_flag=True, help="With it: make the image, where an engine is.")
@click.option("--preflight", "looks", is_flag=True, help="Replay what waits before the promotion.")
@click.option("--strict", is_flag=True, help="With it: promote nothing when a run diverges.")
@click.option("--carry", "carries", is_flag=True, help="With it: let runs that fit go on in it.")
@talking
async def command(talk: Talk, path: Path, **given: Unpack[Given]) -> int | None:
    """Keep the code of a folder on the server as a new version, and let new runs get it.

    All files below PATH are packed but hidden ones (so .env is not), what .gitignore and
    .mainspringignore name, and what looks like a secret. The copy is imported first; code that
    cannot be imported is not deployed. The same --external-id with the same code makes no second
    version. `mainspring worker --deployed` runs what is deployed.

    With --image the server keeps the name of an image instead of the code: start containers of it
    with `mainspring worker --version VERSION`, then `mainspring promote VERSION`. --build makes it
    with docker or podman, of which there must be one here, by the Dockerfile of the folder, else of
    what would be packed.

    --preflight shows what every run that waits would do in the new version, as `mainspring deploys
    preflight` does, and asks on a terminal before it promotes one that some runs do not fit.
    """
    if (given["strict"] or given["carries"]) and not given["looks"]:
        raise click.UsageError("--strict and --carry go with --preflight.")
    if given["build"] and not given["image"]:
        raise click.UsageError("--build goes with --image NAME.")
    if given["image"] and given["looks"]:
        raise click.UsageError("--preflight needs the code, which is not kept with --image.")
    return talk.in_loop(lambda there: _deployed(there, path, given))


async def _deployed(talk: Talk, path: Path, given: Given) -> int | None:
    settings = load(path, os.environ, {}).settings
    if given["branch"] is not None:
        async with deployments.of_environment(talk, PREVIEW) as preview:
            await preview.ask(CreateBranch(given["branch"]))
    async with deployments.of_environment(talk, given["slug"], given["branch"]) as there:
        made = await _sent(there, path, settings, given)
        verdicts = await _looked(there, made.version) if given["looks"] else []
        stays = given["skip_promotion"] or bool(given["image"])
        fits = not shown.count(verdicts, "diverges")
        if not fits and not stays and not _goes_on(given["strict"]):
            click.echo(
                f"{made.version} is kept, and not promoted. Runs that diverge stay in their "
                f"version in any case; to let new ones get it: mainspring promote {made.version}",
                err=True,
            )
            return FAILED
        if not stays:
            made = await there.ask(Promote(made.version))
            if given["carries"]:
                carried = await carry(there.ask, made.version, verdicts)
                talk.out.note(f"{carried} runs that wait go on in it.")
    talk.out.one(deployments.item(made), deployments.COLUMNS, ident="version")
    if stays and not made.image:
        talk.out.note(f"Next: mainspring promote {made.version}")
    elif not made.image:
        talk.out.note("Workers that were started with `mainspring worker --deployed` run it.")
    return None


async def _sent(there: Talk, path: Path, settings: Settings, given: Given) -> Deployment:
    """The folder, kept as a version."""
    url, key, slug = there.settings.url, there.settings.key or "", there.settings.environment
    there.out.note(f"Packing {path} for {slug} …")
    variables = await asyncio.to_thread(variables_of, url, key, slug)
    made = await send(
        there.ask,
        path,
        settings,
        secret=key,
        external_id=given["external_id"],
        variables=variables,
        image=given["image"],
        build=given["build"],
    )
    if made.image:
        there.out.note(
            f"Start containers of {made.image}: mainspring worker --version {made.version}"
        )
    return made


async def _looked(talk: Talk, version: str) -> list[Verdict]:
    """What runs that wait would do in that version, shown on stderr: stdout is the deployment's."""
    verdicts = await preflight(talk.ask, await prepare(talk.ask, version, cache_folder()))
    for item in shown.items(verdicts):
        click.echo(shown.line(item), err=True)
    return verdicts


def _goes_on(strict: bool) -> bool:
    """Whether to promote a version that some runs do not fit; they stay in theirs."""
    if strict or not sys.stdin.isatty():
        return not strict
    return click.confirm(
        "Some runs that wait do not fit, and stay in theirs. Promote it?", err=True
    )
