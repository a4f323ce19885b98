"""Answers about tokens, inputs, events and metadata: checks, then the verb. No rules of theirs."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Final, assert_never

import msgspec

from mainspring.engine import query
from mainspring.engine.event import EmitCall
from mainspring.engine.metadata import UpdateCall
from mainspring.engine.owner import Owner
from mainspring.engine.send import SendCall
from mainspring.engine.token import CompleteCall, CreateCall
from mainspring.engine.wait import no_token
from mainspring.errors import Conflict, InvalidOptions
from mainspring.ids import shard_of
from mainspring.model import limits, metadata
from mainspring.model.run import INLINE_LIMIT, Run
from mainspring.store.protocol import EnvironmentRow
from mainspring.store.waiting import WaitpointRow
from mainspring.wire import calls

STATUSES: Final = ("waiting", "completed", "timed_out")
PAGE_LIMIT: Final = 100
FILTERS: Final = 100
OPS: Final = 1_000
TARGETS: Final = ("self", "parent", "root")

_texts: Final = msgspec.json.Decoder(tuple[str, ...]).decode


Request = (
    calls.CreateToken
    | calls.GetToken
    | calls.CompleteToken
    | calls.ListTokens
    | calls.SendInput
    | calls.EmitEvent
    | calls.UpdateMetadata
)


async def answer(
    owner: Owner, env: EnvironmentRow, request: Request
) -> calls.Token | calls.TokenPage | calls.Sent | Run:
    """Answer one of these requests. Raises: as the function that answers it."""
    match request:
        case calls.CreateToken():
            return await create_token(owner, env, request)
        case calls.GetToken():
            return await get_token(owner, env, request.token_id)
        case calls.CompleteToken():
            return await complete_token(owner, env, request)
        case calls.ListTokens():
            return await list_tokens(owner, env, request)
        case calls.SendInput():
            return await send_input(owner, env, request)
        case calls.EmitEvent():
            return await emit_event(owner, env, request)
        case calls.UpdateMetadata():
            return await update_metadata(owner, env, request)
        case _:
            assert_never(request)


async def create_token(
    owner: Owner, env: EnvironmentRow, request: calls.CreateToken
) -> calls.Token:
    """Make a token, or find the one that holds the idempotency key. Raises: InvalidOptions."""
    if request.timeout_ms is not None and request.timeout_at is not None:
        raise InvalidOptions("a token takes a timeout as a duration or as a date, not both.")
    for number, name, low in (
        (request.timeout_ms, "timeout", 0),
        (request.timeout_at, "timeout", 0),
        (request.idempotency_ttl_ms, "idempotency_ttl", 1),
    ):
        if number is not None:
            limits.check_number(number, name, low, limits.LONGEST_MS)
    if request.idempotency_key is not None:
        check_key(request.idempotency_key)
    tags = tuple(dict.fromkeys(request.tags))
    limits.check_tags(tags)
    future: asyncio.Future[tuple[str, bool]] = asyncio.get_running_loop().create_future()
    owner.submit(
        CreateCall(
            env.env_id,
            request.timeout_ms,
            request.timeout_at,
            request.idempotency_key,
            request.idempotency_ttl_ms,
            tags,
            future,
        )
    )
    token_id, cached = await future
    token = await get_token(owner, env, token_id)
    token.cached = cached
    return token


def check_key(key: str) -> None:
    """Refuse an idempotency key that is no text or over 2,048 bytes. Raises: InvalidOptions."""
    limits.check_text(key, "idempotency_key", limits.KEY_LENGTH)
    if len(key.encode()) > limits.KEY_LENGTH:
        raise InvalidOptions(
            f"idempotency_key has {len(key.encode()):,} bytes; at most {limits.KEY_LENGTH:,}."
        )


async def get_token(owner: Owner, env: EnvironmentRow, token_id: str) -> calls.Token:
    """One token with its output. Raises: NotFound, also for one of another environment."""
    found = await owner.store.waitpoints.many(owner.state.shard_id, [checked(token_id)])
    if not found or found[0].env_id != env.env_id:
        raise no_token(token_id)
    return await _token(owner, found[0])


def checked(token_id: str) -> str:
    """The id, if it is one of a token. Raises: NotFound."""
    try:
        right = token_id.startswith("waitpoint_") and shard_of(token_id) >= 0
    except ValueError:
        right = False
    if not right:
        raise no_token(token_id)
    return token_id


async def complete_token(
    owner: Owner, env: EnvironmentRow, request: calls.CompleteToken
) -> calls.Token:
    """Complete a token; one that has ended stays as it is.

    Raises: NotFound, InvalidPayload, PayloadTooLarge over 3 MB.
    """
    token_id = checked(request.token_id)
    output, ref = await _stored(owner, request.output)
    future: asyncio.Future[WaitpointRow] = asyncio.get_running_loop().create_future()
    owner.submit(CompleteCall(env.env_id, token_id, output, ref, future))
    return await _token(owner, await future)


async def list_tokens(
    owner: Owner, env: EnvironmentRow, wanted: calls.ListTokens
) -> calls.TokenPage:
    """One page of tokens, newest first, without stored outputs. Raises: InvalidOptions."""
    for status in wanted.status:
        if status not in STATUSES:
            raise InvalidOptions(
                f"{status[:40]!r} is no status of a token; {', '.join(STATUSES)} is allowed."
            )
    if wanted.idempotency_key is not None:
        check_key(wanted.idempotency_key)
    for text in (*wanted.tags, *filter(None, (wanted.after, wanted.before))):
        limits.check_text(text, "tag or cursor", limits.KEY_LENGTH)
    for values, name in ((wanted.status, "statuses"), (wanted.tags, "tags")):
        if len(values) > FILTERS:
            raise InvalidOptions(f"{len(values)} {name}; at most {FILTERS} are allowed.")
    wanted.limit = max(1, min(wanted.limit, PAGE_LIMIT))
    rows = await owner.store.waitpoints.page(owner.state.shard_id, env.env_id, wanted)
    more = len(rows) > wanted.limit
    if wanted.before is not None:
        rows = rows[-wanted.limit :]
        older, newer = bool(rows), more
    else:
        rows = rows[: wanted.limit]
        older, newer = more, bool(rows) and wanted.after is not None
    tokens = [_shown(row) for row in rows]
    if wanted.waiters:
        await _tell_waiters(owner, tokens)
    return calls.TokenPage(
        tokens,
        next=rows[-1].waitpoint_id if older and rows else None,
        previous=rows[0].waitpoint_id if newer and rows else None,
    )


async def _tell_waiters(owner: Owner, tokens: list[calls.Token]) -> None:
    shard_id = owner.state.shard_id
    open_ = {token.id: token for token in tokens if token.status == "waiting"}
    edges = await owner.store.waits.on(shard_id, list(open_)) if open_ else []
    edges = [edge for edge in edges if edge.kind == "token" and edge.waitpoint_id in open_]
    rows = await owner.store.live.locate(shard_id, sorted({edge.run_id for edge in edges}))
    tasks = {row.run_id: row.task for row in rows}
    for edge in sorted(edges, key=lambda edge: (edge.created_at, edge.run_id)):
        if edge.run_id in tasks:
            waiter = calls.Waiter(edge.run_id, tasks[edge.run_id], edge.key, edge.created_at)
            open_[edge.waitpoint_id].waiters += (waiter,)


async def send_input(owner: Owner, env: EnvironmentRow, request: calls.SendInput) -> calls.Sent:
    """Append a record to a stream of a run.

    Raises: NotFound, Conflict when the run has ended, InvalidPayload, PayloadTooLarge over 3 MB.
    """
    limits.check_text(request.stream, "stream", limits.NAME_LENGTH)
    run = await query.one(owner, env, request.run_id)
    if run.status.is_final:
        raise Conflict(f"Run {run.id} has ended as {run.status.value}; it takes no more inputs.")
    data, ref = await _stored(owner, request.data)
    key = _repeat_key(run.id, request.stream, request.request_key)
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    owner.submit(SendCall(env.env_id, run.id, request.stream, data, ref, key, future))
    return calls.Sent(await future)


async def emit_event(owner: Owner, env: EnvironmentRow, request: calls.EmitEvent) -> calls.Sent:
    """Tell everybody who waits for an event. Raises: InvalidPayload, PayloadTooLarge over 3 MB."""
    limits.check_text(request.name, "event", limits.NAME_LENGTH)
    _, ref = await _stored(owner, request.payload)
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    owner.submit(EmitCall(env.env_id, request.name, request.payload, ref, future))
    return calls.Sent(await future)


async def update_metadata(owner: Owner, env: EnvironmentRow, request: calls.UpdateMetadata) -> Run:
    """Change the metadata of a run, of its parent or its root; all changes or none.

    Raises: NotFound, InvalidOptions naming the bad change, PayloadTooLarge over 256 KB.
    """
    if len(request.ops) > OPS:
        raise InvalidOptions(f"{len(request.ops):,} changes in one call; at most {OPS:,}.")
    for op in request.ops:
        metadata.check(op)
        if op.target not in TARGETS:
            raise InvalidOptions(
                f"{op.target[:40]!r} is no target; {', '.join(TARGETS)} is allowed."
            )
    run = await query.one(owner, env, request.run_id)
    if request.ops:
        key = _repeat_key(run.id, "", request.request_key)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        owner.submit(UpdateCall(env.env_id, run.id, request.ops, key, future))
        await future
    return await query.one(owner, env, run.id)


def _repeat_key(run_id: str, stream: str, given: str | None) -> str | None:
    """What the repeats of one request have in common, in few letters."""
    if given is None:
        return None
    text = f"{run_id}\0{stream}\0{given}"
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


async def _stored(owner: Owner, text: str | None) -> tuple[str | None, str | None]:
    """JSON text as rows hold it: as it is, or the reference of a stored object."""
    if text is None:
        return None, None
    limits.check_payload(text)
    if len(text) <= INLINE_LIMIT // 4 or len(text.encode()) <= INLINE_LIMIT:
        return text, None
    return None, await owner.objects.put(text)


async def _token(owner: Owner, row: WaitpointRow) -> calls.Token:
    token = _shown(row)
    if token.output_ref is not None:
        token.output = await owner.objects.get(token.output_ref)
    return token


def _shown(row: WaitpointRow) -> calls.Token:
    return calls.Token(
        row.waitpoint_id,
        row.status,
        row.created_at,
        row.timeout_at,
        row.completed_at,
        row.output,
        row.output_ref,
        row.idempotency_key,
        row.idempotency_expires_at,
        _texts(row.tags),
    )
