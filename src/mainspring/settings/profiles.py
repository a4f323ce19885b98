"""Logins that were kept: servers with their keys, by name, in a file only its owner may read."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from mainspring.errors import ConfigurationError, Unauthorized
from mainspring.settings.read import user_folder

VARIABLE: Final = "MAINSPRING_PROFILE"
DEFAULT: Final = "default"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_OTHERS: Final = 0o077


class Profile(msgspec.Struct, omit_defaults=True):
    """A server and a key of it. `environment` is said for personal tokens, which reach several."""

    url: str
    key: str = ""
    environment: str = ""


class Profiles(msgspec.Struct, omit_defaults=True):
    """All of them by name, and the one in use where nothing else names a server."""

    used: str | None = None
    profiles: dict[str, Profile] = {}

    def named(self, name: str) -> Profile:
        """The profile. Raises: ConfigurationError when there is none, Unauthorized without key."""
        found = self.profiles.get(name)
        if found is None:
            near = difflib.get_close_matches(name, self.profiles, 1)
            known = f"Did you mean {near[0]!r}?" if near else f"There are: {self._names()}."
            raise ConfigurationError(
                f"There is no profile {name[:64]!r}. {known} "
                f"To make it: mainspring login --profile {name[:64]}"
            )
        if not found.key:
            raise Unauthorized(
                f"The profile {name!r} has no key for {found.url}. "
                f"Give it one: mainspring login --profile {name}"
            )
        return found

    def _names(self) -> str:
        return ", ".join(self.profiles) or "none yet"


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a profile. Raises: ConfigurationError."""
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name[:64]!r} is no name of a profile: 64 letters, digits, dots, - and _ at most."
        )


def read(environ: Mapping[str, str]) -> Profiles:
    """What is kept; none when there is no file.

    Raises: ConfigurationError for a file that cannot be read, or that others can.
    """
    folder = user_folder(environ)
    path = None if folder is None else folder / "profiles.json"
    if path is None or not path.is_file():
        return Profiles()
    try:
        if os.name == "posix" and path.stat().st_mode & _OTHERS:
            raise ConfigurationError(
                f"{path} has keys in it, and others may read it. Replace them if this machine has "
                f"other users, then: chmod 600 {path}"
            )
        return msgspec.json.decode(path.read_bytes(), type=Profiles)
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigurationError(
            f"{path} cannot be read as profiles ({error}); correct it or delete it, and log in "
            "again with mainspring login."
        ) from error


def write(environ: Mapping[str, str], profiles: Profiles) -> Path:
    """Replace the file in one step; only its owner may read it. Returns where it is.

    Raises: ConfigurationError.
    """
    folder = user_folder(environ)
    if folder is None:
        raise ConfigurationError("Profiles are kept in the home folder: set HOME to one.")
    path, part = folder / "profiles.json", folder / f"profiles.json.{os.getpid()}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileNotFoundError):
            part.unlink()  # of a process of this number that has died
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(profiles), indent=2) + b"\n")
        part.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error}.") from error
    return path
