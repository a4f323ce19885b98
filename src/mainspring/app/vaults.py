"""Where the keys come from that seal variables: settings, a file, or a file beside the database."""

from __future__ import annotations

import base64
import importlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from mainspring.app.stores import MEMORY, Location
from mainspring.errors import ConfigurationError, NotBuilt
from mainspring.files import make_once
from mainspring.settings import ServerSettings
from mainspring.store.variables import Vault

_ADVICE: Final = (
    "Set MAINSPRING_SERVER_ENCRYPTION_KEYS to the output of `openssl rand -base64 32`, the same on "
    "every server, and keep it apart from the database's backups."
)


def vault_of(place: Location, settings: ServerSettings) -> Callable[[], Vault]:
    """What opens the vault for the database at `place`, once a variable is to be sealed or opened;
    until then neither a key nor the cipher is needed.

    It raises: NotBuilt when something is not set up, ConfigurationError for keys that are none.
    """

    def opened() -> Vault:
        read = _source(place, settings)
        try:  # by name: a server that keeps no variables need not load the cipher
            module = importlib.import_module("mainspring.store.vault")
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("mainspring"):
                raise
            raise NotBuilt(
                "This server keeps no variables: the cipher is not installed. Run: pip install "
                "'mainspring[encryption]'"
            ) from error
        vault: Vault = module.AesVault(read)
        return vault

    return opened


def key_file(place: Location) -> Path:
    """The file beside a SQLite database that holds the key of its variables."""
    return Path(f"{place.target}.key")


def _source(place: Location, settings: ServerSettings) -> Callable[[], Sequence[str]]:
    keys = settings.encryption_keys
    if keys:
        return lambda: keys
    if settings.encryption_key_file:
        path = Path(settings.encryption_key_file)
        return lambda: _read(path)
    if place.target == MEMORY:
        made = (_new_key(),)
        return lambda: made
    if place.on_disk:
        return lambda: _read_or_make(key_file(place))
    raise NotBuilt(f"This server keeps no variables: it has no key to seal them. {_ADVICE}")


def _read(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"The key file {path} cannot be read: {error}. {_ADVICE}"
        ) from error


def _read_or_make(path: Path) -> list[str]:
    """The file's keys; it is made once, readable by its owner only, and whole or not there."""
    if not path.exists():
        try:
            make_once(path, f"{_new_key()}\n")
        except OSError as error:
            raise ConfigurationError(f"The key file {path} cannot be made: {error}.") from error
    return _read(path)


def _new_key() -> str:
    return base64.b64encode(os.urandom(32)).decode()
