"""Environment variables over HTTP: kept sealed, given to workers, never shown."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx2
import msgspec
import pytest

from mainspring.engine.sweep import EVERY_MS
from mainspring.errors import ConfigurationError
from mainspring.model.run import RunError
from mainspring.model.variables import HIDDEN
from mainspring.wire import calls
from mainspring.wire.variables import VARIABLES, Given, Success
from mainspring.wire.worker import Execute, LogLine, Logs
from tests.server import test_whole
from tests.server.test_whole import Whole

make_store, whole = test_whole.make_store, test_whole.whole

ALL = "/api/v1/projects/proj_any/envvars/dev"
CANARY = "s3cr3t/canary+value é"


async def put_in(whole: Whole, status: int = 200, **body: Any) -> Any:
    response = await whole.client.post(ALL, json=body)
    assert response.status_code == status, response.text
    return response.json()


async def import_(whole: Whole, status: int = 200, **body: Any) -> Any:
    response = await whole.client.post(f"{ALL}/import", json=body)
    assert response.status_code == status, response.text
    return response.json()


async def listed(whole: Whole) -> dict[str, str]:
    response = await whole.client.get(ALL)
    found = msgspec.json.decode(response.content, type=list[calls.Variable], strict=True)
    return {variable.name: variable.value for variable in found}


async def given(whole: Whole) -> Given:
    response = await whole.client.get(VARIABLES)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    return msgspec.json.decode(response.content, type=Given)


async def test_a_variable_is_made_shown_changed_and_removed(whole: Whole) -> None:
    answer = await put_in(whole, name="URL", value="one")
    assert msgspec.convert(answer, Success, strict=True) == Success()
    one = (await whole.client.get(f"{ALL}/URL")).json()
    assert one == {"name": "URL", "value": "one", "isSecret": False}
    assert (await whole.client.put(f"{ALL}/URL", json={"value": "two"})).json() == {"success": True}
    assert await listed(whole) == {"URL": "two"}
    await put_in(whole, name="URL", value="three")
    assert await given(whole) == Given({"URL": "three"}, [])
    assert (await whole.client.delete(f"{ALL}/URL")).status_code == 200
    assert await listed(whole) == {}
    for answer in (
        await whole.client.get(f"{ALL}/URL"),
        await whole.client.put(f"{ALL}/URL", json={"value": "x"}),
        await whole.client.delete(f"{ALL}/URL"),
    ):
        assert answer.status_code == 404
        assert answer.headers["x-should-retry"] == "false"


async def test_a_secret_is_given_to_workers_and_shown_to_nobody(whole: Whole) -> None:
    await put_in(whole, name="TOKEN", value=CANARY, isSecret=True)
    assert await given(whole) == Given({"TOKEN": CANARY}, ["TOKEN"])
    assert (await whole.client.get(f"{ALL}/TOKEN")).json() == {
        "name": "TOKEN",
        "value": HIDDEN,
        "isSecret": True,
    }
    assert await listed(whole) == {"TOKEN": HIDDEN}
    await whole.client.put(f"{ALL}/TOKEN", json={"value": "another one"})
    assert await given(whole) == Given({"TOKEN": "another one"}, ["TOKEN"])
    await put_in(whole, name="TOKEN", value="not any more", isSecret=False)
    assert await listed(whole) == {"TOKEN": "not any more"}


async def test_an_import_sets_all_or_none(whole: Whole) -> None:
    await import_(whole, variables={"A": "1", "B": "2"}, isSecret=True, source={"type": "user"})
    answer = await import_(whole, 400, variables={"B": "3", "C": "4"})
    assert [fault["key"] for fault in answer["variableErrors"]] == ["B"]
    assert answer["code"] == "bad_request"
    assert (await given(whole)).variables == {"A": "1", "B": "2"}
    await import_(whole, variables={"B": "3", "C": "4"}, override=True)
    assert await given(whole) == Given({"A": "1", "B": "3", "C": "4"}, ["A", "B"])
    answer = await import_(
        whole, 400, variables={"OK": "1", "1BAD": "x", "MAINSPRING_X": "x", "NUL": "\0"}
    )
    assert {fault["key"] for fault in answer["variableErrors"]} == {"1BAD", "MAINSPRING_X", "NUL"}
    assert "OK" not in await listed(whole)
    for body in ({}, {"variables": {}}, {"variables": []}, {"variables": {"A": 1}}):
        assert (await whole.client.post(f"{ALL}/import", json=body)).status_code == 400


async def test_branches_take_over_what_preview_has(whole: Whole) -> None:
    house = whole.house
    branch = await house.engine.environment("preview-x")
    request = calls.SetVariables({"A": "own"}, parent={"A": "parent's", "B": "both"})
    await house.engine.answer(branch, request)
    assert (await house.engine.given(branch)).variables == {"A": "own", "B": "both"}
    other = await house.engine.environment("preview-y")
    assert (await house.engine.given(other)).variables == {"A": "parent's", "B": "both"}
    answer = await import_(whole, 400, variables={"A": "1"}, parentVariables={"B": "2"})
    assert "preview" in answer["error"]


async def test_an_environment_has_its_own_and_a_key_reaches_no_other(whole: Whole) -> None:
    await put_in(whole, name="A", value="dev")
    prod = ALL.replace("/dev", "/prod")
    assert (await whole.foreign.get(prod)).json() == []
    for path in (prod, f"{prod}/A", ALL.replace("/dev", "/nowhere")):
        response = await whole.client.get(path)
        assert response.status_code in (400, 403, 404)
    assert (await whole.foreign.get(VARIABLES)).json() == {"variables": {}, "secrets": []}
    async with httpx2.AsyncClient(base_url=whole.client.base_url) as nobody:
        for path in (ALL, VARIABLES):
            assert (await nobody.get(path)).status_code == 401


async def test_the_database_holds_nothing_that_can_be_read(whole: Whole) -> None:
    await put_in(whole, name="TOKEN", value=CANARY, isSecret=True)
    await put_in(whole, name="PLAIN", value=CANARY)
    rows = await whole.house.store.variables.of(whole.house.env.env_id)
    assert len(rows) == 2
    text = repr(rows).encode()
    for form in (CANARY.encode(), base64.b64encode(CANARY.encode())[:8], b"canary"):
        assert form not in text


async def test_keys_are_changed_while_the_server_runs(whole: Whole) -> None:
    house = whole.house
    values = {f"N{n}": f"value {n}" for n in range(250)}
    await import_(whole, variables=values)
    old = house.keys[0]
    house.keys[:] = [base64.b64encode(bytes(range(1, 33))).decode(), old]
    house.clock.advance(EVERY_MS)
    await house.engine.tick()
    house.keys.pop()
    assert (await given(whole)).variables == values
    assert len({row.key_id for row in await house.store.variables.of(house.env.env_id)}) == 1
    house.keys[:] = [old]
    house.engine.variables._vault = None
    with pytest.raises(ConfigurationError, match=r"server\.encryption_keys"):
        await house.engine.given(house.env)
    response = await whole.client.get(VARIABLES)
    assert response.status_code == 503


async def test_what_runs_let_out_is_shown_without_secrets(whole: Whole) -> None:
    """Canaries in the payload, the output, the metadata, the error, the log and a token."""
    await put_in(whole, name="TOKEN", value=CANARY, isSecret=True)
    await put_in(whole, name="NUMBER", value="1234567890", isSecret=True)
    await put_in(whole, name="WORD", value="COMPLETED", isSecret=True)
    worker = await whole.worker()
    planted = {"t": CANARY, "n": 1234567890, CANARY: [f"x{CANARY}y"]}
    run_id = await whole.trigger(planted, metadata=planted)
    order = await worker.next(Execute)
    assert json.loads(order.payload) == planted
    encoded = base64.b64encode(CANARY.encode()).decode()
    line = LogLine(run_id, whole.house.clock.now(), "info", f"log {CANARY}", json.dumps(planted))
    await worker.send(Logs([line]))
    await worker.finish(order, output=json.dumps([planted, encoded], ensure_ascii=False))
    await worker.durable()
    failing = await whole.trigger(1, maxAttempts=1)
    error = RunError(f"no {CANARY}", "ValueError", f"line {CANARY}", details=[CANARY])
    await worker.finish(await worker.next(Execute), outcome="failed", error=error)
    await worker.durable()
    await whole.house.engine.tick()
    shown = await whole.run(run_id)
    hidden = {"t": HIDDEN, "n": HIDDEN, HIDDEN: [f"x{HIDDEN}y"]}
    assert (shown["payload"], shown["metadata"], shown["output"][0]) == (hidden, hidden, hidden)
    assert shown["status"] == "COMPLETED"
    answers = [
        shown,
        await whole.run(failing),
        await whole.get("/api/v1/runs"),
        *[await whole.get(f"/api/v1/runs/{id_}/result") for id_ in (run_id, failing)],
        *[await whole.get(f"/api/v1/runs/{id_}/events") for id_ in (run_id, failing)],
    ]
    for path in ("payload", "output"):
        place = await whole.get(f"/api/v1/runs/{run_id}/packets/{path}")
        answers.append((await whole.client.get(place["presignedUrl"])).json())
    for id_ in (run_id, failing):
        watched = await whole.client.get(f"/realtime/v1/runs/{id_}?offset=-1&log=full")
        assert HIDDEN in watched.text
        answers.append(watched.text)
    text = json.dumps(answers, ensure_ascii=False)
    for form in (CANARY, encoded[:-4], "1234567890", "canary"):
        assert form not in text
    mine = await whole.house.engine.answer(whole.house.env, calls.Retrieve(run_id), run_id)
    assert CANARY in mine.output  # the code of runs gets what was returned
    await whole.client.delete(f"{ALL}/TOKEN")
    assert CANARY in json.dumps(await whole.run(run_id), ensure_ascii=False)
