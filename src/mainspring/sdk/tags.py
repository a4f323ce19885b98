"""Tags of the current run."""

from __future__ import annotations

from mainspring.sdk.context import current
from mainspring.sdk.runs import add_tags


async def add(*tags: str) -> None:
    """Add tags to the run that this code belongs to; a run has at most 10.

    Raises: Misplaced outside a run, InvalidOptions for too many.
    """
    await add_tags(current().run_id, *tags)
