"""Tags of the current run."""

from __future__ import annotations

from typing import Final

from mainspring.errors import InvalidOptions
from mainspring.model.limits import TAGS, check_tags
from mainspring.sdk import metadata
from mainspring.sdk.context import current
from mainspring.sdk.runs import add_tags

_ADDED: Final = object()
"""Under which the context keeps the tags that this attempt has added."""


async def add(*tags: str) -> None:
    """Add tags to the run that this code belongs to; a run has at most 10. Returns once stored.

    Left out while the run is replayed from its journal. Raises: Misplaced outside a run,
    InvalidOptions for too many.
    """
    ctx = current()
    check_tags(tags)
    if ctx.open_journal is None:
        await add_tags(ctx.run_id, *tags)
        return
    if ctx.replaying:
        return
    known = dict.fromkeys((*ctx.tags, *ctx.locals.get(_ADDED, ())))
    new = tuple(tag for tag in dict.fromkeys(tags) if tag not in known)
    if len(known) + len(new) > TAGS:
        raise InvalidOptions(
            f"Run {ctx.run_id} has {len(known)} tags and was given {len(new)} more; a run takes at "
            f"most {TAGS}."
        )
    if new:
        ctx.locals[_ADDED] = (*ctx.locals.get(_ADDED, ()), *new)
        metadata.say(ctx, [], new)
        await metadata.flush(ctx)
