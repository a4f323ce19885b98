"""From a trigger request to something that can be planned: checks, keys, big payloads. No state."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from mainspring.dispatch.lanes import LaneKey
from mainspring.engine.state import State
from mainspring.engine.uploads import payload_at
from mainspring.errors import InvalidOptions, InvalidPayload, UnknownTask
from mainspring.ids import shard_of
from mainspring.model import limits, payload, template
from mainspring.model.deployment import awaited_version
from mainspring.model.run import INLINE_LIMIT, TriggerOptions, TriggerRequest
from mainspring.model.task import TaskSpec, default_queue
from mainspring.model.tracing import read
from mainspring.store.changes import RunOptions
from mainspring.store.objects import Objects

KEY_TTL_MS = 30 * limits.DAY_MS
STORED_KEY = 64

_encode_options = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Prepared(Struct):
    """One checked trigger. `run_id` is set once it is planned: a repeat makes the same run.

    `joins` is the number of the earlier item of the call that shares its debounce key. `pin` is the
    version in which it was started at once.
    """

    spec: TaskSpec
    lane: LaneKey
    payload: str | None
    payload_ref: str | None
    options: TriggerOptions
    kept: RunOptions | None
    kept_text: str
    ttl_ms: int | None
    run_id: str | None = None
    repeat: bool = False
    known_task: bool = True
    joins: int | None = None
    pin: str = ""


async def prepare(
    state: State, objects: Objects, env_id: int, requests: Sequence[TriggerRequest]
) -> list[Prepared]:
    """Check every request; nothing is stored when one of them is bad.

    Raises: UnknownTask, InvalidPayload, PayloadTooLarge, InvalidOptions.
    """
    if len(requests) > limits.BATCH:
        raise InvalidOptions(f"{len(requests):,} runs in one call; at most {limits.BATCH:,}.")
    if any(request.options.upload for request in requests):
        prepared = [await _fetched(state, objects, env_id, request) for request in requests]
    else:
        prepared = [prepare_one(state, env_id, request) for request in requests]
    for item in prepared:
        if item.payload is not None and len(item.payload) > INLINE_LIMIT // 4:
            await _put_away(objects, item)
    fold(prepared)
    return prepared


async def _fetched(
    state: State, objects: Objects, env_id: int, request: TriggerRequest
) -> Prepared:
    """Check a request whose payload may lie elsewhere. It is put away at once: a thousand large
    ones must not be in memory together. If a later item is bad, its text stays behind unused.
    """
    path = request.options.upload
    if path is None:
        return prepare_one(state, env_id, request)
    payload = await payload_at(state, objects, env_id, path)
    fetched = msgspec.structs.replace(request, payload=payload)
    item = prepare_one(state, env_id, fetched)
    await _put_away(objects, item)
    return item


async def _put_away(objects: Objects, item: Prepared) -> None:
    """Let a large payload lie among the objects."""
    if item.payload is not None and len(item.payload.encode()) > INLINE_LIMIT:
        item.payload_ref = await objects.put(item.payload)
        item.payload = None


def fold(items: list[Prepared]) -> None:
    """Let debounced items of one call that share a key be one run, as the last of them says."""
    firsts: dict[tuple[str, str], int] = {}
    for number, item in enumerate(items):
        debounce = item.options.debounce
        if debounce is None:
            continue
        place = firsts.setdefault((item.spec.id, debounce.key), number)
        if place == number:
            continue
        item.joins, first = place, items[place]
        first.options.debounce = debounce
        if debounce.mode == "trailing":
            first.payload, first.payload_ref = item.payload, item.payload_ref


def prepare_one(state: State, env_id: int, request: TriggerRequest) -> Prepared:
    """Check one request and find its lane. Raises as `prepare`."""
    found = state.tasks.get((env_id, request.task))
    if found is None:
        raise unknown(state, env_id, request.task)
    spec = found[0]
    options = request.options
    limits.check_payload(request.payload)
    limits.check_options(options)
    if options.deployment is not None:
        if options.version is not None:
            raise InvalidOptions(
                "A run takes a version or an external_deployment_id, which is another name of one."
            )
        options.version = state.versions.get((env_id, options.deployment))
    if options.run_id is not None:
        check_id(state, options.run_id)
    if not options.checked and spec.payload_schema is not None:
        problems = payload.problems(spec.payload_schema, decoded(request.payload))
        if problems:
            listed = "; ".join(f"{p['path'] or 'payload'}: {p['message']}" for p in problems[:5])
            raise InvalidPayload(
                f"The payload does not fit task {spec.id!r}: {listed}.", details=problems
            )
    return assemble(env_id, spec, request)


def check_id(state: State, run_id: str) -> None:
    """Refuse an id that its run could not be found by. Raises: InvalidOptions."""
    try:
        right = run_id.startswith("run_") and shard_of(run_id) == state.shard_id
    except ValueError:
        right = False
    if not right:
        raise InvalidOptions(
            f"run_id {run_id[:80]!r} is no run id of shard {state.shard_id}; leave it out."
        )


def assemble(env_id: int, spec: TaskSpec, request: TriggerRequest) -> Prepared:
    """Everything that follows from task and options. Raises: InvalidPayload from a key template."""
    options = request.options
    ckey = options.concurrency_key
    key = options.idempotency_key
    if (ckey is None and spec.concurrency_key) or (key is None and spec.idempotency_key):
        value = decoded(request.payload)
        if ckey is None and spec.concurrency_key:
            ckey = template.fill(spec.concurrency_key, value, "concurrency_key")
        if key is None and spec.idempotency_key:
            shown = template.fill(spec.idempotency_key, value, "idempotency_key")
            options.idempotency_shown = shown
            options.idempotency_key = stored_key(shown)
            options.idempotency_ttl_ms = options.idempotency_ttl_ms or spec.idempotency_ttl_ms
    ttl = spec.ttl_ms if options.ttl_ms is None else options.ttl_ms
    kept = _kept(options, ttl)
    return Prepared(
        spec,
        (
            env_id,
            options.queue or spec.queue or default_queue(spec.id),
            ckey or "",
            options.version or (awaited_version(options.deployment) if options.deployment else ""),
        ),
        request.payload,
        None,
        options,
        kept,
        _encode_options(kept).decode() if kept is not None else "",
        ttl or None,
        options.run_id,
        repeat=options.run_id is not None,
    )


def decoded(text: str) -> Any:
    """The payload as values. Raises: InvalidPayload for numbers that no program can hold."""
    try:
        return _decode(text)
    except msgspec.MsgspecError as error:
        raise InvalidPayload(f"The payload cannot be read: {error}.") from error


def stored_key(shown: str) -> str:
    """The key that a caller's own text stands for; 64 characters are one already."""
    return shown if len(shown) == STORED_KEY else hashlib.sha256(shown.encode()).hexdigest()


def _kept(options: TriggerOptions, ttl: int | None) -> RunOptions | None:
    if not (
        options.tags
        or options.priority_ms
        or ttl
        or options.idempotency_key
        or options.max_attempts
        or options.max_duration_ms
        or options.metadata
        or options.debounce
        or options.replay_of
        or options.machine
        or options.region
        or options.schedule_id
        or options.bulk_id
        or options.awaited
        or options.trace
        or _is_chosen(options)
    ):
        return None
    return RunOptions(
        max_attempts=options.max_attempts,
        max_duration_ms=options.max_duration_ms,
        ttl_ms=ttl,
        priority_ms=options.priority_ms,
        machine=options.machine,
        tags=options.tags,
        has_metadata=options.metadata is not None,
        idempotency_key=options.idempotency_key,
        idempotency_shown=options.idempotency_shown,
        debounce_key=options.debounce.key if options.debounce else None,
        replay_of=options.replay_of,
        region=options.region,
        schedule_id=options.schedule_id,
        bulk_id=options.bulk_id,
        awaited=options.awaited,
        trace=read(options.trace),
        pinned=_is_chosen(options),
    )


def _is_chosen(options: TriggerOptions) -> bool:
    """Whether the caller has said which version the run is for."""
    chosen = options.version is not None and not options.inherits
    return chosen or options.deployment is not None


def unknown(state: State, env_id: int, task: str) -> UnknownTask:
    """The error for a task that nobody registered, with the nearest names."""
    ids = [id_ for env, id_ in state.tasks if env == env_id]
    near = difflib.get_close_matches(task, ids, 3)
    if near:
        hint = f"Did you mean {', '.join(map(repr, near))}?"
    elif ids:
        hint = f"Registered: {', '.join(sorted(ids)[:10])}."
    else:
        hint = "No worker has registered any task here yet; start one with `mainspring worker`."
    return UnknownTask(f"No task {task[:128]!r} in this environment. {hint}", details=near)
