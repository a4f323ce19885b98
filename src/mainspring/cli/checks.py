"""What `mainspring doctor` looks at: one function a check, each with the next step. No printing."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from importlib import metadata
from pathlib import Path
from typing import Final

import httpx2

from mainspring.app import stores
from mainspring.app.archives import depot_at
from mainspring.app.stores import Location
from mainspring.cli import faults
from mainspring.cli.connection import find_server
from mainspring.errors import MainspringError, PortTaken, ServerUnreachable
from mainspring.sdk.http import HttpTransport
from mainspring.sdk.registry import registry
from mainspring.sdk.scan import scan
from mainspring.sdk.settings import ClientSettings
from mainspring.server.serve import bind
from mainspring.settings import ServerSettings, Settings
from mainspring.wire.calls import ListTasks

PYTHON: Final = (3, 11)
SQLITE: Final = (3, 51, 3)
"""The first SQLite without a defect that could damage a file in WAL mode."""
CLOCK_S: Final = 2.0
"""More difference than this is told; the server's answer names only whole seconds."""


@dataclass(frozen=True)
class Check:
    """One line: what was looked at, its state (ok, warn, fail), what was found, what to do."""

    name: str
    state: str
    text: str
    then: str = ""


def every_check(settings: Settings, place: Location) -> Iterator[Check]:
    """All checks, in the order in which a failure explains the ones after it."""
    yield python()
    yield sqlite()
    yield folder()
    yield database(place)
    if settings.server.archive:
        yield archive(settings.server)
    yield tasks(settings)
    yield port(settings)
    yield from server()


def python() -> Check:
    """The interpreter."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < PYTHON:
        return Check("python", "fail", f"{found} is too old", "install Python 3.11 or newer")
    return Check("python", "ok", f"{found}, {sys.executable}")


def sqlite() -> Check:
    """The SQLite that comes with the driver; its version is that of the driver."""
    version = metadata.version("apsw")
    text = f"SQLite {version.rpartition('.')[0]} (apsw {version})"
    if tuple(map(int, version.split(".")[:3])) < SQLITE:
        return Check("sqlite", "warn", f"{text} is old", "pip install --upgrade apsw")
    return Check("sqlite", "ok", text)


def folder() -> Check:
    """Whether `.mainspring` can be written here."""
    place = stores.FOLDER if stores.FOLDER.is_dir() else Path.cwd()
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        step = "start in a folder of your own"
        return Check("folder", "fail", f"{place} cannot be written: {error.strerror}", step)
    return Check("folder", "ok", f"{place.resolve()} can be written")


def database(place: Location) -> Check:
    """Whether it answers, and has this release's schema."""
    if place.is_missing:
        return Check("database", "ok", f"{place.shown} is made at the first start")
    try:
        applied = asyncio.run(stores.schema(place))
        stores.script(place, applied)
    except MainspringError as error:
        return _failed("database", error)
    missing = [step.name for step in stores.steps(place) if step.number > len(applied)]
    if missing:
        step = "mainspring db migrate"
        return Check("database", "fail", f"{place.shown} lacks {', '.join(missing)}", step)
    return Check("database", "ok", f"{place.shown} has the schema of this release")


def archive(settings: ServerSettings) -> Check:
    """Whether old runs can be archived: something is written there, read and removed."""
    try:
        with contextlib.closing(depot_at(settings.archive)) as depot:
            asyncio.run(depot.check())
    except MainspringError as error:
        return _failed("archive", error)
    if not settings.keep_days:
        text = f"{depot.place} takes files, but server.keep_days is 0: nothing is ever archived"
        return Check("archive", "warn", text, "set server.keep_days, or server.archive to nothing")
    return Check("archive", "ok", f"{depot.place} takes files")


def tasks(settings: Settings) -> Check:
    """Whether the task files here can be imported."""
    found = scan(settings.tasks.dirs, settings.tasks.ignore)
    if found.errors:
        text = "; ".join(error.message for error in found.errors)
        return Check("tasks", "fail", text, "correct it; mainspring dev shows the traceback")
    names = sorted(registry.tasks)
    if not names:
        return Check("tasks", "warn", f"no task in {Path.cwd()}", "mainspring init")
    return Check("tasks", "ok", f"{len(names)} found: {', '.join(names[:8])}")


def port(settings: Settings) -> Check:
    """Whether a server could listen; taken by one of ours is fine."""
    host, number = settings.server.host, settings.server.port
    try:
        bind(host, number).close()
    except PortTaken as error:
        if _answers(f"http://{host}:{number}"):
            return Check("port", "ok", f"{number} is taken by a mainspring server")
        return Check("port", "warn", error.message, "mainspring dev --port 0")
    except MainspringError as error:
        return _failed("port", error)
    return Check("port", "ok", f"{number} of {host} is free")


def server() -> Iterator[Check]:
    """Whether the server that commands talk to answers, takes the key and has the same time."""
    try:
        settings = find_server(None, None)
    except ServerUnreachable as error:
        yield Check("server", "warn", error.message, "mainspring dev")
        return
    except MainspringError as error:
        yield _failed("server", error)
        return
    try:
        registered = asyncio.run(_registered(settings))
    except MainspringError as error:
        yield _failed("server", error)
        return
    text = f"{settings.url} answers and takes the key; {registered} tasks registered"
    if registered:
        yield Check("server", "ok", text)
    else:
        yield Check("server", "warn", text, "mainspring worker, in the folder of your tasks")
    yield clock(settings.url)


def clock(url: str) -> Check:
    """How far the server's clock is from this one."""
    before = time.time()
    response = httpx2.get(f"{url}/healthz", timeout=5)
    after = time.time()
    there = parsedate_to_datetime(response.headers["date"]).timestamp()
    # the answer names the whole second that it was written in
    off = max(before - (there + 1), there - after, 0.0)
    if off > CLOCK_S:
        text = f"the server's clock is {off:.0f} s away from this one"
        return Check("clock", "warn", text, "set both by NTP")
    return Check("clock", "ok", "the server has the same time")


async def _registered(settings: ClientSettings) -> int:
    transport = HttpTransport(settings.url, settings.key or "")
    try:
        answer = await transport.call(ListTasks())
    finally:
        await transport.close()
    return len(getattr(answer, "tasks", ()))


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/healthz", timeout=2).status_code == 200
    except httpx2.HTTPError:
        return False


def _failed(name: str, error: MainspringError) -> Check:
    return Check(name, "fail", f"{error.message} [{error.code}]", faults.next_command(error))
