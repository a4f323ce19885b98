"""Requests of running code on their way to the engine, over the link or in process. No retries."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import msgspec

from mainspring.errors import FencedOut, PayloadTooLarge, ServerUnreachable
from mainspring.sdk.context import running
from mainspring.wire.calls import RESPONSES, Fault, Request, Response, Trigger
from mainspring.wire.worker import Answer, Call, Execute, FromWorker, Welcome
from mainspring.worker.slots import Slots

CALL_LIMIT: Final = 12 * 1024 * 1024
"""Bytes of one call; a server takes messages of 16 MiB."""

_encode = msgspec.msgpack.Encoder().encode
_decode_fault = msgspec.msgpack.Decoder(Fault).decode
_decoders: dict[type[Any], Callable[[msgspec.Raw], Any]] = {
    request: msgspec.msgpack.Decoder(response).decode for request, response in RESPONSES.items()
}


class LinkTransport:
    """The SDK's transport inside a worker process: `Call` and `Answer` over the session's link.

    A call whose answer was lost with the connection is made again; new runs carry a key, so that
    the same ones are answered.
    """

    def __init__(
        self,
        session_id: str,
        slots: Slots,
        post: Callable[[FromWorker], None],
        undelivered: Callable[[], Iterable[FromWorker]],
    ) -> None:
        self.environment = "dev"
        self.loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        self._session_id = session_id
        self._slots = slots
        self._post = post
        self._undelivered = undelivered
        self._number = 0
        self._open: dict[int, tuple[Call, asyncio.Future[Answer]]] = {}
        self._closed = False

    async def call(self, request: Request) -> Response:
        return await self.ask(request, caller(self._slots))

    async def ask(self, request: Request, order: Execute | None) -> Response:
        """Answer a request of the code of that run; None = of code outside of every run."""
        self._number += 1
        number = self._number
        if isinstance(request, Trigger) and request.key is None:
            self._give_keys(request, number)
        body = _encode(request)
        if len(body) > CALL_LIMIT:
            raise PayloadTooLarge(
                f"One call has {len(body):,} bytes; {CALL_LIMIT:,} fit through a worker's link. "
                "Send a batch in several parts."
            )
        call = Call(number, msgspec.Raw(body))
        if order is not None:
            call.run_id, call.epoch = order.run_id, order.epoch
        answer = await self._exchanged(call)
        if not answer.ok:
            raise _decode_fault(answer.body).error()
        response: Response = _decoders[type(request)](answer.body)
        return response

    async def forward(self, call: Call) -> Answer:
        """Pass on what another process of this session asks, under a number of ours.

        Raises: ServerUnreachable, FencedOut when the session is over.
        """
        self._number += 1
        answer = await self._exchanged(Call(self._number, call.body, call.run_id, call.epoch))
        return Answer(call.call_id, answer.ok, answer.body)

    async def _exchanged(self, call: Call) -> Answer:
        """Send, and wait for the answer."""
        if self._closed:
            raise ServerUnreachable("This worker session is over; nothing can be asked any more.")
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._open[call.call_id] = call, future
        try:
            self._post(call)
            return await future
        finally:
            del self._open[call.call_id]

    async def close(self) -> None:
        self.end(ServerUnreachable("This worker session is over; its code must end."))

    def end(self, error: Exception) -> None:
        """Answer whoever still waits with this error, and refuse new requests."""
        self._closed = True
        for _, future in self._open.values():
            if not future.done():
                future.set_exception(error)

    def answered(self, answer: Answer) -> None:
        """An answer has come; a second one to the same call is dropped."""
        found = self._open.get(answer.call_id)
        if found is not None and not found[1].done():
            found[1].set_result(answer)

    def welcomed(self, welcome: Welcome) -> None:
        """The link is there (again): ask anew what the server had received but not answered."""
        self.environment = welcome.environment
        if self._open:
            coming = {m.call_id for m in self._undelivered() if isinstance(m, Call)}
            for number, (call, _) in list(self._open.items()):
                if number not in coming:
                    self._post(call)

    def _give_keys(self, request: Trigger, number: int) -> None:
        for index, item in enumerate(request.requests):
            if item.options.request_key is None:
                item.options.request_key = f"{self._session_id}-{number}-{index}"


class LocalTransport:
    """The SDK's transport beside an engine in the same event loop: structs as they are."""

    def __init__(
        self,
        answer: Callable[[Request, str | None, int], Awaitable[Response]],
        slots: Slots,
        environment: str = "dev",
    ) -> None:
        self.environment = environment
        self.loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        self._answer = answer
        self._slots = slots

    async def call(self, request: Request) -> Response:
        return await self.ask(request, caller(self._slots))

    async def ask(self, request: Request, order: Execute | None) -> Response:
        """Answer a request of the code of that run; None = of code outside of every run."""
        if order is None:
            return await self._answer(request, None, 0)
        return await self._answer(request, order.run_id, order.epoch)

    async def close(self) -> None:
        """Nothing to give up."""


def caller(slots: Slots) -> Execute | None:
    """The order of the run whose code asks; None outside of every run.

    Raises: FencedOut when its attempt is not this session's (any more).
    """
    ctx = running.get()
    if ctx is None:
        return None
    run = slots.owner(ctx)
    if run is None:
        raise FencedOut(
            f"Attempt {ctx.attempt} of run {ctx.run_id} has ended or was taken over; code that it "
            "left behind cannot ask for anything."
        )
    return run.order
