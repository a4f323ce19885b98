"""Where an SDK outside a worker finds its server: URL, key and environment. It sends nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from mainspring.errors import ConfigurationError

DEFAULT_URL: Final = "http://127.0.0.1:7420"
DEFAULT_ENVIRONMENT: Final = "dev"
_KEY: Final = re.compile(r"tr_([a-z0-9-]+)_sk_")


@dataclass(frozen=True)
class ClientSettings:
    """A server, the key of one of its environments, and that environment's slug."""

    url: str
    key: str | None
    environment: str


class _DevFile(msgspec.Struct):
    url: str
    key: str


def load(environ: Mapping[str, str], folder: Path) -> ClientSettings:
    """The settings of a process started in `folder` with the variables `environ`.

    A key found in `.mainspring/dev.json` goes only to the server named beside it.

    Raises: ConfigurationError for a `dev.json` that cannot be read.
    """
    url, key = environ.get("MAINSPRING_URL"), environ.get("MAINSPRING_SECRET_KEY")
    dev = _dev_file(folder) if not (url and key) else None
    if dev is not None:
        url = url or dev.url
        if key is None and url.rstrip("/") == dev.url.rstrip("/"):
            key = dev.key
    return ClientSettings(
        (url or DEFAULT_URL).rstrip("/"),
        key,
        environ.get("MAINSPRING_ENVIRONMENT") or environment_of(key),
    )


def environment_of(key: str | None) -> str:
    """The environment that a key of the form `tr_<env>_sk_…` names; `dev` for any other."""
    found = _KEY.match(key or "")
    return found[1] if found else DEFAULT_ENVIRONMENT


def _dev_file(folder: Path) -> _DevFile | None:
    for place in (folder, *folder.parents):
        path = place / ".mainspring" / "dev.json"
        if path.is_file():
            try:
                return msgspec.json.decode(path.read_bytes(), type=_DevFile)
            except (OSError, msgspec.DecodeError) as error:
                raise ConfigurationError(
                    f"{path} is not readable as url and key of a dev server ({error}); "
                    "start `mainspring dev` again, which writes it, or delete it."
                ) from error
    return None
