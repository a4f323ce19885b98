"""What the commands for logins share: trying a key, and printing a profile without its key."""

from __future__ import annotations

from typing import Any, Final

from mainspring.cli import columns
from mainspring.cli.blocking import drive, transport_to
from mainspring.cli.item import Columns
from mainspring.cli.output import Output
from mainspring.sdk.settings import environment_of
from mainspring.settings.profiles import Profile
from mainspring.wire.calls import ListTasks

PROFILE: Final[Columns] = {
    "PROFILE": columns.text("profile"),
    "URL": columns.text("url"),
    "ENVIRONMENT": columns.text("environment"),
    "KEY": columns.text("key"),
    "IN USE": lambda item: "yes" if item.get("inUse") else "",
}


def ask(profile: Profile) -> None:
    """Try the key at its server.

    Raises: Unauthorized, Forbidden for a key with narrow scopes, ServerUnreachable.
    """
    slug = profile.environment or environment_of(profile.key)
    transport = transport_to(profile.url, profile.key, environment=slug, attempts=1)
    try:
        drive(transport.call(ListTasks()))
    finally:
        drive(transport.close())


def last_four(key: str) -> str:
    """What may be shown of a key."""
    return key[-4:] if len(key) > 8 else ""


def shown(name: str, profile: Profile, *, used: bool) -> dict[str, Any]:
    """A profile without its key."""
    return {
        "profile": name,
        "url": profile.url,
        "environment": profile.environment or environment_of(profile.key),
        "key": f"…{last_four(profile.key)}" if profile.key else "none",
        "inUse": used,
    }


def print_profile(name: str, profile: Profile, *, as_json: bool, quiet: bool, note: str) -> None:
    """Print one that is in use now, and a hint."""
    out = Output(as_json, quiet)
    out.one(
        shown(name, profile, used=True),
        {title.lower(): show for title, show in PROFILE.items()},
        ident="profile",
    )
    out.note(note)
