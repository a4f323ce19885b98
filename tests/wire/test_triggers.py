"""Bodies of triggers: what is taken, and how every bad field is named at once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from mainspring.errors import (
    CallerError,
    InvalidOptions,
    InvalidPayload,
    MainspringError,
    NotBuilt,
    PayloadTooLarge,
)
from mainspring.model.run import PAYLOAD_LIMIT, Debounce, TriggerOptions
from mainspring.wire import triggers

ALL = {
    "queue": {"name": "mail"},
    "concurrencyKey": 7,
    "delay": "1h30m",
    "ttl": 60,
    "idempotencyKey": "k" * 64,
    "idempotencyKeyTTL": "7d",
    "idempotencyKeyOptions": {"key": ["a", "b"], "scope": "global"},
    "payloadType": "application/super+json",
    "payloadSize": 10,
    "tags": ["a", "b", "a", ""],
    "metadata": {"x": [1]},
    "maxAttempts": 5,
    "maxDuration": 300,
    "machine": "small-2x",
    "priority": 1.5,
    "region": "eu",
    "test": True,
    "lockToVersion": "20261121.1",
    "parentRunId": "run_1",
    "resumeParentOnCompletion": False,
    "debounce": {"key": "d", "delay": "5s", "mode": "trailing", "maxDelay": "1m"},
    "bulkActionId": "bulk_1",
}


def test_every_option_of_the_contract_is_taken_over() -> None:
    body = {"payload": '{"json":{"n":"1"},"meta":{"values":{"n":["bigint"]}}}', "options": ALL}
    request = triggers.trigger("mail/send", body, "uuid")
    assert request.task == "mail/send"
    assert request.payload == '{"n":1}'
    assert request.options == TriggerOptions(
        queue="mail",
        concurrency_key="7",
        delay_ms=5_400_000,
        ttl_ms=60_000,
        idempotency_key="k" * 64,
        idempotency_shown="a-b",
        idempotency_scope="global",
        idempotency_ttl_ms=604_800_000,
        tags=("a", "b"),
        metadata='{"x":[1]}',
        priority_ms=1500,
        max_attempts=5,
        max_duration_ms=300_000,
        machine="small-2x",
        region="eu",
        version="20261121.1",
        is_test=True,
        debounce=Debounce("d", 5000, "trailing", 60_000),
        parent_id="run_1",
        request_key=triggers.key_of_request("mail/send", "uuid", 0),
    )


@pytest.mark.parametrize("body", [{}, {"payload": None}, {"options": {}}, {"context": {"a": 1}}])
def test_nothing_given_is_a_null_payload_and_no_options(body: Any) -> None:
    request = triggers.trigger("t", body)
    assert (request.payload, request.options) == ("null", TriggerOptions())


@pytest.mark.parametrize(
    "delay, expected",
    [
        ("10m", (600_000, None)),
        ("1w2d", (777_600_000, None)),
        ("2hr", (7_200_000, None)),
        ("2026-12-31T09:00:00.000Z", (None, 1_798_707_600_000)),
        ("2026-12-31T09:00:00+01:00", (None, 1_798_704_000_000)),
        ("2026-12-31", (None, 1_798_675_200_000)),
        (1_798_707_600_000, (None, 1_798_707_600_000)),
    ],
)
def test_a_delay_is_a_duration_or_a_date(delay: Any, expected: Any) -> None:
    assert triggers.delay({"delay": delay}) == expected


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("queue", "mail", "must be an object"),
        ("queue", {}, "must be text"),
        ("queue", {"name": "x" * 129}, "129 bytes; 1 to 128"),
        ("concurrencyKey", "", "0 bytes"),
        ("concurrencyKey", True, "must be text"),
        ("delay", "soon", 'is no date; write one such as "2026-12-31T09:00:00Z"'),
        ("delay", "10x", 'or a duration such as "10m"'),
        ("delay", 600, "is no date"),
        ("delay", "9" * 500 + "s", "is no date"),
        ("delay", "99999999w", "outside 0 to 100 years"),
        ("delay", "2026-13-01", "is no date"),
        ("delay", "0001-01-01T00:00:00+23:59", "is no date"),
        ("delay", {}, "an object is no date"),
        ("ttl", -1, "0 to 1000000000"),
        ("ttl", 1.5, "whole number of seconds"),
        ("ttl", "1.5h", "is no duration"),
        ("idempotencyKey", "x" * 2049, "2049 bytes; 1 to 2048"),
        ("idempotencyKey", "é" * 2000, "4000 bytes; 1 to 2048"),
        ("idempotencyKey", "a\0", "NUL"),
        ("idempotencyKey", None, "leave it out"),
        ("idempotencyKeyTTL", 60, "is no duration"),
        ("idempotencyKeyOptions", {"scope": "all"}, "run, attempt, global"),
        ("tags", [f"t{n}" for n in range(11)], "11 tags; at most 10"),
        ("tags", "x" * 129, "129 characters; at most 128"),
        ("tags", [1], "a text or a list of texts"),
        ("tags", "a\0b", "NUL"),
        ("metadata", [1], "must be an object"),
        ("metadata", "{", "not valid JSON"),
        ("metadata", {"a": "x" * 262_200}, "at most 262,144"),
        ("metadata", {"a": "\0"}, "NUL"),
        ("maxAttempts", 0, "1 to 250"),
        ("maxAttempts", "3", "'3'; a whole number from 1 to 250"),
        ("maxDuration", 4, "5 to"),
        ("machine", "huge", "micro, small-1x"),
        ("machine", ["micro"], "one of"),
        ("priority", 10**9, "seconds from -31536000 to 31536000"),
        ("priority", "high", "number of seconds"),
        ("test", "yes", "true or false"),
        ("debounce", {"key": "k"}, "None is no duration"),
        ("debounce", {"key": "k" * 513, "delay": "1s"}, "1 to 512"),
        ("debounce", {"key": "k", "delay": "1s", "mode": "both"}, "leading, trailing"),
        ("debounce", {"key": "k", "delay": "1m", "maxDelay": "60s"}, "not longer than its delay"),
        ("debounce", "k", "must be an object"),
        ("concurrency", "db", "a list of at most 2"),
        ("concurrency", ["a", "b", "c"], "a list of at most 2"),
        ("concurrency", [1], "must be text"),
        ("gates", {"queue": "mail"}, "a list of at most 3"),
        ("gates", [{"name": "mail"}], "must be text"),
        ("externalDeploymentId", 7, "must be text"),
        ("payloadSize", -1, "whole number of bytes"),
        ("payloadSize", "10", "whole number of bytes"),
        ("metadataType", 1, "must be text"),
        ("bulkActionId", {}, "must be text"),
        ("parentBatch", 1, "must be text"),
        ("parentRunId", 1, "must be text"),
        ("lockToVersion", [], "must be text"),
        ("region", 1, "must be text"),
        ("idempotencyKeyOptions", "k", "must be an object"),
        ("resumeParentOnCompletion", "yes", "true or false"),
        ("payloadType", "image/png", "application/json"),
        ("payloadType", 7, "application/json"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(name: str, value: Any, said: str) -> None:
    with pytest.raises(InvalidOptions) as refused:
        triggers.trigger("t", {"options": {name: value}})
    (problem,) = refused.value.details
    assert problem["path"] == f"options.{name}"
    assert said in problem["message"]
    assert f"options.{name}" in refused.value.message


def test_all_bad_fields_are_named_together() -> None:
    body = {"payload": "\0", "options": {"delay": "x", "ttl": "y", "tags": 3, "test": False}}
    with pytest.raises(InvalidOptions) as refused:
        triggers.trigger("t", body)
    assert [problem["path"] for problem in refused.value.details] == [
        "options.delay", "options.ttl", "options.tags", "payload",
    ]  # fmt: skip


def test_a_bad_payload_alone_is_an_invalid_payload() -> None:
    with pytest.raises(InvalidPayload, match="NUL"):
        triggers.trigger("t", {"payload": {"a": "\0"}})
    with pytest.raises(InvalidPayload, match="not valid JSON"):
        triggers.trigger(
            "t", {"payload": "{", "options": {"payloadType": "application/super+json"}}
        )


@pytest.mark.parametrize(
    "name, value, nothing",
    [
        ("concurrency", ["db"], []),
        ("gates", [{"queue": "mail", "concurrencyKey": "k"}], []),
    ],
)
def test_an_option_that_would_change_the_meaning_is_refused_until_it_is_built(
    name: str, value: Any, nothing: Any
) -> None:
    with pytest.raises(NotBuilt, match=name):
        triggers.trigger("t", {"options": {name: value}})
    assert triggers.trigger("t", {"options": {name: nothing}}).options == TriggerOptions()
    with pytest.raises(NotBuilt, match="resumeParentOnCompletion"):
        triggers.trigger("t", {"options": {"resumeParentOnCompletion": True}})


def test_a_run_may_be_for_a_deployment_by_its_own_id() -> None:
    for text, found in (("9f8e7d", "9f8e7d"), (" 9f8e7d\n", "9f8e7d"), (" ", None)):
        body = {"options": {"externalDeploymentId": text}}
        assert triggers.trigger("t", body).options.deployment == found


def test_the_limit_of_a_payload_counts_bytes_of_the_stored_text() -> None:
    fits = "x" * (PAYLOAD_LIMIT - 2)
    assert len(triggers.trigger("t", {"payload": fits}).payload) == PAYLOAD_LIMIT
    for payload in (fits + "x", "é" * (PAYLOAD_LIMIT // 2)):
        with pytest.raises(PayloadTooLarge, match="3,145,728"):
            triggers.trigger("t", {"payload": payload})


@pytest.mark.parametrize("body", [None, 1, "x", [], {"options": None}, {"options": []}])
def test_a_body_or_options_of_another_kind_are_refused(body: Any) -> None:
    with pytest.raises(InvalidOptions, match="must be an object"):
        triggers.trigger("t", body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
option_names = st.sampled_from([*ALL, "concurrency", "gates", "unknown"])


@given(json_values | st.fixed_dictionaries(
    {"payload": json_values, "options": st.dictionaries(option_names, json_values)}))  # fmt: skip
def test_no_body_raises_anything_but_our_errors(body: Any) -> None:
    try:
        request = triggers.trigger("t", body, "key")
    except MainspringError:
        return
    msgspec.json.decode(request.payload)
    assert msgspec.convert(msgspec.to_builtins(request.options), TriggerOptions) == request.options


@given(st.lists(json_values, max_size=4) | json_values, st.sampled_from([None, "t"]))
def test_no_batch_raises_anything_but_our_errors(items: Any, task: str | None) -> None:
    try:
        requests = triggers.batch({"items": items}, task)
    except MainspringError:
        return
    assert len(requests) == len(items)


def test_a_batch_names_the_item_and_refuses_all_for_one() -> None:
    items = [{"task": "a"}, {"task": "b", "options": {"delay": "x"}}, {"payload": 1}, 5]
    with pytest.raises(InvalidOptions) as refused:
        triggers.batch({"items": items}, None)
    assert [problem["path"] for problem in refused.value.details] == [
        "items[1].options.delay", "items[2].task", "items[3].task", "items[3]",
    ]  # fmt: skip


def test_the_older_batch_takes_its_task_from_the_path() -> None:
    requests = triggers.batch({"items": [{"payload": 1}, {"task": "other"}]}, "t")
    assert [request.task for request in requests] == ["t", "t"]


def test_a_batch_says_its_parent_once() -> None:
    items = [{"task": "a"}, {"task": "a", "options": {"parentRunId": "run_2"}}]
    requests = triggers.batch({"items": items, "parentRunId": "run_1"}, None)
    assert [request.options.parent_id for request in requests] == ["run_1", "run_2"]


@pytest.mark.parametrize("items", [None, [], {}, [{"task": "a"}] * 1001])
def test_a_batch_has_one_to_a_thousand_items(items: Any) -> None:
    with pytest.raises(CallerError, match="1 to 1000 items"):
        triggers.batch({"items": items}, None)


def test_repeats_of_a_request_share_a_key_and_items_do_not() -> None:
    first, second = triggers.batch({"items": [{"task": "a"}, {"task": "a"}]}, None, "uuid")
    again, _ = triggers.batch({"items": [{"task": "a"}, {"task": "a"}]}, None, "uuid")
    assert first.options.request_key == again.options.request_key
    assert first.options.request_key != second.options.request_key
    assert triggers.trigger("b", {}, "uuid").options.request_key != first.options.request_key


def test_tags_and_delay_of_their_own_requests_are_checked_the_same() -> None:
    assert triggers.tags({"tags": "a"}) == ("a",)
    with pytest.raises(InvalidOptions, match="at most 10"):
        triggers.tags({"tags": [str(n) for n in range(11)]})
    for body in ({}, None, []):
        with pytest.raises(CallerError, match="is missing"):
            triggers.tags(body)
        with pytest.raises(CallerError, match="is missing"):
            triggers.delay(body)
    with pytest.raises(CallerError, match="is no date") as refused:
        triggers.delay({"delay": "never"})
    assert refused.value.status == 400
