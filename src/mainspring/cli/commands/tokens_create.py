"""`mainspring tokens create`: something that runs can wait for."""

from __future__ import annotations

import click

from mainspring.cli import moments
from mainspring.cli.connection import Talk, talking
from mainspring.cli.finding import token_url
from mainspring.wire.calls import CreateToken


@click.command("create")
@click.option("--timeout", help="It times out after 10m, 1h30m, or at 2026-05-01T09:00.")
@click.option("--idempotency-key", help="A second token with the same key is the same one.")
@click.option("--idempotency-ttl", help="How long that key holds; 30d if not given.")
@click.option("--tag", multiple=True, help="A tag; give the option again for more.")
@talking
async def command(
    talk: Talk,
    *,
    timeout: str | None,
    idempotency_key: str | None,
    idempotency_ttl: str | None,
    tag: tuple[str, ...],
) -> None:
    """Make a token that runs can wait for; print its id and the address that completes it.

    Whoever knows the address can complete the token, without a key: POST any JSON to it.
    """
    timeout_ms, timeout_at = (
        (None, None) if timeout is None else moments.delay(timeout, "--timeout")
    )
    ttl_ms = moments.duration(idempotency_ttl, "--idempotency-ttl")
    request = CreateToken(timeout_ms, timeout_at, idempotency_key, ttl_ms, tag)
    token = await talk.ask(request)
    talk.out.one(
        {"id": token.id, "isCached": token.cached, "url": token_url(talk, token)},
        {
            "token": lambda item: f"{item['id']}{' (an earlier one)' if item['isCached'] else ''}",
            "address": lambda item: str(item["url"]),
        },
        ident="id",
    )
    talk.out.note(f"Next: mainspring tokens complete {token.id} '{{\"ok\": true}}'")
