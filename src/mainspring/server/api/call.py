"""`POST /api/mainspring/v1/call`: what our own SDK and commands ask, as msgpack, over one route."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
from starlette.responses import Response

from mainspring import ids
from mainspring.errors import CallerError, InvalidOptions, StoreUnavailable
from mainspring.model import limits
from mainspring.model.run import TriggerOptions
from mainspring.server.answers import msgpack
from mainspring.server.api.tasks import MANY
from mainspring.server.asking import trigger
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Route
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire import calls
from mainspring.wire.options import MACHINES

_decode: Final = msgspec.msgpack.Decoder(calls.Request).decode


async def call(exchange: Exchange) -> Response:
    """Answer one request of `wire.calls`."""
    data = await exchange.body(MANY)
    try:
        request = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CallerError(
            f"The body is no request in msgpack: {error}. Run the same release on both sides."
        ) from error
    if isinstance(request, calls.Trigger):
        for wanted in request.requests:
            _check(wanted.options, exchange.env)
        return msgpack(calls.Triggered(await trigger(exchange, request.requests)))
    if isinstance(request, calls.SendInput | calls.UpdateMetadata):
        request.request_key = request.request_key or exchange.repeat_key
    if isinstance(request, calls.AwaitRun):
        return msgpack(await _patiently(exchange, request))
    return msgpack(await exchange.engine.answer(exchange.env, request))


async def _patiently(exchange: Exchange, request: calls.AwaitRun) -> calls.Response:
    """A long answer, given up when nobody waits for it any more or this server stops."""
    answer = asyncio.ensure_future(exchange.engine.answer(exchange.env, request))
    gone = asyncio.ensure_future(exchange.receive())
    stopping = asyncio.ensure_future(exchange.stopping.wait())
    ends = (answer, gone, stopping)
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        raise StoreUnavailable("this server is stopping, or the caller has gone")
    finally:
        for end in ends:
            end.cancel()
        await asyncio.gather(*ends, return_exceptions=True)


def _check(options: TriggerOptions, env: EnvironmentRow) -> None:
    """Refuse ids and texts that the engine takes as they are. Raises: InvalidOptions."""
    for id_, prefix in ((options.run_id, "run"), (options.batch_id, "batch")):
        if id_ is not None and not _is_id(id_, prefix, env.shard_id):
            raise InvalidOptions(f"{id_[:60]!r} is no {prefix} id of this environment.")
    for text, name, limit in (
        (options.request_key, "request_key", limits.NAME_LENGTH),
        (options.parent_id, "parent_id", limits.NAME_LENGTH),
        (options.replay_of, "replay_of", limits.NAME_LENGTH),
        (options.idempotency_shown, "idempotency_shown", limits.KEY_LENGTH),
    ):
        if text is not None:
            limits.check_text(text, name, limit)
    if options.machine is not None and options.machine not in MACHINES:
        raise InvalidOptions(f"machine must be one of {', '.join(MACHINES)}.")
    # whose child a run is, the engine works out from the parent
    options.root_id, options.depth = None, 0


def _is_id(text: str, prefix: str, shard: int) -> bool:
    try:
        return text.startswith(f"{prefix}_") and ids.shard_of(text) == shard
    except ValueError:
        return False


ROUTES: Final = (Route("POST", "/api/mainspring/v1/call", call),)
