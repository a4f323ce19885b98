"""Which server a command talks to, and the conversation. The transport itself is the SDK's."""

from __future__ import annotations

import functools
import os
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import click

from mainspring.cli.blocking import drive, transport_to
from mainspring.cli.output import Output
from mainspring.errors import ConfigurationError, ServerUnreachable, Unauthorized
from mainspring.sdk.exchange import Exchange
from mainspring.sdk.settings import ClientSettings, environment_of, load as client_settings
from mainspring.settings import load, profiles
from mainspring.wire.calls import Request

Rest = ParamSpec("Rest")
T = TypeVar("T")
NOTE: Final = Path(".mainspring", "dev.json")


@dataclass(frozen=True)
class Talk:
    """What a command is given: a way to ask the server, and how to print.

    `reach` makes transports to other environments.
    """

    settings: ClientSettings
    out: Output
    ask: Callable[[Request], Awaitable[Any]]
    reach: Callable[..., Exchange] = transport_to

    def in_loop(self, work: Callable[[Talk], Awaitable[T]]) -> T:
        """Do what pauses, or several things at a time, in an event loop of its own."""
        from mainspring.cli.looped import run  # takes as long to load as the rest

        return run(
            self.settings,
            lambda there, reach: work(replace(self, ask=there.call, reach=reach)),
        )


@dataclass(frozen=True)
class Found:
    """A server with its key, and what named it: a profile, an option, a variable or a file."""

    settings: ClientSettings
    place: str


def find_server(url: str | None, key: str | None, profile: str | None = None) -> ClientSettings:
    """The server to talk to, as `find` has it. Raises: as `find`."""
    return find(url, key, profile).settings


def find(url: str | None, key: str | None, profile: str | None = None) -> Found:
    """The server to talk to: the options, else the environment, else the project's file, else
    `mainspring dev` of this folder or one above, else the profile in use. A key of a profile goes
    only to its own server.

    Raises: ConfigurationError for two servers at once and an unknown profile, ServerUnreachable
    when nothing names a server, Unauthorized when no key is known for it.
    """
    environ, here = os.environ, Path.cwd()
    if url and profile:
        raise ConfigurationError("Give --url or --profile: a profile has its own server.")
    loaded = load(here, environ, {"url": url or None, "secret_key": key or None})
    origin = loaded.origins["url"]
    is_named = origin.kind in ("flag", "environment")
    name = profile or (None if is_named else environ.get(profiles.VARIABLE))
    if name:
        return _of_profile(profiles.read(environ).named(name), name, key)
    said = {
        "MAINSPRING_URL": loaded.settings.url if origin.kind != "default" else "",
        "MAINSPRING_SECRET_KEY": loaded.settings.secret_key,
        "MAINSPRING_ENVIRONMENT": loaded.settings.environment,
    }
    found = client_settings({name: text for name, text in said.items() if text}, here)
    if said["MAINSPRING_URL"] and found.key is not None:
        return Found(found, origin.place)
    if found.key is not None:
        return Found(found, str(NOTE))
    kept = profiles.read(environ)
    used = kept.profiles.get(kept.used or "")
    if used is not None and kept.used and said["MAINSPRING_URL"].rstrip("/") in ("", used.url):
        return _of_profile(kept.named(kept.used), kept.used, key)
    if not said["MAINSPRING_URL"]:
        raise ServerUnreachable(
            f"No server is known in {here}: no --url, no MAINSPRING_URL, no profile (mainspring "
            "login), and no `mainspring dev` runs here or in a folder above."
        )
    raise Unauthorized(
        f"No key for {found.url} is known. Give --key, set MAINSPRING_SECRET_KEY to the key that "
        "the server printed at its first start, or keep one: mainspring login --url URL"
    )


def _of_profile(profile: profiles.Profile, name: str, key: str | None) -> Found:
    chosen = key or profile.key
    slug = profile.environment or environment_of(chosen)
    return Found(ClientSettings(profile.url, chosen, slug), f"profile {name}")


def talking(
    function: Callable[Concatenate[Talk, Rest], Coroutine[Any, Any, int | None]],
) -> Callable[..., int | None]:
    """Give a command its conversation, with the options --url, --key, --profile, --json, -q.

    It has no event loop, and must await nothing but what it asks; see `Talk.in_loop`.
    """

    @click.option("--url", help="The server. Environment: MAINSPRING_URL.")
    @click.option("--key", help="Its secret key. Environment: MAINSPRING_SECRET_KEY.")
    @click.option("--profile", help="A kept login. Environment: MAINSPRING_PROFILE.")
    @click.option("--json", "as_json", is_flag=True, help="JSON lines, as when piped.")
    @click.option("-q", "--quiet", is_flag=True, help="Only ids.")
    @functools.wraps(function)
    def command(
        *args: Any,
        url: str | None,
        key: str | None,
        profile: str | None,
        as_json: bool,
        quiet: bool,
        **rest: Any,
    ) -> int | None:
        async def conversation() -> int | None:
            transport = transport_to(
                settings.url, settings.key or "", environment=settings.environment
            )
            try:
                talk = Talk(settings, Output(as_json, quiet), transport.call)
                return await function(talk, *args, **rest)
            finally:
                await transport.close()

        settings = find_server(url, key, profile)
        return drive(conversation())

    return command
