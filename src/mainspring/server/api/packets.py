"""Large payloads and outputs: where to put and get them, and putting and getting."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.responses import Response

from mainspring.errors import CallerError, InvalidPayload, NotFound, PayloadTooLarge
from mainspring.model.run import PAYLOAD_LIMIT, Run
from mainspring.server import answers, signed
from mainspring.server.answers import json
from mainspring.server.asking import ask, covered
from mainspring.server.exchange import BODY_S, Exchange
from mainspring.server.guard import Refusal
from mainspring.server.routes import Route
from mainspring.wire import calls, packets

_GUARD: Final = {"x-content-type-options": "nosniff", "cache-control": "private, no-store"}


async def place(exchange: Exchange) -> Response:
    """`PUT /api/v2/packets/{path}`, and v1: where to upload a payload."""
    path = packets.checked_path(exchange.parameters[0])
    if packets.run_of(path) is not None:
        raise CallerError(f"{path!r} is the place of a run's own data; upload to another path.")
    url = await address(exchange, "PUT", path)
    return json({"presignedUrl": url, "storagePath": path})


async def find(exchange: Exchange) -> Response:
    """`GET /api/v1/packets/{path}`: where to read an upload, or the data of a run."""
    path = packets.checked_path(exchange.parameters[0])
    found = packets.run_of(path)
    if found is None:
        exchange.allow("read", ("packets", path))
    else:
        await covered(exchange, "read", found[0])
    return json({"presignedUrl": await address(exchange, "GET", path)})


async def of_run(exchange: Exchange) -> Response:
    """`GET /api/v1/runs/{run}/packets/{name}`: where to read its payload or output."""
    run_id, name = exchange.parameters
    if name not in packets.NAMES:
        raise NotFound(f"A run has a payload and an output; {name[:60]!r} is neither.")
    _text(await covered(exchange, "read", run_id), name)
    path = packets.path_of(run_id, name)
    return json({"presignedUrl": await address(exchange, "GET", path)})


async def upload(exchange: Exchange) -> Response:
    """`PUT /api/v1/signed/{place}/{path}`: the payload itself."""
    env, path = exchange.env, exchange.parameters[1]
    type_ = packets.upload_type(exchange.header("content-type"))
    if type_ is None:
        told = f"Content-Type must be one of {', '.join(packets.UPLOADED)}."
        return answers.refused(Refusal(415, told))
    place = env.shard_id, env.env_id
    now = exchange.clock.now()
    await exchange.engine.objects.keep(place, path, type_, _texts(exchange, PAYLOAD_LIMIT), now)
    return Response(status_code=200)


async def download(exchange: Exchange) -> Response:
    """`GET /api/v1/signed/{place}/{path}`: an upload as it came, or the data of a run as JSON."""
    env, path = exchange.env, exchange.parameters[1]
    found = packets.run_of(path)
    if found is not None:
        run = await ask(exchange, calls.Retrieve(found[0]), Run)
        return Response(_text(run, found[1]), 200, _GUARD, answers.JSON)
    kept = await exchange.engine.objects.kept((env.shard_id, env.env_id), path)
    if kept is None:
        raise NotFound(f"Nothing lies at {path[:200]!r}; uploads are kept for a day.")
    return Response(kept.text, 200, _GUARD | {"content-type": kept.type})


async def lighten(exchange: Exchange, run: Run, shown: dict[str, Any]) -> dict[str, Any]:
    """The run as it is shown, with addresses in place of a payload and output over 512 KiB."""
    for name in packets.NAMES:
        if name in shown and packets.is_large(getattr(run, name)):
            del shown[name]
            url = await address(exchange, "GET", packets.path_of(run.id, name))
            shown[f"{name}PresignedUrl"] = url
    return shown


async def address(exchange: Exchange, method: str, path: str) -> str:
    """A signed address on this server, as it is seen from where the request came from."""
    signed_by = exchange.pepper.callback(exchange.env.env_id)
    now = exchange.clock.now()
    return exchange.origin + signed.location(signed_by, exchange.env, method, path, now)


def _text(run: Run, name: str) -> str:
    text: str | None = getattr(run, name)
    if text is None:
        raise NotFound(f"Run {run.id} has no {name}.")
    return text


async def _texts(exchange: Exchange, limit: int) -> AsyncIterator[str]:
    """The body piece by piece, as text.

    Raises: PayloadTooLarge; InvalidPayload for what is not UTF-8 or holds NUL, which databases
    cannot store; CallerError when it ends early or is late.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    late = asyncio.get_running_loop().time() + BODY_S
    size, more = 0, True
    while more:
        try:
            async with asyncio.timeout_at(late):
                message = await exchange.receive()
        except TimeoutError as error:
            raise CallerError(f"The body did not arrive within {BODY_S:.0f} s.") from error
        if message["type"] == "http.disconnect":
            raise CallerError("The connection ended before the body did.")
        part, more = message.get("body", b""), message.get("more_body", False)
        size += len(part)
        if size > limit:
            raise PayloadTooLarge(
                f"The upload has {size:,} bytes or more; at most {limit:,} fit. Store it elsewhere "
                "and send a reference."
            )
        try:
            text = decoder.decode(part, final=not more)
        except UnicodeDecodeError as error:
            raise InvalidPayload(f"The upload is not UTF-8: {error.reason}.") from error
        if "\0" in text:
            raise InvalidPayload("The upload holds a NUL character; remove it.")
        if text:
            yield text


_SIGNED: Final = "/api/v1/signed/{place}/{path}"
ROUTES: Final = (
    Route("PUT", "/api/v2/packets/{path}", place, resource="packets", gives=packets.UploadPlace),
    Route("PUT", "/api/v1/packets/{path}", place, resource="packets", gives=packets.UploadPlace),
    Route(
        "GET",
        "/api/v1/packets/{path}",
        find,
        public=True,
        resource="packets",
        gives=packets.PacketPlace,
    ),
    Route(
        "GET", "/api/v1/runs/{run}/packets/{name}", of_run, public=True, gives=packets.PacketPlace
    ),
    Route("PUT", _SIGNED, upload, signed=True, resource="packets"),
    Route("GET", _SIGNED, download, signed=True, resource="packets"),
)
