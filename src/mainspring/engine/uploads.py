"""Payloads that were uploaded before the trigger: fetched and decoded. No checks of tasks."""

from __future__ import annotations

from typing import Final

from mainspring.engine.state import State
from mainspring.errors import InvalidPayload
from mainspring.model.limits import DAY_MS
from mainspring.store.objects import Objects
from mainspring.wire import packets

KEPT_MS: Final = DAY_MS
"""How long an upload can be triggered with."""


async def payload_at(state: State, objects: Objects, env_id: int, path: str) -> str:
    """The payload (JSON text) that lies there.

    Raises: InvalidPayload when nothing does, also for the path of another environment, and for
    content that is not what its type says.
    """
    kept = await objects.kept((state.shard_id, env_id), path)
    if kept is None:
        raise InvalidPayload(
            f"No payload lies at {path[:200]!r} in this environment. Ask PUT /api/v2/packets/… for "
            "an address, upload to it, and trigger within a day.",
            details=[{"path": "payload", "message": "nothing was uploaded there"}],
        )
    return packets.decode_upload(kept.text, kept.type)
