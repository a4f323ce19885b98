"""OTLP over HTTP: what other programs tell of the runs that they work for."""

from __future__ import annotations

import asyncio
import zlib
from typing import Any, Final

from starlette.responses import Response

from mainspring.errors import CallerError, PayloadTooLarge
from mainspring.server.answers import json
from mainspring.server.asking import ask
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Handler, Route
from mainspring.wire import otlp, plain, protobuf
from mainspring.wire.measuring import Taken

PROTOBUF: Final = "application/x-protobuf"
LARGEST: Final = 2 * 1024 * 1024
"""Bytes of a body, also once it is unpacked."""
APART: Final = 32 * 1024
"""Beyond so many bytes a body is read beside the event loop."""
_REJECTED: Final = {
    "traces": "rejectedSpans",
    "logs": "rejectedLogRecords",
    "metrics": "rejectedDataPoints",
}


def _takes(what: str) -> Handler:
    async def take(exchange: Exchange) -> Response:
        """`POST /otel/v1/…`: as JSON or protobuf, also packed with gzip."""
        data = await exchange.body(LARGEST)
        packed = exchange.header("content-encoding") or "identity"
        form = (exchange.header("content-type") or "").partition(";")[0].strip()
        if len(data) > APART:
            found = await asyncio.to_thread(_read, what, data, form, packed)
        else:
            found = _read(what, data, form, packed)
        request, rejected, words = otlp.taken(what, found)
        answer = await ask(exchange, request, Taken)
        rejected, words = rejected + answer.rejected, words or answer.words
        if form == PROTOBUF:
            return Response(protobuf.partial(rejected, words), media_type=PROTOBUF)
        partial = {_REJECTED[what]: str(rejected), "errorMessage": words}
        return json({"partialSuccess": partial} if rejected else {})

    return take


def _read(what: str, data: bytes, form: str, packed: str) -> dict[str, Any]:
    """The request. Raises: CallerError, PayloadTooLarge."""
    if packed == "gzip":
        data = _unpacked(data)
    elif packed != "identity":
        raise CallerError(f"The content-encoding {packed[:40]!r} is not known; gzip or none is.")
    if form == PROTOBUF:
        return protobuf.read(data, what)
    if form != "application/json":
        raise CallerError(f"The content-type is {form[:60]!r}; {PROTOBUF} or JSON is expected.")
    found = plain.read(data, "body")
    if not isinstance(found, dict):
        raise CallerError("The body must be an object, as OTLP has it.")
    return found


def _unpacked(data: bytes) -> bytes:
    unpacking = zlib.decompressobj(wbits=31)
    try:
        found = unpacking.decompress(data, LARGEST + 1)
    except zlib.error as error:
        raise CallerError(f"The body is not packed with gzip: {error}.") from error
    if len(found) > LARGEST:
        raise PayloadTooLarge(f"The unpacked body has over {LARGEST:,} bytes; send less at once.")
    if not unpacking.eof:
        raise CallerError("The body is packed with gzip, and ends before its packing does.")
    return found


ROUTES: Final = tuple(
    Route("POST", f"/otel/v1/{what}", _takes(what), resource="metrics") for what in _REJECTED
)
