"""The first key of a server: from the environment, or made once. Keys are kept as hashes only."""

from __future__ import annotations

import random
from typing import Final

from mainspring.engine.engine import Engine
from mainspring.errors import Unauthorized
from mainspring.model.key import check_key, key_hash, new_key
from mainspring.store.protocol import EnvironmentRow

VARIABLE: Final = "MAINSPRING_SECRET_KEY"


async def admit(engine: Engine, key: str, environment: str = "") -> EnvironmentRow:
    """Make the environment that the key names, and the key valid. Repeating it does nothing.

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
    catalog = engine.store.catalog
    await catalog.add_key(key_hash(key), env.env_id, "first key", engine.clock.now())
    return env


async def first_key(engine: Engine, environment: str) -> str | None:
    """A new key of that environment if the database has no environment yet, else None.

    It is returned this once; the database keeps its hash.
    """
    if await engine.store.catalog.environments():
        return None
    key = new_key(environment, random.SystemRandom())
    await admit(engine, key, environment)
    return key
