"""What browsers are let in by: cookies that count on our own pages, and the pages themselves."""

import json
import re
from pathlib import Path

import pytest
import websockets
from websockets.exceptions import InvalidStatus

from mainspring.model.run import Run, RunError, RunPage, Status
from mainspring.server.api import pages
from mainspring.server.app import build
from mainspring.server.serve import Listener
from mainspring.wire import calls
from tests.server.conftest import CHECKED, KEY, PEPPER, Served

SESSION = "/api/mainspring/v1/session"
CALL = "/api/mainspring/v1/call"


@pytest.fixture
def own(served: Served) -> dict[str, str]:
    """Headers that a page of this server sends."""
    served.client.headers.pop("authorization")
    return {"origin": served.url}


@pytest.fixture
async def dev(engine, clock, server_settings):
    """The server of `mainspring dev`."""
    app = build(engine, server_settings, clock, pepper=PEPPER, routes=CHECKED, dev_key=KEY)
    listener = Listener(app, server_settings)
    await listener.start()
    running = Served(app, listener, engine)
    running.client.headers.pop("authorization")
    async with running.client:
        yield running
    await listener.stop()


async def sign_in(served: Served, headers: dict[str, str], token: str = KEY) -> str:
    """The cookie of a new session."""
    answer = await served.client.post(SESSION, json={"token": token}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.headers["set-cookie"].partition(";")[0]


async def test_a_key_typed_in_opens_a_session_that_scripts_cannot_read(served, own):
    answer = await served.client.post(SESSION, json={"token": KEY}, headers=own)
    assert answer.json()["signedIn"] is True
    assert answer.json()["environments"] == [{"slug": "dev"}]
    name, *told = answer.headers["set-cookie"].split("; ")
    assert told == ["Path=/", "HttpOnly", "SameSite=Lax"]
    assert name.startswith(f"mainspring-{served.port}=")
    listed = await served.client.get("/api/v1/runs")
    assert listed.status_code == 200


async def test_behind_tls_the_cookie_is_bound_to_the_host_and_to_tls(served, own):
    headers = {"x-forwarded-proto": "https", "origin": served.url.replace("http", "https")}
    answer = await served.client.post(SESSION, json={"token": KEY}, headers=headers)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-mainspring=")
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax; Secure")


@pytest.mark.parametrize("token", ["", "tr_dev_sk_" + "0" * 24, "nonsense", 7])
async def test_what_opens_nothing_begins_no_session(served, own, token):
    answer = await served.client.post(SESSION, json={"token": token}, headers=own)
    assert answer.status_code in (400, 401)
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "http://127.0.0.1:1"])
async def test_pages_of_other_sites_change_nothing_with_the_cookie(served, own, origin):
    cookie = await sign_in(served, own)
    headers = {"cookie": cookie} | ({"origin": origin} if origin else {})
    for method, path in (("POST", "/api/v2/runs/run_1/cancel"), ("POST", CALL), ("POST", SESSION)):
        answer = await served.client.request(method, path, headers=headers, json={"token": KEY})
        assert answer.status_code == 403
    assert served.engine.asked == []


async def test_pages_of_other_sites_read_nothing_with_the_cookie(served, own):
    cookie = await sign_in(served, own)
    foreign = {"cookie": cookie, "origin": "http://evil.example"}
    assert (await served.client.get("/api/v1/runs", headers=foreign)).status_code == 401
    across = {"cookie": cookie, "sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}
    assert (await served.client.get("/api/v1/runs", headers=across)).status_code == 401


async def test_the_socket_takes_the_cookie_from_our_own_pages_only(served, own):
    cookie = await sign_in(served, own)
    url = f"ws://127.0.0.1:{served.port}/api/v1/realtime"
    for headers in ({}, {"origin": "http://evil.example"}):
        with pytest.raises(InvalidStatus):
            await websockets.connect(url, additional_headers={"cookie": cookie} | headers)
    # the table's engine has no feed: that this is reached shows that the door is open
    with pytest.raises(InvalidStatus) as refused:
        await websockets.connect(url, additional_headers={"cookie": cookie} | own)
    assert refused.value.response.status_code == 500


async def test_a_revoked_key_ends_its_sessions(served, own, engine, clock):
    cookie = await sign_in(served, own)
    await engine.access.end(KEY)
    clock.advance(10_000)
    answer = await served.client.get("/api/v1/runs", headers={"cookie": cookie})
    assert answer.status_code == 401


async def test_signing_out_takes_the_cookie_away(served, own):
    await sign_in(served, own)
    answer = await served.client.delete(SESSION, headers=own)
    assert answer.json()["signedIn"] is False
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert (await served.client.get("/api/v1/runs")).status_code == 401


async def test_a_stranger_is_told_that_he_is_one_without_an_error(served, own):
    answer = await served.client.get(SESSION)
    assert answer.status_code == 200
    assert answer.json()["signedIn"] is False
    broken = await served.client.get(SESSION, headers={"cookie": 'a=["; mainspring-1'})
    assert broken.json()["signedIn"] is False


async def test_mainspring_dev_lets_a_browser_on_the_same_machine_in(dev):
    assert (await dev.client.get(SESSION)).json()["dev"] is True
    answer = await dev.client.post(f"{SESSION}/dev", headers={"origin": dev.url})
    assert answer.json()["signedIn"] is True
    assert KEY not in answer.headers["set-cookie"]
    assert (await dev.client.get("/api/v1/runs")).status_code == 200


@pytest.mark.parametrize("origin", [None, "http://evil.example", "http://localhost:3000"])
async def test_mainspring_dev_lets_no_page_of_another_site_in(dev, origin):
    headers = {"origin": origin} if origin else {}
    answer = await dev.client.post(f"{SESSION}/dev", headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_other_servers_have_no_way_in_without_a_token(served, own):
    answer = await served.client.post(f"{SESSION}/dev", headers=own)
    assert answer.status_code == 404


async def test_calls_are_answered_as_json_to_those_who_ask_so(served):
    answer = await served.client.post(CALL, json={"type": "queues"})
    assert [queue["name"] for queue in answer.json()["queues"]] == ["task/mail/send", "mail/out"]
    wrong = await served.client.post(CALL, json={"type": "nothing"})
    assert (wrong.status_code, "cannot be read" in wrong.text) == (400, True)


async def test_a_filter_with_a_word_that_is_none_does_not_mean_all_runs(served):
    wanted = {"type": "start_bulk", "kind": "cancel", "filter": {"tags": ["mail"]}}
    wrong = await served.client.post(CALL, json=wanted)
    assert (wrong.status_code, "`tags`" in wrong.text) == (400, True)


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a built dashboard in it."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(
        '<html data-theme=""><base href="/" /><script src="./assets/x.js"></script>'
    )
    (tmp_path / "assets" / "x.js").write_text("x = 1;" * 1000)
    (tmp_path / "secret.txt").write_text("secret")
    monkeypatch.setattr(pages, "FOLDER", tmp_path)
    pages._read.cache_clear()
    return tmp_path


@pytest.mark.parametrize("path", ["/", "/runs", "/runs/run_1", "/queues", "/settings"])
async def test_every_view_is_the_one_page_which_is_asked_for_anew(served, built, path):
    answer = await served.client.get(path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"
    assert '<base href="/"' in answer.text
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


async def test_what_is_no_view_is_not_found(served, built):
    for path in ("/nothing", "/api/v1/nothing", "/runs/run_1/nothing"):
        assert (await served.client.get(path)).status_code == 404


BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize("path", ["/nonsense", "/runs/run_1/nothing", "/a/b/c"])
async def test_a_person_at_an_unknown_address_sees_the_page_and_a_program_json(served, built, path):
    answer = await served.client.get(path, headers=BROWSER | {"x-forwarded-prefix": "/jobs"})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert '<base href="/jobs/"' in answer.text
    for accept in ("application/json", "*/*"):
        told = await served.client.get(path, headers={"accept": accept})
        assert (told.status_code, told.json()["code"]) == (404, "not_found")
    posted = await served.client.post(path, headers=BROWSER)
    assert (posted.status_code, posted.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/assets/a/b.js", "/webhooks/x"])
async def test_what_only_programs_ask_for_is_never_a_page(served, built, path):
    answer = await served.client.get(path, headers=BROWSER)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_without_a_build_an_unknown_address_leads_to_the_plain_pages(
    served, tmp_path, monkeypatch
):
    monkeypatch.setattr(pages, "FOLDER", tmp_path)
    answer = await served.client.get("/nonsense", headers=BROWSER)
    assert answer.status_code == 404
    assert '<a href="plain">To the runs</a>' in answer.text


async def test_behind_a_prefix_the_page_says_so(served, built):
    answer = await served.client.get("/runs", headers={"x-forwarded-prefix": "/jobs/"})
    assert '<base href="/jobs/"' in answer.text


@pytest.mark.parametrize(
    "prefix", ["//evil.example", '/a"><script>', "https://evil.example", "/a/.."]
)
async def test_no_prefix_leads_elsewhere(served, built, prefix):
    answer = await served.client.get("/runs", headers={"x-forwarded-prefix": prefix})
    base = re.search(r'<base href="([^"]*)"', answer.text)
    assert base is not None
    assert base[1] in ("/", "/a/../")


async def test_the_page_comes_in_the_chosen_theme(served, built):
    answer = await served.client.get("/", headers={"cookie": "a=b; mainspring-theme=dark"})
    assert 'data-theme="dark"' in answer.text
    answer = await served.client.get("/", headers={"cookie": 'mainspring-theme="><x>'})
    assert 'data-theme=""' in answer.text


async def test_hashed_files_never_change_and_come_compressed(served, built):
    answer = await served.client.get("/assets/x.js")
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.text == "x = 1;" * 1000
    plain = await served.client.get("/assets/x.js", headers={"accept-encoding": "identity"})
    assert plain.text == answer.text


@pytest.mark.parametrize(
    "name", ["..%2fsecret.txt", "..%2findex.html", "secret.txt", ".js", "y.js"]
)
async def test_nothing_else_is_served(served, built, name):
    assert (await served.client.get(f"/assets/{name}")).status_code == 404


async def test_without_a_build_the_plain_pages_stand_in(served, own, tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "FOLDER", tmp_path)
    answer = await served.client.get("/runs")
    assert (answer.status_code, answer.headers["location"]) == (303, "/plain")
    door = await served.client.get("/plain")
    assert (door.status_code, 'name="token"' in door.text) == (401, True)
    assert "script" not in door.text
    entered = await served.client.post("/plain/session", data={"token": KEY}, headers=own)
    assert entered.status_code == 303
    listed = await served.client.get("/plain")
    assert "No runs." in listed.text


async def test_plain_pages_show_a_run_and_obey_their_own_forms_only(served, own):
    cookie = await sign_in(served, own)
    shown = await served.client.get("/plain/runs/run_1")
    assert 'action="plain/runs/run_1/cancel"' in shown.text
    for verb in ("cancel", "replay"):
        foreign = {"cookie": cookie, "origin": "http://evil.example"}
        refused = await served.client.post(f"/plain/runs/run_1/{verb}", headers=foreign)
        assert refused.status_code == 403
        done = await served.client.post(f"/plain/runs/run_1/{verb}", headers=own)
        assert done.status_code == 303


async def test_plain_pages_escape_what_runs_say(served, own, engine):
    text = "<script>alert(1)</script>"
    run = Run("run_1", text, Status.FAILED, text, 1, 1_700_000_000_000, payload=json.dumps(text))
    run.error, run.tags = RunError(text, text, text), (text,)
    engine.answers |= {calls.Retrieve: lambda request, env: run, calls.ListRuns: RunPage([run])}
    await sign_in(served, own)
    for path in ("/plain", "/plain/runs/run_1"):
        page = (await served.client.get(path)).text
        assert "<script" not in page
        assert "&lt;script&gt;" in page
