"""The first key of a server: from the environment, or made once. Keys are kept as hashes only."""

from __future__ import annotations

import random
from typing import Final

from mainspring.engine.engine import Engine
from mainspring.errors import Unauthorized
from mainspring.ids import IdSource
from mainspring.model.audit import Entry
from mainspring.model.key import check_key, new_key
from mainspring.model.pepper import Pepper
from mainspring.store.access import KeyRow
from mainspring.store.protocol import EnvironmentRow

VARIABLE: Final = "MAINSPRING_SECRET_KEY"

_bits: Final = random.SystemRandom()
_ids: Final = IdSource(_bits)


async def admit(engine: Engine, pepper: Pepper, key: str, environment: str = "") -> EnvironmentRow:
    """Make the environment that the key names, and the key valid. Repeating it does nothing; a key
    that was revoked stays so.

    `environment` is needed for a preview key only, whose text does not name the branch.
    Raises: Unauthorized for an ill-formed key.
    """
    try:
        check_key(key)
    except Unauthorized as error:
        raise Unauthorized(f"{VARIABLE}: {error.message}") from error
    named = key.split("_")[1]
    slug = environment if environment.startswith(f"{named}-") else named
    env = await engine.environment(slug)
    hash_ = pepper.stored(key)
    access = engine.store.access
    found = await access.find_key(hash_)
    if found is None:
        now = engine.clock.now()
        row = KeyRow(_ids.new("key", now, env.shard_id), env.env_id, "first key", key[-4:], "", now)
        entry = Entry(now, env.env_id, "server", "keys.admit", row.key_id)
        await access.add_key(hash_, row, pepper.chain(), entry)
    elif not found.key.last_four:
        await access.show_key(hash_, key[-4:])
    return env


async def first_key(engine: Engine, pepper: Pepper, environment: str) -> str | None:
    """A new key of that environment if the database has no environment yet, else None.

    It is returned this once; the database keeps its hash.
    """
    if await engine.store.catalog.environments():
        return None
    key = new_key(environment, _bits)
    await admit(engine, pepper, key, environment)
    return key
