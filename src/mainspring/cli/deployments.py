"""Deployments as items and tables, and the conversation with the environment that was asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

from mainspring.cli.columns import text, when
from mainspring.cli.connection import Talk
from mainspring.cli.item import Columns, Item
from mainspring.errors import ConfigurationError
from mainspring.model.branch import PREVIEW, slug_of
from mainspring.model.key import PERSONAL
from mainspring.wire import deployments as wire
from mainspring.wire.deploying import Deployment, DeploymentDetail

COLUMNS: Final[Columns] = {
    "VERSION": lambda item: item["version"] or "(none)",
    "CURRENT": lambda item: "current" if item["current"] else "",
    "WORKERS": text("workers"),
    "DEPLOYED": when("createdAt"),
    "PROMOTED": when("promotedAt"),
    "EXTERNAL ID": text("externalId"),
}
SHEET: Final[Columns] = {
    **COLUMNS,
    "ID": text("id"),
    "PYTHON": text("runtimeVersion"),
    "SIZE": lambda item: f"{item['size']:,} bytes" if item["size"] else "not kept here",
    "IMAGE": text("image"),
    "HASH": text("hash"),
    "TASKS": lambda item: ", ".join(item["tasks"]),
    "QUEUES": lambda item: ", ".join(item["queues"]),
    "SCHEDULES": lambda item: ", ".join(item["schedules"]),
}


def item(answer: Deployment) -> dict[str, Any]:
    """A deployment as the API shows it."""
    return wire.shown(answer)


def detailed(answer: DeploymentDetail) -> Item:
    """The same, with its code and what that declares."""
    one, manifest = answer.deployment, answer.manifest
    return wire.shown(one) | {
        "hash": one.hash,
        "size": one.size,
        "tasks": [task.id for task in manifest.tasks],
        "queues": [queue.name for queue in manifest.queues],
        "schedules": [
            f"{task.id} {schedule.cron}" for task in manifest.tasks for schedule in task.schedules
        ],
    }


@asynccontextmanager
async def of_environment(
    talk: Talk, slug: str | None, branch: str | None = None
) -> AsyncIterator[Talk]:
    """The conversation about that environment (None: the one of the key), or a branch of it.

    Raises: ConfigurationError for a key of another one; InvalidOptions for a name of no branch.
    """
    settings = talk.settings
    key = settings.key or ""
    if branch is not None:
        if slug not in (None, PREVIEW):
            raise ConfigurationError(f"--branch goes with --env {PREVIEW}, not with {slug!r}.")
        slug = slug_of(branch)
    if slug is None or slug == settings.environment:
        yield talk
        return
    opens = key.startswith(f"tr_{PREVIEW}_") and slug.partition("-")[0] == PREVIEW
    if not key.startswith(PERSONAL) and not opens:
        raise ConfigurationError(
            f"The key is one of environment {settings.environment!r}, not of {slug!r}. Give the "
            f"key of {slug!r} with --key, or a login that has it with --profile."
        )
    transport = talk.reach(settings.url, key, environment=slug)
    try:
        yield replace(talk, settings=replace(settings, environment=slug), ask=transport.call)
    finally:
        await transport.close()
