"""Which server a command talks to, and the conversation. The transport itself is the SDK's."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import click

from mainspring.cli.output import Output
from mainspring.errors import ServerUnreachable, Unauthorized
from mainspring.sdk.settings import ClientSettings, load
from mainspring.wire.calls import Request

Rest = ParamSpec("Rest")


@dataclass(frozen=True)
class Talk:
    """What a command is given: a way to ask the server, and how to print."""

    settings: ClientSettings
    out: Output
    ask: Callable[[Request], Awaitable[Any]]


def find_server(url: str | None, key: str | None) -> ClientSettings:
    """The server to talk to: the options, else the environment, else `mainspring dev` of this
    folder or one above.

    Raises: ServerUnreachable when nothing names a server, Unauthorized when no key is known for it.
    """
    given = {"MAINSPRING_URL": url, "MAINSPRING_SECRET_KEY": key}
    environ = dict(os.environ) | {name: value for name, value in given.items() if value}
    found = load(environ, Path.cwd())
    if found.key is None and not environ.get("MAINSPRING_URL"):
        raise ServerUnreachable(
            f"No server is known in {Path.cwd()}: no --url, no MAINSPRING_URL, and no `mainspring "
            "dev` runs here or in a folder above."
        )
    if found.key is None:
        raise Unauthorized(
            f"No key for {found.url} is known. Give --key or set MAINSPRING_SECRET_KEY to the key "
            "that the server printed at its first start."
        )
    return found


def talking(
    function: Callable[Concatenate[Talk, Rest], Awaitable[int | None]],
) -> Callable[..., int | None]:
    """Give a command its conversation, with the options --url, --key, --json and -q."""

    @click.option("--url", help="The server. Environment: MAINSPRING_URL.")
    @click.option("--key", help="Its secret key. Environment: MAINSPRING_SECRET_KEY.")
    @click.option("--json", "as_json", is_flag=True, help="JSON lines, as when piped.")
    @click.option("-q", "--quiet", is_flag=True, help="Only ids.")
    @functools.wraps(function)
    def command(
        *args: Any, url: str | None, key: str | None, as_json: bool, quiet: bool, **rest: Any
    ) -> int | None:
        async def conversation() -> int | None:
            from mainspring.sdk.http import HttpTransport  # heavy, and --help needs none

            transport = HttpTransport(
                settings.url, settings.key or "", environment=settings.environment
            )
            try:
                talk = Talk(settings, Output(as_json, quiet), transport.call)
                return await function(talk, *args, **rest)
            finally:
                await transport.close()

        settings = find_server(url, key)
        return asyncio.run(conversation())

    return command
