"""What a caller may send: sizes of payload, tags, metadata and keys. Pure checks."""

from __future__ import annotations

from typing import Final

import msgspec

from mainspring.errors import (
    InvalidOptions,
    InvalidOutput,
    InvalidPayload,
    MainspringError,
    PayloadTooLarge,
)
from mainspring.model.run import OUTPUT_LIMIT, PAYLOAD_LIMIT, Debounce, TriggerOptions

TAGS: Final = 10
TAG_LENGTH: Final = 128
METADATA_LIMIT: Final = 256 * 1024
KEY_LENGTH: Final = 2048
NAME_LENGTH: Final = 128
CHUNK_LIMIT: Final = 512 * 1024
BATCH: Final = 1000
DAY_MS: Final = 86_400_000
PRIORITY_MS: Final = 365 * DAY_MS
LONGEST_MS: Final = 1 << 52
"""Any duration or moment above this is a mistake; the sum of two still fits every database."""

_whole = msgspec.json.Decoder(msgspec.Raw)


def check_payload(payload: str) -> None:
    """Refuse a payload that cannot be stored or is not JSON.

    Raises: PayloadTooLarge over 3 MB, InvalidPayload for other text, NUL and lone surrogates.
    """
    if len(payload) > PAYLOAD_LIMIT or (
        len(payload) > PAYLOAD_LIMIT // 4 and len(payload.encode(errors="replace")) > PAYLOAD_LIMIT
    ):
        raise PayloadTooLarge(
            f"The payload has {len(payload):,} characters; the limit is {PAYLOAD_LIMIT:,} bytes. "
            "Store it elsewhere and send a reference."
        )
    check_json(payload, "payload", InvalidPayload)


def check_output(output: str) -> None:
    """Refuse an output that cannot be stored or is not JSON. Raises: InvalidOutput."""
    if len(output) > OUTPUT_LIMIT or (
        len(output) > OUTPUT_LIMIT // 4 and len(output.encode(errors="replace")) > OUTPUT_LIMIT
    ):
        raise InvalidOutput(
            f"The output has {len(output):,} characters; the limit is 10 MB ({OUTPUT_LIMIT:,} "
            "bytes). Store it elsewhere and return a reference."
        )
    check_json(output, "output", InvalidOutput)


def check_chunk(chunk: str) -> None:
    """Refuse a chunk of a stream that cannot be stored or is not JSON.

    Raises: PayloadTooLarge over 512 KiB, InvalidPayload.
    """
    if len(chunk) > CHUNK_LIMIT // 4 and len(chunk.encode(errors="replace")) > CHUNK_LIMIT:
        raise PayloadTooLarge(
            f"A chunk of a stream has {len(chunk):,} characters; the limit is {CHUNK_LIMIT:,} "
            "bytes. Write it in parts."
        )
    check_json(chunk, "chunk", InvalidPayload)


def check_stream(name: str) -> None:
    """Refuse a name that no stream can have. Raises: InvalidOptions."""
    check_text(name, "the name of a stream", NAME_LENGTH)


def check_json(text: str, name: str, error: type[MainspringError]) -> None:
    """Refuse text that is not JSON, or holds NUL or a lone surrogate. Raises: `error`."""
    try:
        _whole.decode(text)
        storable = "\\u" not in text or _storable(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as cause:
        raise error(f"The {name} is not valid JSON: {cause}.") from cause
    if not storable:
        raise error(
            f"The {name} holds a NUL character (\\u0000), which databases cannot store; remove it."
        )


def _storable(text: str) -> bool:
    # decoding refuses lone surrogates; encoding again shows NUL in one spelling only
    return b"\\u0000" not in msgspec.json.encode(msgspec.json.decode(text))


def check_text(text: str, name: str, limit: int) -> None:
    """Refuse text that is empty, too long or cannot be stored. Raises: InvalidOptions."""
    if not 0 < len(text) <= limit:
        raise InvalidOptions(f"{name} has {len(text)} characters; 1 to {limit} are allowed.")
    if "\0" in text or (not text.isascii() and _has_surrogate(text)):
        raise InvalidOptions(f"{name} {text[:80]!r} holds a NUL or a lone surrogate; remove it.")


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


def check_tags(tags: tuple[str, ...]) -> None:
    """Refuse more than 10 tags, or one longer than 128 characters. Raises: InvalidOptions."""
    if len(tags) > TAGS:
        raise InvalidOptions(f"{len(tags)} tags were given; a run takes at most {TAGS}.")
    for tag in tags:
        check_text(tag, "tag", TAG_LENGTH)


def check_options(options: TriggerOptions) -> None:
    """Refuse options that make no sense, each with its name and what is allowed.

    Raises: InvalidOptions.
    """
    if options.tags:
        check_tags(options.tags)
    for value, name, limit in (
        (options.queue, "queue", NAME_LENGTH),
        (options.concurrency_key, "concurrency_key", NAME_LENGTH * 4),
        (options.idempotency_key, "idempotency_key", KEY_LENGTH),
        (options.idempotency_shown, "idempotency_shown", KEY_LENGTH),
        (options.request_key, "request_key", KEY_LENGTH),
        (options.version, "version", NAME_LENGTH),
        (options.deployment, "external_deployment_id", NAME_LENGTH),
        (options.batch_id, "batch_id", NAME_LENGTH),
        (options.parent_id, "parent_id", NAME_LENGTH),
        (options.root_id, "root_id", NAME_LENGTH),
    ):
        if value is not None:
            check_text(value, name, limit)
    if options.metadata is not None:
        if len(options.metadata.encode(errors="replace")) > METADATA_LIMIT:
            raise InvalidOptions(f"metadata is over {METADATA_LIMIT:,} bytes; keep it smaller.")
        check_json(options.metadata, "metadata", InvalidOptions)
    for number, name, low, high in (
        (options.max_attempts, "max_attempts", 1, 250),
        (options.max_duration_ms, "max_duration", 1, LONGEST_MS),
        (options.ttl_ms, "ttl", 0, LONGEST_MS),
        (options.delay_ms, "delay", 0, LONGEST_MS),
        (options.delay_until, "delay", 0, LONGEST_MS),
        (options.idempotency_ttl_ms, "idempotency_ttl", 1, LONGEST_MS),
        (options.priority_ms, "priority", -PRIORITY_MS, PRIORITY_MS),
    ):
        if number is not None:
            check_number(number, name, low, high)
    if options.debounce is not None:
        check_debounce(options.debounce)


def check_number(number: int, name: str, low: int, high: int) -> None:
    """Refuse a number outside its range. Raises: InvalidOptions."""
    if not low <= number <= high:
        raise InvalidOptions(f"{name} is {number}; {low} to {high} is allowed.")


def check_debounce(debounce: Debounce) -> None:
    """Refuse a debounce that makes no sense. Raises: InvalidOptions."""
    check_text(debounce.key, "debounce key", 512)
    check_number(debounce.delay_ms, "debounce delay", 0, LONGEST_MS)
    check_number(debounce.max_delay_ms or 0, "debounce max_delay", 0, LONGEST_MS)
    if debounce.mode not in ("leading", "trailing"):
        raise InvalidOptions(f"debounce mode is {debounce.mode!r}; leading or trailing is allowed.")
