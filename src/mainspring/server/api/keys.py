"""Secret keys of an environment and the audit log, for admins. A key itself manages no keys."""

from __future__ import annotations

from typing import Final

from msgspec import UNSET, UnsetType
from starlette.responses import Response

from mainspring.errors import CallerError, Forbidden
from mainspring.model.audit import Link
from mainspring.model.duration import milliseconds
from mainspring.server.answers import json
from mainspring.server.exchange import Exchange
from mainspring.server.keybook import KeyBook
from mainspring.server.routes import Route
from mainspring.store.access import AuditLog, KeyRow
from mainspring.wire import access
from mainspring.wire.access import AuditPage, KeyList, MakeKey, RotateKey, ShownEntry, ShownKey
from mainspring.wire.moments import iso

PAGE: Final = 100


async def page(exchange: Exchange) -> Response:
    """`GET /api/mainspring/v1/keys`."""
    _only_people(exchange)
    rows = await exchange.engine.access.keys(exchange.env.env_id)
    return json(KeyList([shown(row, exchange.env.slug) for row in rows]))


async def create(exchange: Exchange) -> Response:
    """`POST /api/mainspring/v1/keys`: its text is in this answer only."""
    book = _book(exchange)
    wanted = access.read(await exchange.json_or_nothing(), MakeKey)
    ends = None
    if wanted.expires_in is not UNSET:
        ends = exchange.clock.now() + milliseconds(str(wanted.expires_in), "expiresIn")
    row, key = await book.create(exchange.env, wanted.label, wanted.scopes, ends)
    return json(shown(row, exchange.env.slug, key), 201)


async def rotate(exchange: Exchange) -> Response:
    """`POST /api/mainspring/v1/keys/{key}/rotate`."""
    book = _book(exchange)
    wanted = access.read(await exchange.json_or_nothing(), RotateKey)
    grace_ms = milliseconds(wanted.grace, "grace")
    row, key = await book.rotate(exchange.env, exchange.parameters[0], grace_ms)
    return json(shown(row, exchange.env.slug, key), 201)


async def revoke(exchange: Exchange) -> Response:
    """`POST /api/mainspring/v1/keys/{key}/revoke`."""
    row = await _book(exchange).revoke(exchange.env, exchange.parameters[0])
    return json(shown(row, exchange.env.slug))


async def audit(exchange: Exchange) -> Response:
    """`GET /api/mainspring/v1/audit`: what was done in this environment, the oldest first, or with
    `before` the newest.
    """
    _only_people(exchange)
    newest = "before" in exchange.query
    place = exchange.query.get("before" if newest else "after", "0")
    if not place.isascii() or not place.isdigit() or len(place) > 15:
        raise CallerError("Query Error: after and before: expected the number of an entry.")
    links, more = await (_newest if newest else _oldest)(exchange.engine.access.log, int(place))
    rows = [link for link in links if link.env_id == exchange.env.env_id]
    entries = [
        ShownEntry(
            link.number, iso(link.at), link.who, link.what,
            exchange.env.slug, link.target, link.origin, link.request_id,
        )
        for link in rows
    ]  # fmt: skip
    return json(AuditPage(entries, more))


async def _oldest(log: AuditLog, after: int) -> tuple[list[Link], int | UnsetType]:
    links = await log.page(after, PAGE + 1)
    return links[:PAGE], links[PAGE - 1].number if len(links) > PAGE else UNSET


async def _newest(log: AuditLog, before: int) -> tuple[list[Link], int | UnsetType]:
    """The same before that number, 0 for the end: the numbers have no gaps."""
    head = await log.head()
    last = before - 1 if before else head.number if head is not None else 0
    first = max(last - PAGE, 0)
    links = await log.page(first, last - first) if last > first else []
    return links[::-1], first + 1 if first else UNSET


def shown(row: KeyRow, slug: str, key: str = "") -> ShownKey:
    """A key as people see it."""
    return ShownKey(
        id=row.key_id,
        label=row.label,
        last_four=row.last_four,
        environment=slug,
        created_at=iso(row.created_at),
        scopes=row.scopes.split(),
        last_used_at=UNSET if row.used_at is None else iso(row.used_at),
        expires_at=UNSET if row.expires_at is None else iso(row.expires_at),
        revoked_at=UNSET if row.revoked_at is None else iso(row.revoked_at),
        key=key or UNSET,
    )


def _book(exchange: Exchange) -> KeyBook:
    _only_people(exchange)
    client = exchange.scope["client"]
    return KeyBook(
        exchange.engine.access,
        exchange.pepper,
        exchange.clock.now(),
        exchange.caller.name,
        client[0] if client else "",
        exchange.scope["request_id"],
    )


def _only_people(exchange: Exchange) -> None:
    """Who has stolen a key must not be able to make another one."""
    if exchange.caller.kind != "person":
        raise Forbidden(
            "Unauthorized: keys are managed by people, with a personal token, or on the server's "
            "machine with `mainspring keys`."
        )


_KEYS: Final = "/api/mainspring/v1/keys"
ROUTES: Final = (
    Route("GET", _KEYS, page, gives=KeyList),
    Route("POST", _KEYS, create, takes=MakeKey, gives=ShownKey, status=201),
    Route("POST", f"{_KEYS}/{{key}}/rotate", rotate, takes=RotateKey, gives=ShownKey, status=201),
    Route("POST", f"{_KEYS}/{{key}}/revoke", revoke, gives=ShownKey),
    Route("GET", "/api/mainspring/v1/audit", audit, gives=AuditPage),
)
