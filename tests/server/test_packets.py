"""Large payloads and outputs: signed addresses, uploads, and what a trigger makes of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx2
import msgspec
import pytest
from hypothesis import given, strategies as st

from mainspring.engine.sweep import EVERY_MS
from mainspring.model.limits import DAY_MS
from mainspring.server import signed
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire.packets import SHOWN, PacketPlace, UploadPlace
from mainspring.wire.worker import Execute
from tests.server import test_whole
from tests.server.test_whole import Whole

make_store, whole = test_whole.make_store, test_whole.whole

PATH = "trigger/packet_abc/payload.json"
MIB = 1024 * 1024
LIMIT = 3 * MIB
SUPER = "application/super+json"


def packet_path(path: str) -> str:
    return f"/api/v2/packets/{quote(path, safe='')}"


async def place(whole: Whole, path: str = PATH) -> str:
    """Where to upload."""
    response = await whole.client.put(packet_path(path))
    assert response.status_code == 200, response.text
    found = msgspec.json.decode(response.content, type=UploadPlace)
    assert found.storage_path == path
    return found.presigned_url


async def put(url: str, content: Any, type_: str = SUPER) -> httpx2.Response:
    """Upload like a client that has nothing but the address."""
    async with httpx2.AsyncClient() as client:
        return await client.put(url, content=content, headers={"content-type": type_})


async def get(url: str) -> httpx2.Response:
    async with httpx2.AsyncClient() as client:
        return await client.get(url)


async def trigger_stored(whole: Whole, path: str = PATH, status: int = 200, **more: Any) -> Any:
    options = {"payloadType": "application/store", "payloadSize": 7} | more
    body = {"payload": path, "options": options}
    return await whole.post("/api/v1/tasks/work/trigger", body, status)


async def test_an_uploaded_payload_is_what_the_task_gets(whole: Whole) -> None:
    worker = await whole.worker()
    text = json.dumps(
        {"json": {"n": "5", "t": "é" * 90_000}, "meta": {"values": {"n": ["bigint"]}}}
    )
    url = await place(whole)
    assert (await put(url, text)).status_code == 200
    run_id = (await trigger_stored(whole))["id"]
    order = await worker.next(Execute)
    assert order.run_id == run_id
    assert json.loads(order.payload) == {"n": 5, "t": "é" * 90_000}
    assert (await whole.run(run_id))["payload"] == {"n": 5, "t": "é" * 90_000}


@pytest.mark.parametrize(
    "type_, text, payload",
    [
        ("application/json", '{"a": [1]}', '{"a":[1]}'),
        ("application/json; charset=utf-8", "1", "1"),
        ("text/plain", '{"a"', '"{\\"a\\""'),
        ("text/plain;charset=UTF-8", "", '""'),
        (SUPER, '{"json":["2"],"meta":{"values":{"0":["bigint"]}}}', "[2]"),
    ],
)
async def test_the_type_of_an_upload_is_kept_and_decides(
    whole: Whole, type_: str, text: str, payload: str
) -> None:
    worker = await whole.worker()
    await put(await place(whole), text, type_)
    response = await whole.client.get(packet_path(PATH).replace("v2", "v1"))
    found = msgspec.json.decode(response.content, type=PacketPlace)
    kept = await get(found.presigned_url)
    assert (kept.text, kept.headers["content-type"]) == (text, type_)
    assert kept.headers["x-content-type-options"] == "nosniff"
    await trigger_stored(whole)
    assert (await worker.next(Execute)).payload == payload


async def test_items_of_a_batch_may_be_uploads(whole: Whole) -> None:
    worker = await whole.worker()
    for name in ("a", "b"):
        await put(await place(whole, name), f'"{name * 70_000}"', "application/json")
    stored = {"payloadType": "application/store"}
    items = [
        {"task": "work", "payload": "a", "options": stored},
        {"task": "work", "payload": 1},
        {"task": "work", "payload": "b", "options": stored},
    ]
    await whole.post("/api/v2/tasks/batch", {"items": items}, 202)
    payloads = sorted([(await worker.next(Execute)).payload[:3] for _ in items])
    assert payloads == ['"aa', '"bb', "1"]


async def test_the_payload_of_an_upload_is_validated_like_any_other(whole: Whole) -> None:
    await whole.worker()
    await put(await place(whole), '{"id":"x"}', "application/json")
    body = {"payload": PATH, "options": {"payloadType": "application/store"}}
    answer = await whole.post("/api/v1/tasks/mail%2Fsend/trigger", body, 422)
    assert answer["details"][0]["path"] == "id"
    for type_, text in ((SUPER, "{}"), ("application/json", "{"), ("application/json", "[" * 200)):
        await put(await place(whole), text, type_)
        assert (await trigger_stored(whole, status=422))["code"] == "invalid_payload"
    assert (await whole.get("/api/v1/runs"))["data"] == []


async def test_an_upload_of_nobody_and_of_others_is_missing_alike(whole: Whole) -> None:
    await whole.worker()
    await put(await place(whole, "mine"), "1", "application/json")
    response = await whole.foreign.get(packet_path("mine").replace("v2", "v1"))
    foreign = msgspec.json.decode(response.content, type=PacketPlace)
    assert (await get(foreign.presigned_url)).status_code == 404
    answer = await trigger_stored(whole, "nothing here", 422)
    assert "nothing here" in answer["error"]
    assert "PUT" in answer["error"]
    for path in (5, None, "", "x" * 2000, {"a": 1}):
        body = {"payload": path, "options": {"payloadType": "application/store"}}
        assert (await whole.post("/api/v1/tasks/work/trigger", body, 422))["code"] == (
            "invalid_payload"
        )


async def test_an_upload_can_be_triggered_with_for_a_day(whole: Whole) -> None:
    await whole.worker(slots=0)
    await put(await place(whole), "1", "application/json")
    run_id = (await trigger_stored(whole))["id"]
    whole.house.clock.advance(DAY_MS)
    await whole.house.engine.tick()
    await trigger_stored(whole)
    whole.house.clock.advance(EVERY_MS + 1)
    await whole.house.engine.tick()
    await trigger_stored(whole, status=422)
    assert (await whole.run(run_id))["payload"] == 1


async def test_an_upload_has_a_limit_and_half_of_one_is_none(whole: Whole) -> None:
    await whole.worker(slots=0)
    fits = '"' + "x" * (LIMIT - 2) + '"'
    assert (await put(await place(whole), fits, "application/json")).status_code == 200
    await trigger_stored(whole)

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"y" * MIB

    url = await place(whole, "large")
    assert (await put(url, fits + " ", "application/json")).status_code == 413
    assert (await put(url, endless(), "text/plain")).status_code == 413
    assert (await put(url, b"\xff\xfe", "text/plain")).status_code == 422
    assert (await put(url, b"half \xc3", "text/plain")).status_code == 422
    assert (await put(url, "nul \0", "text/plain")).status_code == 422
    await trigger_stored(whole, "large", 422)


async def test_only_types_of_packets_are_taken(whole: Whole) -> None:
    url = await place(whole)
    for type_ in (
        "text/html",
        "image/svg+xml",
        "application/store",
        "",
        "x" * 200,
    ):
        answer = await put(url, "<script>", type_)
        assert answer.status_code == 415, (type_, answer.text)
    async with httpx2.AsyncClient() as client:
        assert (await client.put(url, content=b"x")).status_code == 415


async def test_large_payloads_and_outputs_are_shown_by_their_address(whole: Whole) -> None:
    worker = await whole.worker()
    small, large = {"t": "x" * (SHOWN - 8)}, {"t": "é" + "x" * SHOWN}
    inline = await whole.trigger(small)
    assert (await whole.run(inline))["payload"] == small
    await worker.next(Execute)
    run_id = await whole.trigger(large)
    await worker.finish(await worker.next(Execute), output=json.dumps([large]))
    await worker.durable()
    shown = await whole.run(run_id)
    assert "payload" not in shown
    assert "output" not in shown
    for name, value in (("payload", large), ("output", [large])):
        answer = await get(shown[f"{name}PresignedUrl"])
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == value
        found = await whole.get(f"/api/v1/runs/{run_id}/packets/{name}")
        assert (await get(found["presignedUrl"])).json() == value
    result = await whole.get(f"/api/v1/runs/{run_id}/result")
    assert result["outputType"] == "application/store"
    found = await whole.get(packet_path(result["output"]).replace("v2", "v1"))
    assert (await get(found["presignedUrl"])).json() == [large]


async def test_what_a_run_does_not_have_is_not_found(whole: Whole) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger(1)
    await whole.get(f"/api/v1/runs/{run_id}/packets/output", 404)
    await whole.get(f"/api/v1/runs/{run_id}/packets/metadata", 404)
    await whole.get("/api/v1/runs/run_unknown/packets/payload", 404)
    response = await whole.foreign.get(f"/api/v1/runs/{run_id}/packets/payload")
    assert response.status_code == 404
    response = await whole.client.put(packet_path(f"runs/{run_id}/payload.json"))
    assert response.status_code == 400


async def test_addresses_are_those_that_the_caller_sees(whole: Whole) -> None:
    headers = {"host": f"localhost:{whole.port}", "x-forwarded-proto": "https"}
    answer = (await whole.client.put(packet_path("a b/ü?#&%2F"), headers=headers)).json()
    assert answer["presignedUrl"].startswith(f"https://localhost:{whole.port}/api/v1/signed/")
    url = answer["presignedUrl"].replace("https", "http").replace("localhost", "127.0.0.1")
    assert (await put(url, "1", "application/json")).status_code == 200
    assert answer["storagePath"] == "a b/ü?#&%2F"


async def test_every_changed_address_is_refused_alike(whole: Whole) -> None:
    await whole.worker(slots=0)
    upload = await place(whole)
    await put(upload, "1", "application/json")
    run_id = await whole.trigger(1)
    read = (await whole.get(f"/api/v1/runs/{run_id}/packets/payload"))["presignedUrl"]
    foreign = (await whole.foreign.put(packet_path(PATH))).json()["presignedUrl"]
    seen = set()
    async with httpx2.AsyncClient() as client:

        async def refused(method: str, url: str) -> None:
            response = await client.request(
                method, url, content=b"2", headers={"content-type": "application/json"}
            )
            assert response.status_code == 401, (method, url, response.text)
            seen.add(response.text)

        for url in (upload, read):
            for changed in mutations(url):
                for method in ("GET", "PUT", "HEAD"):
                    if method != "HEAD":
                        await refused(method, changed)
            await refused("PUT" if url == read else "GET", url)
        signature = parse_qs(urlsplit(foreign).query)["signature"][0]
        await refused("PUT", with_query(upload, signature=signature))
        whole.house.clock.advance(signed.LIFE_S * 1000 + 1)
        await refused("PUT", upload)
        await refused("GET", read)
    assert len(seen) == 1
    kept = await whole.house.objects.kept((whole.house.env.shard_id, whole.house.env.env_id), PATH)
    assert kept is not None
    assert kept.text == "1"


def with_query(url: str, **changes: str) -> str:
    """The address with other values in its query."""
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()} | changes
    return parts._replace(query="&".join(f"{n}={v}" for n, v in query.items())).geturl()


def mutations(url: str) -> list[str]:
    """The address, changed in every way that somebody might try."""
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    expires, signature = query["expires"], query["signature"]
    flipped = "0" if signature[0] != "0" else "1"
    queries = [
        "",
        f"expires={expires}",
        f"signature={signature}",
        f"signature={signature}&expires={expires}",
        f"expires={expires}&signature=",
        f"expires={expires}&signature={flipped}{signature[1:]}",
        f"expires={expires}&signature={signature[:-1]}",
        f"expires={expires}&signature={signature}0",
        f"expires={expires}&signature={signature.upper()}",
        f"expires={expires}&signature=%C3%A9{signature}",
        f"expires={expires}&signature={'0' * 64}",
        f"expires={int(expires) + 1}&signature={signature}",
        f"expires=0{expires}&signature={signature}",
        f"expires=%2B{expires}&signature={signature}",
        f"expires={expires}.0&signature={signature}",
        f"expires=-1&signature={signature}",
        f"expires={'9' * 40}&signature={signature}",
        f"expires=%D9%A1%D9%A2&signature={signature}",
        f"expires={expires}&expires={expires}&signature={signature}",
        f"expires={expires}&signature={signature}&x=1",
        f"expires={expires}&signature={signature}&signature={signature}",
        f"expires={expires}&signature={signature}&method=PUT",
    ]
    head, place_, path = parts.path.rsplit("/", 2)
    shard, env = place_.split("-")
    paths = [
        f"{head}/{shard}-{int(env) + 1}/{path}",
        f"{head}/{int(shard) + 1}-{env}/{path}",
        f"{head}/0{shard}-{env}/{path}",
        f"{head}/{place_}-1/{path}",
        f"{head}/{env}/{path}",
        f"{head}/9999-1/{path}",
        f"{head}/{place_}/{path}x",
        f"{head}/{place_}/{path[:-1]}",
        f"{head}/{place_}/{path}%2F..",
        f"{head}/{place_}/{path.replace('%2F', '%5C')}",
        f"{head}/{place_}/..%2F{path}",
    ]
    found = [parts._replace(query=query).geturl() for query in queries]
    return found + [parts._replace(path=path).geturl() for path in paths]


ENV = EnvironmentRow(7, "dev", 3)
methods = st.sampled_from(["GET", "PUT"])
paths = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(methods, paths, methods, paths, st.integers(1, 2**40), st.integers(-5000, 5000))
def test_a_signature_holds_for_its_own_method_path_and_time(
    method: str, path: str, other_method: str, other_path: str, now: int, later_s: int
) -> None:
    url = signed.location("hash", ENV, method, path, now)
    query = urlsplit(url).query.encode()
    moment = now + later_s * 1000
    good = moment < (now // 1000 + signed.LIFE_S) * 1000
    assert signed.proves("hash", method, ("3-7", path), query, moment) == good
    same = (other_method, other_path) == (method, path)
    assert signed.proves("hash", other_method, ("3-7", other_path), query, now) == same
    assert not signed.proves("hash2", method, ("3-7", path), query, now)
    assert not signed.proves("hash", method, ("3-8", path), query, now)


@given(st.binary(max_size=120))
def test_no_query_raises_anything(query: bytes) -> None:
    assert not signed.proves("hash", "GET", ("3-7", "a"), query, 0)


@given(st.data())
def test_no_change_of_one_character_is_good(data: st.DataObject) -> None:
    query = urlsplit(signed.location("hash", ENV, "GET", "a", 1_700_000_000_000)).query
    at = data.draw(st.integers(0, len(query) - 1))
    new = data.draw(st.characters(min_codepoint=33, max_codepoint=126))
    changed = query[:at] + new + query[at + 1 :]
    good = changed == query
    found = signed.proves("hash", "GET", ("3-7", "a"), changed.encode(), 1_700_000_000_000)
    assert found == good
