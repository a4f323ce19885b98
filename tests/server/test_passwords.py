"""Names and passwords: the first person, sessions that end, guesses that are counted."""

from __future__ import annotations

import pytest

from mainspring.server.api.session import SESSION_MS
from mainspring.server.auth import KEPT_S
from mainspring.server.passwords import AT_ONCE, EACH_S
from mainspring.server.peoplebook import PeopleBook
from tests.server.conftest import DEV, KEY, PEPPER

SESSION = "/api/mainspring/v1/session"
RUNS = "/api/v1/runs"
WORDS = "correct horse battery"


@pytest.fixture
def own(served):
    """Headers that a page of this server sends."""
    served.client.headers.pop("authorization")
    return {"origin": served.url}


async def first(served, own, **more):
    fields = {"token": KEY, "name": "ann", "password": WORDS} | more
    return await served.client.post(f"{SESSION}/first", json=fields, headers=own)


async def enter(served, own, password=WORDS, name="ann"):
    served.client.cookies.clear()
    fields = {"name": name, "password": password}
    return await served.client.post(SESSION, json=fields, headers=own)


async def test_the_first_person_comes_with_the_key_and_is_an_admin_from_then_on(served, own):
    assert (await served.client.get(SESSION)).json()["first"] is True
    assert (await first(served, own, token="tr_dev_sk_" + "0" * 24)).status_code == 401
    assert (await first(served, own, password="short")).status_code == 422
    answer = (await first(served, own)).json()
    assert (answer["signedIn"], answer["name"]) == (True, "person ann")
    assert answer["environments"] == [{"slug": "dev", "role": "admin"}]
    assert (await first(served, own, name="eve")).status_code == 403
    served.client.cookies.clear()
    assert (await served.client.get(SESSION)).json()["first"] is False


async def test_a_name_and_password_open_a_session_that_signing_out_ends(served, own, clock):
    await first(served, own)
    answer = await enter(served, own)
    cookie = answer.headers["set-cookie"].partition(";")[0]
    assert WORDS not in cookie
    assert (await served.client.get(RUNS)).status_code == 200
    await served.client.delete(SESSION, headers=own)
    served.client.cookies.clear()
    clock.advance(int(KEPT_S * 1000) + 1)
    assert (await served.client.get(RUNS, headers={"cookie": cookie})).status_code == 401


async def test_a_session_ends_by_itself(served, own, clock):
    await first(served, own)
    assert (await served.client.get(RUNS)).status_code == 200
    clock.advance(SESSION_MS + 1)
    assert (await served.client.get(RUNS)).status_code == 401


async def test_a_wrong_password_and_an_unknown_name_look_the_same(served, own):
    await first(served, own)
    wrong = [await enter(served, own, "something else")]
    wrong += [await enter(served, own, name=name) for name in ("bob", "a\tb")]
    assert [one.status_code for one in wrong] == [401, 401, 401]
    assert wrong[0].json() == wrong[1].json() == wrong[2].json()


async def test_guesses_are_counted_by_name_and_by_address(served, own, clock):
    await first(served, own)
    told = [(await enter(served, own, f"guess number {n}")).status_code for n in range(AT_ONCE + 1)]
    assert told == [401] * AT_ONCE + [429]
    refused = await enter(served, own)
    assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)
    clock.advance(int(EACH_S * 2_000))
    assert (await enter(served, own)).status_code == 200


async def test_a_person_sets_a_password_and_gives_the_old_one_to_change_it(served, own, engine):
    token = await PeopleBook(engine.access, PEPPER, 0, "test").add("bob", "viewer", DEV)
    await served.client.post(SESSION, json={"token": token}, headers=own)
    path = f"{SESSION}/password"
    for fields, status in (
        ({"password": WORDS}, 200),
        ({"password": "another horse"}, 401),
        ({"password": "another horse", "old": WORDS}, 200),
    ):
        answer = await served.client.post(path, json=fields, headers=own)
        assert answer.status_code == status, answer.text
    assert (await enter(served, own, "another horse", "bob")).status_code == 200
    await served.client.post(SESSION, json={"token": KEY}, headers=own)
    assert (
        await served.client.post(path, json={"password": WORDS}, headers=own)
    ).status_code == 403


async def test_pages_of_other_sites_try_no_passwords(served, own):
    await first(served, own)
    assert (await enter(served, {"origin": "http://evil.example"})).status_code == 403
