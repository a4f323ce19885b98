"""Runs, queues and errors as public JSON: nothing is null that must be left out."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from mainspring import errors
from mainspring.errors import MainspringError, NotFound
from mainspring.model.run import Run, RunError, RunPage, Status
from mainspring.wire import queues, runs
from mainspring.wire.calls import LogEntry, LogPage, Queue
from mainspring.wire.errors import error_from, reply, should_retry
from mainspring.wire.operating import RunDetail, Schedule
from mainspring.wire.run_types import RunList, WholeRun
from mainspring.wire.words import CURRENT, flags, status_from, status_word

NOW = 1_700_000_000_000
FRESH = Run("run_1", "t", Status.QUEUED, "task/t", 1, NOW)
FULL = Run(
    id="run_2",
    task="mail/send",
    status=Status.COMPLETED,
    queue="mail",
    env_id=1,
    created_at=NOW,
    version="1",
    payload='{"a":[1,null]}',
    output="null",
    error=RunError("old", "ValueError", "stack"),
    metadata='{"p":1}',
    tags=("x",),
    attempt=2,
    idempotency_key="shown",
    started_at=NOW + 1,
    finished_at=NOW + 2,
    updated_at=NOW + 3,
    delayed_until=NOW + 4,
    ttl_ms=5_400_000,
    active_ms=7,
    parent_id="run_1",
    root_id="run_1",
    batch_id="batch_1",
    region="eu",
    awaited=True,
    depth=1,
)
SCHEDULE = Schedule(
    "sched_1", "imperative", "t", "0 9 * * *", "UTC", True, "Daily", "daily", "user-1"
)


def spoken(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def test_a_fresh_run_leaves_out_what_it_has_not() -> None:
    assert spoken(runs.retrieved(RunDetail(FRESH), CURRENT)) == {
        "id": "run_1",
        "status": "QUEUED",
        "taskIdentifier": "t",
        "isQueued": True,
        "isExecuting": False,
        "isWaiting": False,
        "isCompleted": False,
        "isSuccess": False,
        "isFailed": False,
        "isCancelled": False,
        "isTest": False,
        "createdAt": "2023-11-14T22:13:20.000Z",
        "updatedAt": "2023-11-14T22:13:20.000Z",
        "tags": [],
        "costInCents": 0,
        "baseCostInCents": 0,
        "durationMs": 0,
        "depth": 0,
        "triggerFunction": "trigger",
        "relatedRuns": {},
        "attemptCount": 0,
    }


def test_a_full_run_shows_everything_once() -> None:
    detail = RunDetail(FULL, FRESH, FRESH, [FRESH], SCHEDULE)
    shown = spoken(runs.retrieved(detail, CURRENT))
    assert msgspec.to_builtins(msgspec.convert(shown, WholeRun, strict=True)) == shown
    added = {
        "status": "COMPLETED",
        "idempotencyKey": "shown",
        "version": "1",
        "startedAt": "2023-11-14T22:13:20.001Z",
        "finishedAt": "2023-11-14T22:13:20.002Z",
        "updatedAt": "2023-11-14T22:13:20.003Z",
        "delayedUntil": "2023-11-14T22:13:20.004Z",
        "ttl": "1h30m",
        "metadata": {"p": 1},
        "payload": {"a": [1, None]},
        "output": None,
        "error": {"message": "old", "name": "ValueError", "stackTrace": "stack"},
        "durationMs": 7,
        "attemptCount": 2,
        "depth": 1,
        "triggerFunction": "batchTriggerAndWait",
        "region": "eu",
        "schedule": {
            "id": "sched_1",
            "externalId": "user-1",
            "deduplicationKey": "daily",
            "generator": {"type": "CRON", "expression": "0 9 * * *", "description": "Daily"},
        },
        "batchId": "batch_1",
    }
    assert {name: shown[name] for name in added} == added
    assert shown["relatedRuns"]["root"] == shown["relatedRuns"]["parent"]
    assert shown["relatedRuns"]["root"]["id"] == "run_1"
    assert shown["relatedRuns"]["children"] == [shown["relatedRuns"]["root"]]
    assert "expiredAt" not in shown


@given(st.sampled_from(Status), st.booleans(), st.booleans())
def test_nothing_of_a_run_is_null_but_its_json_values(
    status: Status, is_full: bool, is_current: bool
) -> None:
    run = msgspec.structs.replace(FULL if is_full else FRESH, status=status)
    detail = RunDetail(run, parent=run)
    shown = spoken(runs.retrieved(detail, CURRENT if is_current else None))
    assert msgspec.to_builtins(msgspec.convert(shown, WholeRun, strict=True)) == shown
    assert [name for name, value in shown.items() if value is None and name != "output"] == []
    assert None not in shown["relatedRuns"]["parent"].values()
    page = runs.listed(RunPage([run]), None, {"id": "1", "name": "dev"})
    assert None not in spoken(page)["data"][0].values()
    assert msgspec.to_builtins(msgspec.convert(spoken(page), RunList)) == spoken(page)


def test_metadata_that_is_no_object_is_left_out() -> None:
    for metadata in ("null", "[1]", None):
        run = msgspec.structs.replace(FRESH, metadata=metadata)
        assert "metadata" not in runs.common(run, CURRENT)


def test_an_expired_run_says_when() -> None:
    run = msgspec.structs.replace(FRESH, status=Status.EXPIRED, finished_at=NOW)
    assert runs.common(run, CURRENT)["expiredAt"] == "2023-11-14T22:13:20.000Z"


def test_older_clients_get_the_words_they_know() -> None:
    assert status_word(Status.DEQUEUED, None) == "EXECUTING"
    assert status_word(Status.WAITING, "2024-01-01") == "FROZEN"
    assert status_word(Status.DEQUEUED, CURRENT) == "DEQUEUED"
    assert status_word(Status.WAITING, CURRENT) == "WAITING"
    assert flags(Status.WAITING, CURRENT)["isWaiting"]
    assert not flags(Status.WAITING, None)["isWaiting"]
    assert flags(Status.WAITING, None)["isExecuting"]


@given(st.sampled_from(Status), st.sampled_from([None, CURRENT]))
def test_the_flags_divide_the_states(status: Status, version: str | None) -> None:
    found = flags(status, version)
    kinds = [found[name] for name in ("isQueued", "isExecuting", "isWaiting", "isCompleted")]
    assert sum(kinds) == 1
    assert found["isCompleted"] == status.is_final == (found["isSuccess"] or found["isFailed"])
    if version == CURRENT:
        assert status_from(status_word(status, version)) is status


def test_only_an_ended_run_has_a_result() -> None:
    assert runs.result(FRESH) is None
    assert runs.result(FULL) == {
        "ok": True, "id": "run_2", "output": "null", "outputType": "application/json",
        "usage": {"durationMs": 7}, "taskIdentifier": "mail/send",
    }  # fmt: skip


@pytest.mark.parametrize(
    "status, error, expected",
    [
        (Status.FAILED, RunError("m", "ValueError", "s"),
         {"type": "BUILT_IN_ERROR", "name": "ValueError", "message": "m", "stackTrace": "s"}),
        (Status.FAILED, None, {"type": "STRING_ERROR", "raw": "The run ended as failed."}),
        (Status.CANCELED, None, {"type": "INTERNAL_ERROR", "code": "TASK_RUN_CANCELLED",
                                 "message": "The run ended as canceled."}),
        (Status.TIMED_OUT, RunError("late"),
         {"type": "INTERNAL_ERROR", "code": "MAX_DURATION_EXCEEDED", "message": "late"}),
    ],
)  # fmt: skip
def test_a_failure_has_one_of_the_forms_of_the_contract(
    status: Status, error: RunError | None, expected: Any
) -> None:
    found = runs.result(msgspec.structs.replace(FRESH, status=status, error=error))
    assert found == {"ok": False, "id": "run_1", "error": expected, "taskIdentifier": "t"}


def test_events_are_what_the_run_wrote() -> None:
    page = LogPage([LogEntry(1, NOW, "info", "hi"), LogEntry(2, NOW, "warn", "x", '{"a":1}')])
    first, second = spoken(runs.events(page))["events"]
    assert first == {
        "seq": 1, "time": "2023-11-14T22:13:20.000Z", "level": "info", "message": "hi",
    }  # fmt: skip
    assert second["data"] == {"a": 1}


def test_a_queue_of_a_task_shows_the_bare_task() -> None:
    shown = queues.queue(Queue("task/mail/send", 3, 2, True, 5, 10, 5, NOW))
    assert shown == {
        "id": queues.queue_id("task/mail/send"),
        "name": "mail/send",
        "type": "task",
        "version": "V1",
        "running": 2,
        "queued": 3,
        "paused": True,
        "concurrencyLimit": 5,
        "concurrency": {
            "current": 5, "base": 10, "override": 5,
            "overriddenAt": "2023-11-14T22:13:20.000Z", "overriddenBy": None,
        },
    }  # fmt: skip
    assert queues.queue(Queue("mail"))["type"] == "custom"


def test_a_queue_is_found_by_id_task_or_name_however_often_it_was_encoded() -> None:
    of_task, custom = Queue("task/mail/send"), Queue("mail/out")
    both = [of_task, custom]
    assert queues.named(both, queues.queue_id("mail/out"), "id") is custom
    assert queues.named(both, "mail%2Fsend", "task") is of_task
    assert queues.named(both, "mail/send", "task") is of_task
    assert queues.named(both, "mail%2Fout", "custom") is custom
    for parameter, type_ in (("mail", "custom"), ("task/mail/send", "custom"), ("queue_x", "id")):
        with pytest.raises(NotFound, match="queue-not-found"):
            queues.named(both, parameter, type_)


def every_error() -> list[type[MainspringError]]:
    return sorted(errors.classes().values(), key=lambda kind: kind.code)


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.code)
def test_an_error_comes_back_from_its_answer(kind: type[MainspringError]) -> None:
    error = errors.from_code(kind.code, "what happened", {"retry_after_s": 1.5})
    answer = reply(error, NOW, "r1")
    back = error_from(answer.status, msgspec.json.encode(answer.body))
    assert type(back) is kind
    assert answer.headers["x-should-retry"] == ("true" if should_retry(error) else "false")


def test_a_mistake_of_the_caller_is_never_worth_a_repeat_but_too_many_requests_are() -> None:
    for kind in every_error():
        if issubclass(kind, errors.CallerError):
            retried = should_retry(kind("x"))
            assert retried == (kind is errors.RateLimited)
            assert kind.status not in (408, 409)


def test_what_failed_on_our_side_is_not_told_to_callers() -> None:
    for kind in (errors.StoreUnavailable, errors.FencedOut, errors.ConfigurationError):
        body = reply(kind("postgresql://secret@host", details={"sql": "x"}), NOW, "r1").body
        assert "secret" not in str(body)
        assert "details" not in body
        assert "r1" in body["error"]


def test_a_rate_limit_says_when_to_come_back() -> None:
    headers = reply(errors.RateLimited("slow down", details={"retry_after_s": 2.5}), NOW).headers
    assert headers["retry-after"] == "3"
    assert headers["x-ratelimit-reset"] == str(NOW + 2500)


@pytest.mark.parametrize(
    "status, body, kind, said",
    [
        (404, b'{"error":"Not found"}', errors.NotFound, "Not found"),
        (401, b"<html>", errors.Unauthorized, "answered 401"),
        (400, b'{"error":{"message":"bad"}}', errors.CallerError, "bad"),
        (502, b"Bad Gateway", MainspringError, "answered 502"),
        (503, b"\xff", errors.StoreUnavailable, "answered 503"),
        (422, b'{"error":"x","code":"from_the_future"}', MainspringError, "x"),
    ],
)
def test_an_answer_of_a_proxy_or_another_release_is_an_error_too(
    status: int, body: bytes, kind: type[MainspringError], said: str
) -> None:
    error = error_from(status, body)
    assert type(error) is kind
    assert said in error.message
