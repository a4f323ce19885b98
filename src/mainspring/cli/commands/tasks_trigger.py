"""`mainspring tasks trigger`: one run, and if wanted its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import click

from mainspring.cli import columns, items, moments
from mainspring.cli.connection import Talk, talking
from mainspring.cli.payloads import read_json
from mainspring.model.run import TriggerAnswer, TriggerOptions, TriggerRequest
from mainspring.wire.calls import Trigger

if TYPE_CHECKING:
    from mainspring.sdk.idempotency import Key


class Typed(TypedDict):
    """The options of a run as they were typed."""

    delay: str | None
    ttl: str | None
    tag: tuple[str, ...]
    idempotency_key: str | None
    idempotency_ttl: str | None
    queue: str | None
    concurrency_key: str | None
    priority: str | None
    metadata: str | None
    max_attempts: int | None
    max_duration: str | None
    machine: str | None
    version: str | None
    test: bool


@click.command("trigger")
@click.argument("task_id", metavar="TASK")
@click.option("--payload", default="null", help="JSON, @file or - for standard input.")
@click.option("--delay", help="Start after 10m, 1h30m, or at 2026-05-01T09:00.")
@click.option("--ttl", help="Let it expire if it has not started after this time.")
@click.option("--tag", multiple=True, help="A tag; give the option again for more.")
@click.option("--idempotency-key", help="A second trigger with the same key gives the same run.")
@click.option("--idempotency-ttl", help="How long that key holds; 30d if not given.")
@click.option("--queue", help="Another queue than the task's.")
@click.option("--concurrency-key", help="Runs of one key share the queue's limit.")
@click.option("--priority", help="Head start before others in the queue, such as 10m.")
@click.option("--metadata", help="JSON object, @file or -.")
@click.option("--max-attempts", type=click.IntRange(1, 250))
@click.option("--max-duration", help="End it after this active time.")
@click.option("--machine", help="A machine preset.")
@click.option("--version", help="Only on workers of this version.")
@click.option("--test", is_flag=True, help="Mark it as a test run.")
@click.option("-w", "--wait", is_flag=True, help="Wait for its end; exit code 1 if it fails.")
@click.option("-f", "--follow", is_flag=True, help="Wait, and print its log as it comes.")
@click.option("--timeout", help="Wait at most this time; then exit code 124, and it goes on.")
@talking
async def command(
    talk: Talk,
    task_id: str,
    *,
    payload: str,
    wait: bool,
    follow: bool,
    timeout: str | None,
    **typed: Unpack[Typed],
) -> int | None:
    """Trigger a run of a task and print its id, or with --wait the whole run.

    mainspring tasks trigger hello --payload '{"name": "Ada"}' --wait
    """
    limit = moments.duration(timeout, "--timeout")
    request = TriggerRequest(task_id, read_json(payload, "--payload"), _options(typed))
    answer = (await talk.ask(Trigger([request]))).answers[0]
    if not (wait or follow or timeout):
        _print_answer(talk, answer)
        return None
    from mainspring.cli.following import exit_code, until_final  # else no event loop is needed

    talk.out.note(f"{answer.run_id} triggered")
    logs = follow and not talk.out.quiet
    run = until_final(talk, answer.run_id, limit, logs=logs, states=follow)
    if not follow or talk.out.for_people or talk.out.quiet:
        talk.out.one(items.run(run), columns.RUN_SHEET, ident="id")
    return exit_code(run)


def _print_answer(talk: Talk, answer: TriggerAnswer) -> None:
    item: dict[str, Any] = {"id": answer.run_id, "isCached": answer.cached}
    cached = " (an earlier run with the same key)" if answer.cached else ""
    talk.out.one(item, {"run": lambda item: f"{item['id']}{cached}"}, ident="id")
    talk.out.note(f"Next: mainspring runs watch {answer.run_id}")


def _options(typed: Typed) -> TriggerOptions:
    delay_ms, delay_until = (
        (None, None) if typed["delay"] is None else moments.delay(typed["delay"], "--delay")
    )
    metadata, typed_key = typed["metadata"], typed["idempotency_key"]
    key = None if typed_key is None else _key(typed_key)
    return TriggerOptions(
        queue=typed["queue"],
        concurrency_key=typed["concurrency_key"],
        delay_ms=delay_ms,
        delay_until=delay_until,
        ttl_ms=moments.duration(typed["ttl"], "--ttl"),
        tags=typed["tag"],
        metadata=None if metadata is None else read_json(metadata, "--metadata"),
        priority_ms=moments.duration(typed["priority"], "--priority") or 0,
        max_attempts=typed["max_attempts"],
        max_duration_ms=moments.duration(typed["max_duration"], "--max-duration"),
        machine=typed["machine"],
        version=typed["version"],
        is_test=typed["test"],
        idempotency_ttl_ms=moments.duration(typed["idempotency_ttl"], "--idempotency-ttl"),
        idempotency_key=None if key is None else str(key),
        idempotency_shown=None if key is None else key.shown,
        idempotency_scope=None if key is None else "global",
    )


def _key(typed: str) -> Key:
    from mainspring.sdk.idempotency import create_key  # knows of runs, and so of event loops

    return create_key(typed, "global")
