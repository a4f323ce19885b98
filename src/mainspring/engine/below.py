"""Putting new runs below the run whose code, or in whose name, triggers them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mainspring.engine import query
from mainspring.engine.live import Live
from mainspring.engine.owner import Owner
from mainspring.errors import Conflict, InvalidOptions
from mainspring.model import tracing
from mainspring.model.run import Run, Status, TriggerOptions
from mainspring.store.protocol import EnvironmentRow

DEPTH: Final = 100
"""How many levels of children a run may have below it."""


async def put(
    owner: Owner, env: EnvironmentRow, parent: str, options: Iterable[TriggerOptions]
) -> None:
    """Name the parent, its root and the depth in the options of its children; the awaited ones get
    its version, too.

    Raises: NotFound, Conflict when it is canceled, InvalidOptions beyond 100 generations.
    """
    live = owner.state.lives.get(parent)
    above: Live | Run
    if live is not None and live.env_id == env.env_id:
        above = live
    else:
        above = await query.one(owner, env, parent)
    if isinstance(above, Run) and above.status is Status.CANCELED:
        raise Conflict(f"Run {parent} is canceled; it takes no new children.")
    if above.depth >= DEPTH:
        raise InvalidOptions(
            f"Run {parent} stands {above.depth} levels below its root, the most there may be; "
            "trigger the next one from outside of a run, or go on with `continue_with`."
        )
    kept = above if isinstance(above, Run) else above.options
    trace = kept.trace if kept is not None else None
    root_id = above.root_id or parent
    for each in options:
        each.parent_id = parent
        each.root_id = root_id
        each.depth = above.depth + 1
        if each.awaited and each.version is None and each.deployment is None:
            each.version = above.version or None
            each.inherits = True
        each.trace = trace and tracing.below(trace, root_id, tracing.span_id(parent))
