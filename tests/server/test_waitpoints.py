"""The routes of wait tokens, metadata, inputs, events and journals: what they ask and answer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mainspring.errors import Conflict, NotFound, PayloadTooLarge, StoreUnavailable
from mainspring.ids import IdSource
from mainspring.model.run import PAYLOAD_LIMIT, Run, Status
from mainspring.wire import calls
from mainspring.wire.waitpoints import callback_path
from mainspring.wire.worker import Op
from tests.server.conftest import DEV, KEY, PEPPER, PROD, Counter, Served

NOW = 1_700_000_000_000
TOKENS = "/api/v1/waitpoints/tokens"
PROOF = PEPPER.callback(DEV.env_id)
TOKEN = IdSource(Counter()).new("waitpoint", NOW, DEV.shard_id)


async def test_a_token_is_made_as_the_body_says(served: Served) -> None:
    body = {
        "timeout": "10m", "idempotencyKey": "k", "idempotencyKeyTTL": "1h", "tags": ["a", "b"],
    }  # fmt: skip
    response = await served.client.post(TOKENS, json=body)
    assert response.status_code == 200
    assert served.engine.asked == [calls.CreateToken(600_000, None, "k", 3_600_000, ("a", "b"))]
    shown = response.json()
    assert (shown["id"], shown["isCached"]) == ("waitpoint_1", False)
    assert shown["url"].startswith(f"{served.url}{TOKENS}/waitpoint_1/callback/")
    assert "x-trigger-jwt" not in response.headers


async def test_a_token_needs_no_body_and_may_end_at_a_date(served: Served) -> None:
    await served.client.post(TOKENS)
    await served.client.post(TOKENS, json={"timeout": "2026-12-31T00:00:00Z"})
    assert served.engine.asked == [
        calls.CreateToken(),
        calls.CreateToken(None, 1_798_675_200_000),
    ]


async def test_all_bad_fields_of_a_token_are_named_together(served: Served) -> None:
    body = {"timeout": "soon", "idempotencyKey": 7, "idempotencyKeyTTL": "x", "tags": [1]}
    response = await served.client.post(TOKENS, json=body)
    assert response.status_code == 422
    assert [detail["path"] for detail in response.json()["details"]] == list(body)
    assert served.engine.asked == []


async def test_sdks_that_cannot_do_without_get_a_public_token(served: Served) -> None:
    response = await served.client.post(TOKENS, headers={"trigger-version": "4.8.3"})
    assert len(response.headers["x-trigger-jwt"].split(".")) == 3


async def test_tokens_are_listed_by_cursor_with_their_addresses(served: Served) -> None:
    token = calls.Token(TOKEN, "timed_out", NOW, NOW + 1, NOW + 1, None, None, "k", NOW + 2, ("a",))
    served.engine.answers[calls.ListTokens] = calls.TokenPage([token], next=TOKEN)
    query = {
        "filter[status]": "WAITING,TIMED_OUT",
        "filter[tags]": "a,b",
        "filter[idempotencyKey]": "with,comma",
        "filter[createdAt][from]": str(NOW - 5),
        "page[size]": "10",
        "page[after]": TOKEN,
    }
    response = await served.client.get(TOKENS, params=query)
    assert served.engine.asked == [
        calls.ListTokens(
            ("waiting", "timed_out"), ("a", "b"), "with,comma", NOW - 5, after=TOKEN, limit=10
        )
    ]
    (shown,) = response.json()["data"]
    assert response.json()["pagination"] == {"next": TOKEN}
    assert shown["url"].startswith(served.url)
    assert {name: value for name, value in shown.items() if name != "url"} == {
        "id": TOKEN,
        "status": "TIMED_OUT",
        "tags": ["a"],
        "createdAt": "2023-11-14T22:13:20.000Z",
        "idempotencyKey": "k",
        "timeoutAt": "2023-11-14T22:13:20.001Z",
        "completedAt": "2023-11-14T22:13:20.001Z",
        "idempotencyKeyExpiresAt": "2023-11-14T22:13:20.002Z",
    }


@pytest.mark.parametrize("query", ["filter[status]=DONE", "filter[tag]=x", "page[size]=0"])
async def test_a_filter_that_makes_no_sense_is_refused(served: Served, query: str) -> None:
    response = await served.client.get(f"{TOKENS}?{query}")
    assert response.status_code == 400
    assert served.engine.asked == []


@pytest.mark.parametrize(
    "status, output, shown",
    [
        ("waiting", None, {}),
        ("completed", None, {}),
        (
            "completed",
            '{"a":1}',
            {"output": '{"a":1}', "outputType": "application/json", "outputIsError": False},
        ),
    ],
)
async def test_a_token_is_shown_with_its_output(
    served: Served, status: str, output: str | None, shown: dict[str, Any]
) -> None:
    token = calls.Token(TOKEN, status, NOW, output=output)
    served.engine.answers[calls.GetToken] = token
    found = (await served.client.get(f"{TOKENS}/{TOKEN}")).json()
    assert {name: found[name] for name in found if name.startswith("output")} == shown


async def test_the_output_of_a_token_whose_time_is_over_is_an_error(served: Served) -> None:
    served.engine.answers[calls.GetToken] = calls.Token(TOKEN, "timed_out", NOW)
    found = (await served.client.get(f"{TOKENS}/{TOKEN}")).json()
    assert found["outputIsError"] is True
    assert msgspec.json.decode(found["output"])["code"] == "TRIGGER_WAITPOINT_TIMEOUT"


@pytest.mark.parametrize(
    "body, output", [(None, None), ({}, None), ({"data": None}, "null"), ({"data": [1]}, "[1]")]
)
async def test_completing_a_token_always_succeeds(
    served: Served, body: Any, output: str | None
) -> None:
    response = await served.client.post(f"{TOKENS}/{TOKEN}/complete", json=body)
    assert (response.status_code, response.json()) == (200, {"success": True})
    assert served.engine.asked == [calls.CompleteToken(TOKEN, output)]


async def test_an_unknown_token_is_a_404(served: Served) -> None:
    served.engine.answers[calls.CompleteToken] = NotFound("No token.")
    response = await served.client.post(f"{TOKENS}/{TOKEN}/complete", json={})
    assert (response.status_code, response.headers["x-should-retry"]) == (404, "false")


@pytest.mark.parametrize(
    "body, output",
    [(b'{"paid": true}', '{"paid":true}'), (b"", "{}"), (b"no json", "{}"), (b"[1]", "[1]")],
)
async def test_the_address_of_a_token_completes_it_without_a_key(
    served: Served, body: bytes, output: str
) -> None:
    url = callback_path(PROOF, TOKEN)
    served.client.headers.pop("authorization")
    response = await served.client.post(url, content=body)
    assert (response.status_code, response.json()) == (200, {"success": True})
    assert served.engine.asked == [calls.CompleteToken(TOKEN, output)]


async def test_the_address_that_a_token_was_shown_with_is_the_one_that_works(
    served: Served,
) -> None:
    made = calls.Token(TOKEN, "waiting", NOW)
    served.engine.answers[calls.CreateToken] = made
    url = (await served.client.post(TOKENS)).json()["url"]
    served.client.headers.pop("authorization")
    assert (await served.client.post(url, json={})).status_code == 200
    await served.engine.access.end(KEY)  # whoever was told the address need not know
    assert (await served.client.post(url, json={})).status_code == 200


async def test_the_log_does_not_tell_what_completes_a_token(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "mainspring.access")
    url = callback_path(PROOF, TOKEN)
    await served.client.post(url, json={})
    await served.app.drain()
    (line,) = (record for record in caplog.records if record.name == "mainspring.access")
    assert f"{TOKEN}/callback/" in line.getMessage()
    for text in (line.getMessage(), line.path):
        assert url.rpartition("/")[2] not in text


@pytest.mark.parametrize(
    "token_id, proof",
    [
        (TOKEN, "0" * 64),
        (TOKEN, "%C3%BC"),
        (TOKEN, callback_path(PEPPER.callback(PROD.env_id), TOKEN).rpartition("/")[2]),
        (f"{TOKEN[:-1]}v", callback_path(PROOF, TOKEN).rpartition("/")[2]),
        ("waitpoint_x", "0" * 64),
        ("run_1", "0" * 64),
    ],
)
async def test_a_wrong_address_completes_nothing(served: Served, token_id: str, proof: str) -> None:
    response = await served.client.post(f"{TOKENS}/{token_id}/callback/{proof}", json={})
    assert response.status_code == 401
    assert served.engine.asked == []


async def test_a_callback_says_its_length_and_is_bounded(served: Served) -> None:
    url = callback_path(PROOF, TOKEN)
    large = await served.client.post(url, content=b"x" * (PAYLOAD_LIMIT + 1))
    assert large.status_code == 413
    bare = await served.raw(
        f"POST {url} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    )
    assert bare.startswith(b"HTTP/1.1 411")
    assert served.engine.asked == []


async def test_a_database_that_is_away_is_no_wrong_address(served: Served) -> None:
    served.engine.access.away = StoreUnavailable("down")
    served.client.headers.pop("authorization")
    response = await served.client.post(callback_path(PROOF, TOKEN), json={})
    assert response.status_code == 503


async def test_an_address_names_the_scheme_that_a_proxy_was_called_with(served: Served) -> None:
    for scheme, shown in (("https", "https://"), ("gopher", "http://")):
        made = await served.client.post(TOKENS, headers={"x-forwarded-proto": scheme})
        assert made.json()["url"].startswith(shown)


async def test_metadata_is_changed_in_the_order_of_the_body(served: Served) -> None:
    run = Run("run_1", "t", Status.EXECUTING, "q", 1, NOW, metadata='{"a":1}')
    served.engine.answers[calls.UpdateMetadata] = run
    body = {
        "metadata": {"b": 2},
        "operations": [
            {"type": "set", "key": "$.a.b", "value": [1]},
            {"type": "delete", "key": "a"},
            {"type": "increment", "key": "n", "value": -1},
            {"type": "update", "value": {}},
        ],
        "parentOperations": [{"type": "append", "key": "log", "value": "x"}],
        "rootOperations": [{"type": "remove", "key": "log", "value": None}],
    }
    response = await served.client.put("/api/v1/runs/run_1/metadata", json=body)
    assert (response.status_code, response.json()) == (200, {"metadata": {"a": 1}})
    assert served.engine.asked[0].ops == [
        Op("replace", "", '{"b":2}'),
        Op("set", "$.a.b", "[1]"),
        Op("delete", "a"),
        Op("increment", "n", "-1"),
        Op("replace", "", "{}"),
        Op("append", "log", '"x"', "parent"),
        Op("remove", "log", "null", "root"),
    ]


@pytest.mark.parametrize(
    "body, status, said",
    [
        ([], 400, "object"),
        ({"metadata": [1]}, 422, "must be an object"),
        ({"operations": {}}, 400, "operations"),
        ({"operations": [1]}, 422, "operations[0].type"),
        ({"operations": [{"type": "explode", "key": "a"}]}, 422, "update"),
        ({"operations": [{"type": "set", "key": "a"}]}, 422, "needs a value"),
        ({"operations": [{"type": "set", "key": 1, "value": 1}]}, 422, "operations[0].key"),
        ({"rootOperations": [{"type": "delete", "key": "$..a"}]}, 422, "rootOperations[0]"),
        ({"operations": [{"type": "set", "key": "__proto__", "value": 1}]}, 422, "browsers"),
    ],
)
async def test_changes_that_cannot_be_are_refused_by_their_place(
    served: Served, body: Any, status: int, said: str
) -> None:
    response = await served.client.put("/api/v1/runs/run_1/metadata", json=body)
    assert response.status_code == status
    assert said in response.json()["error"]
    assert served.engine.asked == []


async def test_metadata_over_its_limit_is_a_413(served: Served) -> None:
    served.engine.answers[calls.UpdateMetadata] = PayloadTooLarge("too large")
    response = await served.client.put("/api/v1/runs/run_1/metadata", json={"metadata": {}})
    assert response.status_code == 413


async def test_the_repeats_of_a_request_are_known_as_such(served: Served) -> None:
    served.engine.answers[calls.UpdateMetadata] = Run("r", "t", Status.QUEUED, "q", 1, NOW)
    headers = {"x-trigger-request-idempotency-key": "x" * 500}
    for _ in range(2):
        await served.client.put("/api/v1/runs/r/metadata", json={}, headers=headers)
    asked: list[Any] = [calls.UpdateMetadata("r", []), calls.SendInput("r", "s", "1")]
    for request in asked:
        body = msgspec.msgpack.encode(request)
        await served.client.post("/api/mainspring/v1/call", content=body, headers=headers)
    (key,) = {request.request_key for request in served.engine.asked}
    assert len(key) == 64


async def test_metadata_is_read_as_text(served: Served) -> None:
    path = "/api/v1/runs/run_1/metadata"
    assert (await served.client.get(path)).json() == {"metadataType": "application/json"}
    run = Run("run_1", "t", Status.QUEUED, "q", 1, NOW, metadata='{"a": 1}')
    served.engine.answers[calls.Retrieve] = run
    assert (await served.client.get(path)).json()["metadata"] == '{"a": 1}'


async def test_an_input_is_sent_to_a_stream_of_a_run(served: Served) -> None:
    headers = {"x-trigger-request-idempotency-key": "once"}
    response = await served.client.post(
        "/realtime/v1/streams/run_1/input/chat", json={"data": {"text": "hi"}}, headers=headers
    )
    assert response.json() == {"ok": True}
    ours = await served.client.post("/api/mainspring/v1/runs/run_1/inputs/chat", json={"data": 1})
    assert ours.json() == {"number": 3}
    first, second = served.engine.asked
    assert (first.run_id, first.stream, first.data) == ("run_1", "chat", '{"text":"hi"}')
    assert len(first.request_key) == 64  # the same over the repeats of the call
    assert second == calls.SendInput("run_1", "chat", "1")
    assert (
        await served.client.post("/realtime/v1/streams/run_1/input/chat", json={})
    ).status_code == 400


async def test_a_run_that_has_ended_takes_no_input(served: Served) -> None:
    served.engine.answers[calls.SendInput] = Conflict("ended")
    response = await served.client.post("/realtime/v1/streams/r/input/s", json={"data": 1})
    assert response.status_code == 400


async def test_an_event_is_emitted_by_its_name(served: Served) -> None:
    path = "/api/mainspring/v1/events/order.paid"
    response = await served.client.post(path, json={"payload": {"id": 1}})
    assert response.json() == {"waits": 3}
    await served.client.post(path)
    assert served.engine.asked == [
        calls.EmitEvent("order.paid", '{"id":1}'),
        calls.EmitEvent("order.paid"),
    ]


async def test_a_journal_is_shown_in_order_with_its_open_waits(served: Served) -> None:
    served.engine.answers[calls.ListJournal] = calls.Journal(
        2,
        [
            calls.JournalLine("charge", 1, "step", "completed", '{"id":7}', NOW, NOW + 5),
            calls.JournalLine(
                "pay", 2, "token", "pending", None, NOW, due_at=NOW + 9, points=("waitpoint_1",)
            ),
        ],
    )
    response = await served.client.get("/api/mainspring/v1/runs/run_1/journal")
    assert response.json() == {
        "generation": 2,
        "entries": [
            {
                "key": "charge", "seq": 1, "kind": "step", "status": "COMPLETED",
                "data": {"id": 7}, "startedAt": "2023-11-14T22:13:20.000Z",
                "endedAt": "2023-11-14T22:13:20.005Z",
            },
            {
                "key": "pay", "seq": 2, "kind": "token", "status": "PENDING",
                "startedAt": "2023-11-14T22:13:20.000Z", "dueAt": "2023-11-14T22:13:20.009Z",
                "waitsFor": ["waitpoint_1"],
            },
        ],
    }  # fmt: skip


async def test_a_run_is_restarted_from_an_entry_with_edits(served: Served) -> None:
    path = "/api/mainspring/v1/runs/run_1/restart"
    body = {"from": "send", "edits": {"charge": {"id": 8}}, "payload": None}
    response = await served.client.post(path, json=body)
    assert response.json()["id"].startswith("run_")
    await served.client.post(path)
    assert served.engine.asked == [
        calls.RestartRun("run_1", "send", {"charge": '{"id":8}'}, "null"),
        calls.RestartRun("run_1"),
    ]


async def test_a_diverged_run_is_settled(served: Served) -> None:
    served.engine.answers[calls.SettleRun] = Run("run_1", "t", Status.QUEUED, "q", 1, NOW)
    path = "/api/mainspring/v1/runs/run_1/settle"
    response = await served.client.post(path, json={"action": "pin", "version": "3"})
    assert response.json()["status"] == "QUEUED"
    assert served.engine.asked == [calls.SettleRun("run_1", "pin", "3")]


@pytest.mark.parametrize(
    "path, body",
    [
        ("restart", {"form": "x"}),
        ("restart", {"from": 1}),
        ("restart", {"edits": []}),
        ("restart", []),
        ("settle", {}),
        ("settle", {"action": "pin", "version": 3}),
        ("settle", None),
    ],
)
async def test_a_body_of_another_form_is_refused(served: Served, path: str, body: Any) -> None:
    response = await served.client.post(f"/api/mainspring/v1/runs/run_1/{path}", json=body)
    assert response.status_code == 400
    assert served.engine.asked == []


async def test_our_own_programs_ask_all_of_it_over_one_route(served: Served) -> None:
    served.engine.answers[calls.UpdateMetadata] = Run("r", "t", Status.QUEUED, "q", 1, NOW)
    served.engine.answers[calls.SettleRun] = Run("r", "t", Status.QUEUED, "q", 1, NOW)
    requests: list[Any] = [
        calls.CreateToken(tags=("a",)),
        calls.GetToken(TOKEN),
        calls.CompleteToken(TOKEN, "1"),
        calls.ListTokens(),
        calls.SendInput("r", "s", "1"),
        calls.EmitEvent("e"),
        calls.UpdateMetadata("r", [Op("set", "a", "1")]),
        calls.RestartRun("r", edits={"a": "1"}),
        calls.SettleRun("r", "accept"),
        calls.ListJournal("r"),
    ]
    for request in requests:
        response = await served.client.post(
            "/api/mainspring/v1/call", content=msgspec.msgpack.encode(request)
        )
        assert response.status_code == 200, response.text
        msgspec.msgpack.decode(response.content, type=calls.RESPONSES[type(request)])
    assert served.engine.asked == requests
