"""Answers about failed runs that are alike: listed, shown, and what people say of them."""

from __future__ import annotations

from typing import Final

from mainspring.engine.owner import Owner
from mainspring.errors import InvalidOptions, NotFound
from mainspring.store.observing import FaultRow
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire.observing import ErrorGroup, ErrorPage, ListErrors

PAGE_LIMIT: Final = 100
LOOKED_AT: Final = 500
"""Groups that one page looks through for those that are wanted."""
STATUSES: Final = ("new", "regressed", "resolved", "muted")
MARKS: Final = ("new", "resolved", "muted")
_END: Final = 1 << 62


async def page(owner: Owner, env: EnvironmentRow, wanted: ListErrors) -> ErrorPage:
    """One page of groups, the latest failure first. Raises: InvalidOptions."""
    unknown = set(wanted.status) - set(STATUSES)
    if unknown:
        raise InvalidOptions(f"status must be one of {', '.join(STATUSES)}; not {min(unknown)!r}.")
    limit = max(1, min(wanted.limit, PAGE_LIMIT))
    looked_at = LOOKED_AT if wanted.status or wanted.task is not None else limit
    rows = await owner.store.runs.observing.faults(
        owner.state.shard_id, env.env_id, _place(wanted.after), looked_at + 1
    )
    more, rows = len(rows) > looked_at, rows[:looked_at]
    found = [row for row in rows if _fits(row, wanted)]
    if len(found) > limit:
        found, more = found[:limit], True
        rows = found
    return ErrorPage([_shown(row) for row in found], next=_cursor(rows[-1]) if more else None)


async def one(owner: Owner, env: EnvironmentRow, id_: str) -> ErrorGroup:
    """One group. Raises: NotFound."""
    row = None
    if id_.isascii() and id_.isalnum():
        shard_id, observing = owner.state.shard_id, owner.store.runs.observing
        row = await observing.fault(shard_id, env.env_id, id_)
    if row is None:
        raise NotFound(f"No group of errors {id_[:40]!r} in this environment.")
    return _shown(row)


async def mark(owner: Owner, env: EnvironmentRow, id_: str, status: str) -> ErrorGroup:
    """Keep what people say of a group. Raises: InvalidOptions, NotFound."""
    if status not in MARKS:
        raise InvalidOptions(f"status must be one of {', '.join(MARKS)}; not {status[:40]!r}.")
    await one(owner, env, id_)
    await owner.store.runs.observing.mark_fault(
        owner.state.shard_id, owner.epoch, env.env_id, id_, status, owner.state.clock.now()
    )
    return await one(owner, env, id_)


def _fits(row: FaultRow, wanted: ListErrors) -> bool:
    if wanted.status and row.status not in wanted.status:
        return False
    return wanted.task is None or row.task == wanted.task


def _cursor(row: FaultRow) -> str:
    return f"{row.last_at}.{row.fingerprint}"


def _place(after: str | None) -> tuple[int, str]:
    """Where a page begins. Raises: InvalidOptions."""
    if after is None:
        return _END, ""
    at, _, fingerprint = after.partition(".")
    if not (at.isascii() and at.isdigit() and len(at) < 16 and fingerprint.isalnum()):
        raise InvalidOptions(f"after: {after[:60]!r} is no cursor of a page.")
    return int(at), fingerprint


def _shown(row: FaultRow) -> ErrorGroup:
    return ErrorGroup(
        row.fingerprint,
        row.task,
        row.name,
        row.message,
        row.status,
        row.found,
        row.first_at,
        row.last_at,
        row.first_run,
        row.last_run,
        row.place,
        row.first_version,
        row.last_version,
        row.marked_at or None,
    )
