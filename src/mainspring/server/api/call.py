"""`POST /api/mainspring/v1/call`: what our SDK, commands and pages ask, as msgpack or as JSON."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
from starlette.responses import Response

from mainspring import ids
from mainspring.errors import CallerError, InvalidOptions, StoreUnavailable
from mainspring.model import limits
from mainspring.model.run import TriggerOptions
from mainspring.server import covering, permits
from mainspring.server.answers import JSON, MSGPACK, json, msgpack
from mainspring.server.api.tasks import MANY
from mainspring.server.asking import traced, trigger_all
from mainspring.server.exchange import Exchange
from mainspring.server.routes import ASKED, Route
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire import calls, plain
from mainspring.wire.operating import RunDetail, Trace
from mainspring.wire.options import MACHINES
from mainspring.wire.waitpoints import callback_path

_DECODE: Final = {
    MSGPACK: msgspec.msgpack.Decoder(calls.Request).decode,
    JSON: msgspec.json.Decoder(calls.Request).decode,
}
_ANSWER: Final = {MSGPACK: msgpack, JSON: json}
_REPEATABLE: Final = (
    calls.SendInput,
    calls.UpdateMetadata,
    calls.ReplayRun,
    calls.RestartRun,
    calls.CreateBatch,
)
"""What does its work once, however often a caller without an answer asks."""


async def call(exchange: Exchange) -> Response:
    """Answer one request of `wire.calls`."""
    form = JSON if exchange.header("content-type") == JSON else MSGPACK
    data = await exchange.body(MANY)
    try:
        request = _DECODE[form](data)
    except msgspec.ValidationError as error:
        raise CallerError(
            f"The request cannot be read: {error}. Give that field a value of the type it has; if "
            "it is one, run the same release on both sides."
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CallerError(
            f"The body is no request in {form}: {error}. Run the same release on both sides."
        ) from error
    return _ANSWER[form](await _answered(exchange, request))


async def _answered(exchange: Exchange, request: calls.Request) -> calls.Response:
    await covering.check(exchange, request)
    exchange.audited = permits.audited(request)
    if isinstance(request, calls.Trigger):
        for wanted in request.requests:
            _check(wanted.options, exchange.env)
        return await trigger_all(exchange, request)
    if isinstance(request, calls.AddItems):
        for item in request.items:
            _check(item.request.options, exchange.env)
        traced(exchange, [item.request.options for item in request.items])
    else:
        plain.write(request, "request")  # refuses NUL, which no database takes, wherever it is
    if isinstance(request, _REPEATABLE):
        request.request_key = request.request_key or exchange.repeat_key
    if isinstance(request, calls.Patient):
        return await _patiently(exchange, request)
    answer = await exchange.engine.answer(exchange.env, request)
    if isinstance(answer, RunDetail):
        return covering.visible(exchange.caller, answer)
    if isinstance(answer, Trace):
        return covering.traced(exchange.caller, answer)
    for token in answer.tokens if isinstance(answer, calls.TokenPage) else [answer]:
        if isinstance(token, calls.Token):
            _fill(exchange, token)
    return answer


def _fill(exchange: Exchange, token: calls.Token) -> None:
    """The address that completes a token is for those who may; so are the runs that wait for it."""
    if exchange.caller.can("write", "waitpoints"):
        key = exchange.pepper.callback(exchange.env.env_id)
        token.callback = callback_path(key, token.id)
    if not exchange.caller.can("read", "runs"):
        token.waiters = ()


async def _patiently(exchange: Exchange, request: calls.Patient) -> calls.Response:
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


ROUTES: Final = (
    Route("POST", "/api/mainspring/v1/call", call, public=True, lasts=True, resource=ASKED),
)
