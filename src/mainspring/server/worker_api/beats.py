"""The posts of a worker beside its link: a sign of life from a thread of its own, and a death."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.responses import Response

from mainspring.errors import CallerError
from mainspring.server.answers import json
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Route
from mainspring.wire.beats import BEAT, LOST, Known, Named, decode_named

_LIMIT: Final = 1024


async def beat(exchange: Exchange) -> Response:
    """The session lives; the answer says whether it is still one."""
    session_id = (await _named(exchange)).session_id
    known = exchange.engine.beat(exchange.env, session_id)
    return json(Known(known if isinstance(known, bool) else await known))


async def lost(exchange: Exchange) -> Response:
    """The session's process is dead."""
    named = await _named(exchange)
    told = exchange.engine.lost(exchange.env, named.session_id, named.how)
    if told is not None:
        await told
    return json(Known(True))


async def _named(exchange: Exchange) -> Named:
    try:
        return decode_named(await exchange.body(_LIMIT))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CallerError(f'The body must be JSON with "session_id": {error}.') from error


ROUTES: Final = (Route("POST", BEAT, beat), Route("POST", LOST, lost))
