"""One request as a handler sees it: parameters, headers, query, bounded body. No routes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope

from mainspring.clock import Clock
from mainspring.errors import CallerError, PayloadTooLarge
from mainspring.model.pepper import Pepper
from mainspring.model.scope import Resource
from mainspring.server.caller import Admitted
from mainspring.server.port import EnginePort
from mainspring.server.watch.hub import Hub
from mainspring.wire import plain, tokens, words
from mainspring.wire.triggers import key_of_request

BODY: Final = 64 * 1024
"""The limit of a body that carries options only."""
BODY_S: Final = 30.0
"""A body must have arrived by then."""
_FIELDS: Final = 100
REQUEST_KEY: Final = "x-trigger-request-idempotency-key"


class Exchange:
    """A request whose caller is known, and what answers it.

    `signing_key` signs the environment's public tokens.
    """

    realtime: Hub

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        parameters: tuple[str, ...],
        admitted: Admitted,
        engine: EnginePort,
        clock: Clock,
        stopping: asyncio.Event,
        pepper: Pepper,
    ) -> None:
        self.scope = scope
        self.receive = receive
        self.parameters = parameters
        self.caller = admitted.caller
        self.env = admitted.env
        self.engine = engine
        self.clock = clock
        self.stopping = stopping
        self.signing_key = admitted.signing
        self.pepper = pepper
        self.audited: tuple[str, str] | None = None

    @cached_property
    def headers(self) -> dict[bytes, bytes]:
        """By name in lower case; of a repeated one the last."""
        return dict(self.scope["headers"])

    def header(self, name: str) -> str | None:
        """A header's text, or None."""
        value = self.headers.get(name.encode())
        return None if value is None else value.decode("latin-1")

    @property
    def environment_id(self) -> str:
        """How public JSON and tokens name the environment."""
        return f"env_{self.env.env_id}"

    @property
    def origin(self) -> str:
        """Scheme and host of this server as the caller sees them, also through a proxy."""
        scheme = self.header("x-forwarded-proto")
        if scheme not in ("http", "https"):
            scheme = self.scope["scheme"]
        return f"{scheme}://{self.header('host')}"

    @property
    def version(self) -> str | None:
        """The version of the API that the client speaks."""
        return self.header(words.VERSION_HEADER)

    @property
    def request_key(self) -> str | None:
        """What is the same over the repeats of this request."""
        return self.header(REQUEST_KEY) or None

    @property
    def repeat_key(self) -> str | None:
        """The same as `request_key`, but always short."""
        key = self.request_key
        return None if key is None else key_of_request("", key, 0)

    @cached_property
    def query(self) -> dict[str, str]:
        """The query; the values of a repeated name are joined by commas. Raises: CallerError."""
        text = self.scope["query_string"].decode("latin-1")
        try:
            pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
        except ValueError as error:
            raise CallerError(f"The query cannot be read: {error}.") from error
        found: dict[str, str] = {}
        for name, value in pairs:
            found[name] = f"{found[name]},{value}" if name in found else value
        return found

    def allow(self, action: str, *resources: Resource) -> None:
        """Let the caller go on if it may do this to any of these `(type, id)`; the id "" is
        everything of that type.

        Public tokens and limited keys have scopes; a person's role was looked at before. Raises:
        Forbidden.
        """
        self.caller.allow(action, resources)

    def allow_all(self, action: str, resources: Iterable[Resource]) -> None:
        """The same for several different things, which must all be covered. Raises: Forbidden."""
        self.caller.allow_all(action, resources)

    def note(self, what: str, target: str = "") -> None:
        """Have it said in the audit log, once this request has succeeded."""
        self.audited = (what, target)

    def token_headers(self, scopes: Sequence[str], life_s: int = tokens.HOUR_S) -> dict[str, str]:
        """The public token that SDKs of the wire contract expect beside an answer, and fail
        without; others get none.
        """
        if self.header("trigger-version") is None:
            return {}
        return {
            tokens.HEADER: tokens.token(
                self.signing_key,
                self.environment_id,
                scopes,
                self.clock.now() // 1000,
                life_s,
                made_by=self.caller.key_id,
            ),
            tokens.CLAIMS_HEADER: tokens.claims_header(self.environment_id),
        }

    async def body(self, limit: int = BODY) -> bytes:
        """The whole body. Raises: PayloadTooLarge over `limit` bytes, CallerError when it ends
        early or is late.
        """
        said = self.headers.get(b"content-length", b"")
        if said.isdigit() and int(said) > limit:
            raise _too_large(int(said), limit)
        parts: list[bytes] = []
        size, more = 0, True
        try:
            async with asyncio.timeout(BODY_S):
                while more:
                    message = await self.receive()
                    if message["type"] == "http.disconnect":
                        raise CallerError("The connection ended before the body did.")
                    part = message.get("body", b"")
                    more = message.get("more_body", False)
                    size += len(part)
                    if size > limit:
                        raise _too_large(size, limit)
                    parts.append(part)
        except TimeoutError as error:
            raise CallerError(f"The body did not arrive within {BODY_S:.0f} s.") from error
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def json(self, limit: int = BODY) -> Any:
        """The body as JSON. Raises: as `body`, and CallerError for other text."""
        return plain.read(await self.body(limit), "body")

    async def json_or_nothing(self, limit: int = BODY) -> Any:
        """The body as JSON; an empty one is an empty object. Raises: as `json`."""
        data = await self.body(limit)
        return plain.read(data, "body") if data.strip() else {}


def _too_large(size: int, limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"The body has {size:,} bytes or more; this request takes at most {limit:,}."
    )
