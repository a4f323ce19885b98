"""Where a server's secret comes from: a setting, a file beside the database, or the database."""

from __future__ import annotations

import hmac
import logging
import secrets
from pathlib import Path
from typing import Final

from mainspring.app.stores import MEMORY, Location
from mainspring.errors import ConfigurationError
from mainspring.files import make_once
from mainspring.ids import IdSource
from mainspring.model.pepper import SHORTEST, Pepper
from mainspring.store.access import Access

VARIABLE: Final = "MAINSPRING_PEPPER"
_CHECK: Final = "pepper check"
_KEPT: Final = "pepper"

log = logging.getLogger("mainspring.server")


async def pepper_of(place: Location, setting: str, access: Access) -> Pepper:
    """The pepper of the database at `place`, which is open. One is made when there is none.

    Keys that were stored before there were peppers are stored anew under it.
    Raises: ConfigurationError when it is too short, or is not the one that the database's keys are
    stored under; StoreUnavailable.
    """
    check = await access.secret(_CHECK, "")
    pepper = Pepper(await _secret(place, setting, access, known=bool(check)))
    check = check or await access.secret(_CHECK, pepper.check())
    if not hmac.compare_digest(check, pepper.check()):
        raise ConfigurationError(
            f"The keys of {place.shown} are stored under another pepper than "
            f"{_where(place, setting)}. Start with the one that they were made with."
        )
    await _adopt(access, pepper)
    return pepper


async def _secret(place: Location, setting: str, access: Access, *, known: bool) -> str:
    if setting:
        if len(setting) < SHORTEST:
            raise ConfigurationError(
                f"{VARIABLE} has {len(setting)} characters; it needs {SHORTEST} or more. Make one: "
                "python -c 'import secrets; print(secrets.token_hex(32))'"
            )
        return setting
    if place.target == MEMORY:
        return secrets.token_hex(32)
    if place.on_disk:
        return _from_file(file_of(place), known=known)
    kept = await access.secret(_KEPT, "")
    if not kept and known:
        raise ConfigurationError(f"{place.shown} needs {VARIABLE}, and it is not set.")
    if not kept:
        log.warning(
            "%s is not set: the pepper is kept in %s itself, so that whoever copies the database "
            "can sign tokens.",
            VARIABLE,
            place.shown,
        )
    return kept or await access.secret(_KEPT, secrets.token_hex(32))


def file_of(place: Location) -> Path:
    """The file beside a SQLite database that holds its pepper."""
    return Path(f"{place.target}.pepper")


def _from_file(path: Path, *, known: bool) -> str:
    """The file's text; made once, readable by its owner only, and whole or not there."""
    try:
        if not path.exists():
            if known:
                raise ConfigurationError(
                    f"{path} is missing, and the keys of the database beside it are stored under "
                    f"it. Bring it back from the backup, or set {VARIABLE}."
                )
            make_once(path, secrets.token_hex(32))
        text = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"The pepper {path} cannot be read or made: {error}.") from error
    if len(text) < SHORTEST:
        raise ConfigurationError(f"The pepper {path} is too short; bring back the original file.")
    return text


async def _adopt(access: Access, pepper: Pepper) -> None:
    former = await access.former_keys()
    if former:
        ids = IdSource(secrets.SystemRandom())
        await access.replace_former(
            [
                (hash_, pepper.stored_of(hash_), ids.new("key", created_at, 0))
                for hash_, _env_id, _label, created_at in former
            ]
        )


def _where(place: Location, setting: str) -> str:
    if setting:
        return f"the one in {VARIABLE}"
    return f"the one in {file_of(place)}" if place.on_disk else "the one it keeps"
