"""Public tokens: what their holders may do, and that no other text is one."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any, Final

import httpx2
import pytest

from mainspring.clock import ManualClock
from mainspring.errors import InvalidOptions, NotFound, StoreUnavailable
from mainspring.model.audit import Entry
from mainspring.model.run import Run, Status
from mainspring.server.auth import AGAIN_MS, KEPT_S
from mainspring.wire import calls, tokens
from tests.server.conftest import DEV, KEY, OTHER_KEY, PEPPER, PROD, Served, WatchedKeyring

DAY_S: Final = 86_400
RUN = "/api/v3/runs/run_1"
TRIGGER = "/api/v1/tasks/mail/trigger"
SIGNING = PEPPER.signing(DEV.env_id, 0)
LIMITED = "tr_dev_sk_" + "l" * 24


def part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(head: bytes, payload: bytes, key: bytes = SIGNING, digest: Any = hashlib.sha256) -> str:
    text = f"{part(head)}.{part(payload)}"
    return f"{text}.{part(hmac.digest(key, text.encode(), digest))}"


HEAD = b'{"alg":"HS256"}'


def claims(now_s: int, **more: Any) -> dict[str, Any]:
    """Those of a token that is good; None takes one away."""
    usual = {
        "sub": "env_1", "pub": True, "scopes": ["read:runs:run_1"], "iat": now_s,
        "iss": "https://id.trigger.dev", "aud": "https://api.trigger.dev", "exp": now_s + 900,
    }  # fmt: skip
    return {name: value for name, value in (usual | more).items() if value is not None}


def made(now_s: int, **more: Any) -> str:
    return sign(HEAD, json.dumps(claims(now_s, **more)).encode())


def text_of(now_s: int, before: str, after: str) -> str:
    """A good token whose JSON text was changed before it was signed."""
    text = json.dumps(claims(now_s))
    assert before in text
    return sign(HEAD, text.replace(before, after, 1).encode())


def changed(token: str, at: int, how: Callable[[str], str]) -> str:
    """The token with one of its three parts changed."""
    parts = token.split(".")
    parts[at] = how(parts[at])
    return ".".join(parts)


def turned(text: str, at: int) -> str:
    """The text with another letter there."""
    at %= len(text)
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


def last_bits(text: str) -> str:
    """The same bytes, spelt with another last letter."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + letters[letters.index(text[-1]) ^ 1]


def as_public_key(now_s: int) -> str:
    """Signed with what everybody knows."""
    return sign(HEAD, json.dumps(claims(now_s)).encode(), b"env_1")


Make = Callable[[int], str]
MUTATED: dict[str, Make] = {
    # the header: one algorithm in one spelling
    "alg none": lambda now: sign(b'{"alg":"none"}', json.dumps(claims(now)).encode()),
    "alg none unsigned": lambda now: changed(
        sign(b'{"alg":"none"}', json.dumps(claims(now)).encode()), 2, lambda _: ""
    ),
    "alg None": lambda now: sign(b'{"alg":"None"}', json.dumps(claims(now)).encode()),
    "alg lowercase": lambda now: sign(b'{"alg":"hs256"}', json.dumps(claims(now)).encode()),
    "alg RS256": lambda now: sign(b'{"alg":"RS256"}', json.dumps(claims(now)).encode()),
    "alg ES256": lambda now: sign(b'{"alg":"ES256"}', json.dumps(claims(now)).encode()),
    "alg HS384": lambda now: sign(
        b'{"alg":"HS384"}', json.dumps(claims(now)).encode(), digest=hashlib.sha384
    ),
    "alg HS512": lambda now: sign(
        b'{"alg":"HS512"}', json.dumps(claims(now)).encode(), digest=hashlib.sha512
    ),
    "alg missing": lambda now: sign(b"{}", json.dumps(claims(now)).encode()),
    "alg twice": lambda now: sign(
        b'{"alg":"none","alg":"HS256"}', json.dumps(claims(now)).encode()
    ),
    "alg a list": lambda now: sign(b'{"alg":["HS256"]}', json.dumps(claims(now)).encode()),
    "head with a space": lambda now: sign(b'{"alg": "HS256"}', json.dumps(claims(now)).encode()),
    "head with a key id": lambda now: sign(
        b'{"alg":"HS256","kid":"0"}', json.dumps(claims(now)).encode()
    ),
    "head with a key": lambda now: sign(
        b'{"alg":"HS256","jwk":{"kty":"oct","k":"AA"}}', json.dumps(claims(now)).encode(), b"\0"
    ),
    "head critical": lambda now: sign(
        b'{"alg":"HS256","crit":["exp"]}', json.dumps(claims(now)).encode()
    ),
    "head no json": lambda now: sign(b"HS256", json.dumps(claims(now)).encode()),
    "head empty": lambda now: changed(made(now), 0, lambda _: ""),
    # the signature
    "signature missing": lambda now: changed(made(now), 2, lambda _: ""),
    "signature cut": lambda now: changed(made(now), 2, lambda text: text[:-1]),
    "signature cut to a prefix": lambda now: changed(made(now), 2, lambda text: text[:22]),
    "signature longer": lambda now: changed(made(now), 2, lambda text: text + "AA"),
    "signature first letter": lambda now: changed(made(now), 2, lambda text: turned(text, 0)),
    "signature middle letter": lambda now: changed(made(now), 2, lambda text: turned(text, 20)),
    "signature other last bits": lambda now: changed(made(now), 2, last_bits),
    "signature padded": lambda now: changed(made(now), 2, lambda text: text + "="),
    "signature upper case": lambda now: changed(made(now), 2, str.upper),
    "signature hex": lambda now: changed(
        made(now), 2, lambda text: base64.urlsafe_b64decode(text + "=").hex()
    ),
    "signature zeros": lambda now: changed(made(now), 2, lambda _: part(bytes(32))),
    "signature of another token": lambda now: changed(
        made(now), 2, lambda _: made(now - 1).split(".")[2]
    ),
    "signed with nothing": lambda now: sign(HEAD, json.dumps(claims(now)).encode(), b""),
    "signed with a public text": as_public_key,
    "signed with the secret key": lambda now: sign(
        HEAD, json.dumps(claims(now)).encode(), KEY.encode()
    ),
    "signed with the stored hash": lambda now: sign(
        HEAD, json.dumps(claims(now)).encode(), PEPPER.stored(KEY).encode()
    ),
    "signed with the proof of addresses": lambda now: sign(
        HEAD, json.dumps(claims(now)).encode(), PEPPER.callback(1).encode()
    ),
    "signed with a number to come": lambda now: sign(
        HEAD, json.dumps(claims(now)).encode(), PEPPER.signing(1, 2)
    ),
    "signed by another environment": lambda now: sign(
        HEAD, json.dumps(claims(now)).encode(), PEPPER.signing(PROD.env_id, 0)
    ),
    # the text
    "payload changed": lambda now: changed(made(now), 1, lambda text: turned(text, 30)),
    "payload padded": lambda now: changed(made(now), 1, lambda text: text + "="),
    "payload with a line break": lambda now: changed(made(now), 1, lambda text: text + "%0A"),
    "payload of another token": lambda now: changed(
        made(now), 1, lambda _: made(now, scopes=["admin"]).split(".")[1]
    ),
    "payload empty": lambda now: sign(HEAD, b""),
    "payload no json": lambda now: sign(HEAD, b"scopes"),
    "payload a list": lambda now: sign(HEAD, json.dumps([claims(now)]).encode()),
    "payload null": lambda now: sign(HEAD, b"null"),
    "payload deep": lambda now: sign(HEAD, b"[" * 5000),
    "payload no utf-8": lambda now: sign(HEAD, b'{"sub":"\xff"}'),
    "payload with an end": lambda now: sign(HEAD, json.dumps(claims(now)).encode() + b"{}"),
    "two parts": lambda now: made(now).rpartition(".")[0] + "..",
    "huge": lambda now: made(now, scopes=["read:runs:" + "x" * 13_000] * 1),
    "a scope twice, as names": lambda now: text_of(
        now, '"scopes"', '"scopes": ["admin"], "scopes"'
    ),
    "sub twice": lambda now: text_of(now, '"sub"', '"sub": "env_2", "sub"'),
    "exp twice": lambda now: text_of(now, '"exp"', '"exp": 1, "exp"'),
    "realtime twice inside": lambda now: sign(
        HEAD,
        json.dumps(claims(now, realtime={"a": 1})).replace('"a": 1', '"a": 1, "a": 2').encode(),
    ),
    # the claims
    "expired": lambda now: made(now - 901),
    "expires now": lambda now: made(now, exp=now, iat=now - 60),
    "exp missing": lambda now: made(now, exp=None),
    "exp null": lambda now: sign(HEAD, json.dumps(claims(now) | {"exp": None}).encode()),
    "exp text": lambda now: made(now, exp=str(now + 900)),
    "exp true": lambda now: made(now, exp=True),
    "exp fraction": lambda now: made(now, exp=now + 0.5),
    "exp huge": lambda now: made(now, exp=10**30),
    "exp infinite": lambda now: text_of(now, f'"exp": {now + 900}', '"exp": Infinity'),
    "exp negative": lambda now: made(now, exp=-1),
    "lives too long": lambda now: made(now, exp=now + 30 * DAY_S + 1),
    "lived too long": lambda now: made(now - 30 * DAY_S, exp=now + 1),
    "iat missing": lambda now: made(now, iat=None),
    "made later": lambda now: made(now, iat=now + 61, exp=now + 90),
    "not yet": lambda now: made(now, nbf=now + 1),
    "nbf text": lambda now: made(now, nbf="0"),
    "iss missing": lambda now: made(now, iss=None),
    "iss wrong": lambda now: made(now, iss="https://id.example.org"),
    "iss with a slash": lambda now: made(now, iss="https://id.trigger.dev/"),
    "aud missing": lambda now: made(now, aud=None),
    "aud wrong": lambda now: made(now, aud="https://api.example.org"),
    "aud a list": lambda now: made(now, aud=["https://api.trigger.dev"]),
    "sub missing": lambda now: made(now, sub=None),
    "sub of another environment": lambda now: made(now, sub="env_2"),
    "sub unknown": lambda now: made(now, sub="env_99"),
    "sub spelt otherwise": lambda now: made(now, sub="env_01"),
    "sub with a space": lambda now: made(now, sub="env_1 "),
    "sub a number": lambda now: made(now, sub=1),
    "sub wide digits": lambda now: made(now, sub="env_\uff11"),
    "sub endless": lambda now: made(now, sub="env_" + "1" * 40),
    "pub missing": lambda now: made(now, pub=None),
    "pub false": lambda now: made(now, pub=False),
    "pub text": lambda now: made(now, pub="true"),
    "pub one": lambda now: made(now, pub=1),
    "scopes missing": lambda now: made(now, scopes=None),
    "scopes empty": lambda now: made(now, scopes=[]),
    "scopes text": lambda now: made(now, scopes="read:runs"),
    "scopes of numbers": lambda now: made(now, scopes=[1]),
    "scopes with nothing": lambda now: made(now, scopes=["read:runs:run_1", ""]),
    "scopes without end": lambda now: made(now, scopes=["a:b"] * 1001),
    "otu text": lambda now: made(now, otu="true"),
    "realtime text": lambda now: made(now, realtime="skip"),
    "key unknown": lambda now: made(now, key="key_gone"),
    "key a number": lambda now: made(now, key=7),
}


@pytest.fixture
def now_s(clock: ManualClock) -> int:
    return clock.now() // 1000


@pytest.fixture
async def access(served: Served) -> WatchedKeyring:
    """That of the server; its client has no key of its own any more."""
    served.client.headers.pop("authorization")
    return served.engine.access


async def ask(
    served: Served, token: str, path: str = RUN, method: str = "GET", **more: Any
) -> httpx2.Response:
    headers = {"authorization": f"Bearer {token}"} | more.pop("headers", {})
    return await served.client.request(method, path, headers=headers, **more)


async def minted(served: Served, key: str = KEY, **body: Any) -> str:
    response = await ask(served, key, "/api/v1/auth/public-tokens", "POST", json=body)
    assert response.status_code == 200, response.text
    return str(response.json()["token"])


def told(response: httpx2.Response) -> tuple[int, dict[str, Any], dict[str, str]]:
    """All of an answer but what tells one request from another."""
    headers = dict(response.headers)
    for name in ("date", "x-request-id"):
        headers.pop(name)
    return response.status_code, response.json(), headers


async def test_a_token_reads_what_it_names(
    served: Served, access: WatchedKeyring, now_s: int
) -> None:
    assert (await ask(served, made(now_s))).status_code == 200
    assert (await ask(served, made(now_s, key=f"key_{KEY[-6:]}"))).status_code == 200


def test_the_table_is_long_enough() -> None:
    assert len(MUTATED) >= 60


@pytest.mark.parametrize("name", MUTATED)
async def test_a_token_of_any_other_form_is_refused_like_every_other(
    served: Served, access: WatchedKeyring, now_s: int, name: str
) -> None:
    expected = told(await ask(served, made(now_s, sub="env_77")))
    assert expected[:1] == (401,)
    assert expected[1]["error"].startswith("Invalid or Missing API key")
    assert told(await ask(served, MUTATED[name](now_s))) == expected
    assert served.engine.asked == []


async def test_tokens_that_were_good_once_are_refused_like_every_other(
    served: Served, access: WatchedKeyring, clock: ManualClock, now_s: int
) -> None:
    expected = told(await ask(served, made(now_s, sub="env_77")))
    scopes = ["read:runs", "trigger:tasks:mail"]
    once = await minted(served, scopes=scopes, oneTimeUse=True)
    assert (await ask(served, once, TRIGGER, "POST", json={})).status_code == 200
    of_key = await minted(served, scopes=scopes, expirationTime="2d")
    await access.make(LIMITED, DEV, "read:runs")
    of_limited = await minted(served, LIMITED, scopes=["read:runs"], expirationTime="2d")
    signed_before = made(now_s, exp=now_s + 2 * DAY_S)
    for token in (of_key, of_limited, signed_before):
        assert (await ask(served, token)).status_code == 200

    async def refused(token: str) -> None:
        clock.advance(int(KEPT_S * 1000) + 1)
        assert told(await ask(served, token)) == expected

    assert told(await ask(served, once)) == expected  # replayed, and for another thing
    await access.end(LIMITED)
    await refused(of_limited)
    now, entry = clock.now(), Entry(clock.now(), 1, "test", "keys.rotate_signing")
    await access.rotate_signing(1, now, now + 20_000, PEPPER.chain(), entry)
    clock.advance(int(KEPT_S * 1000) + 1)
    newer = await minted(served, scopes=["read:runs"], expirationTime="2d")
    for token in (signed_before, of_key, newer):  # within the grace
        assert (await ask(served, token)).status_code == 200
    clock.advance(20_000)
    await refused(signed_before)
    await refused(of_key)
    assert (await ask(served, newer)).status_code == 200
    clock.advance(2 * DAY_S * 1000)
    await refused(newer)


@pytest.mark.parametrize(
    "scopes",
    [
        ["read:runs:run_2"], ["read:runs:run_1x"], ["read:runs:RUN_1"], ["write:runs:run_1"],
        ["read:tags:run_1"], ["read:tasks:u"], ["read:batch:batch_2"], ["trigger:tasks:t"],
        ["read"], ["runs"], ["*"], ["all"], ["admin:runs"], ["read:"], [":runs"], ["read::run_1"],
        ["read:*"], ["read:run"], [" read:runs"], ["Read:runs"], ["read:runs,tags"],
        ["read:tags:env"], ["read:tags:env:"], ["read:tags:env:prod:eu:x"],
    ],
)  # fmt: skip
async def test_a_scope_that_does_not_cover_a_run_hides_whether_there_is_one(
    served: Served, access: WatchedKeyring, now_s: int, scopes: list[str]
) -> None:
    run = Run("run_1", "t", Status.QUEUED, "q", 1, 0, tags=("env:prod:eu",), batch_id="batch_1")
    served.engine.answers[calls.Retrieve] = run
    wrong = told(await ask(served, made(now_s, scopes=scopes)))
    served.engine.answers[calls.Retrieve] = _missing
    unknown = told(await ask(served, made(now_s, scopes=scopes)))
    assert wrong == unknown
    assert wrong[0] == 403
    body = wrong[1]
    assert (body["code"], body["param"], body["type"]) == (
        "unauthorized", "access_token", "authorization",
    )  # fmt: skip


@pytest.mark.parametrize(
    "scopes",
    [
        ["read:runs:run_1"], ["read:runs"], ["read:all"], ["*:runs"], ["*:all"], ["admin"],
        ["read:tasks:t"], ["read:tasks"], ["read:tags:env:prod:eu"], ["read:batch:batch_1"],
        ["write:x", "read:runs:run_2", "read:batch"],
    ],
)  # fmt: skip
async def test_a_scope_covers_a_run_by_id_task_tag_or_batch(
    served: Served, access: WatchedKeyring, now_s: int, scopes: list[str]
) -> None:
    run = Run("run_1", "t", Status.QUEUED, "q", 1, 0, tags=("env:prod:eu",), batch_id="batch_1")
    served.engine.answers[calls.Retrieve] = run
    assert (await ask(served, made(now_s, scopes=scopes))).status_code == 200


async def test_items_of_a_batch_must_all_be_covered(
    served: Served, access: WatchedKeyring, now_s: int
) -> None:
    body = {"items": [{"task": "a"}, {"task": "b"}]}
    for scopes, status in (
        (["batchTrigger:tasks:a"], 403),
        (["batchTrigger:tasks:a", "batchTrigger:tasks:b"], 202),
        (["batchTrigger:tasks"], 202),
        (["trigger:tasks"], 403),
    ):
        token = made(now_s, scopes=scopes)
        response = await ask(served, token, "/api/v2/tasks/batch", "POST", json=body)
        assert response.status_code == status, scopes


@pytest.mark.parametrize(
    "method, path, body, scope",
    [
        ("POST", TRIGGER, {}, "trigger:tasks:mail"),
        ("POST", "/api/v2/runs/run_1/cancel", None, "write:runs:run_1"),
        ("POST", "/api/v1/idempotencyKeys/k/reset", {"taskIdentifier": "t"}, "write:runs"),
        ("POST", "/api/v1/waitpoints/tokens/w_1/complete", {}, "write:waitpoints:w_1"),
        ("POST", "/realtime/v1/streams/run_1/input/s", {"data": 1}, "write:inputStreams:run_1"),
    ],
)  # fmt: skip
async def test_a_token_does_what_it_names_and_nothing_else(
    served: Served,
    access: WatchedKeyring,
    now_s: int,
    method: str,
    path: str,
    body: Any,
    scope: str,
) -> None:
    token = made(now_s, scopes=["read:all", f"{scope}x", "write:tags", "trigger:tags"])
    assert (await ask(served, token, path, method, json=body)).status_code == 403
    token = made(now_s, scopes=[scope])
    assert (await ask(served, token, path, method, json=body)).status_code == 200


@pytest.mark.parametrize(
    "method, path",
    [
        ("POST", "/api/v1/runs/run_1/replay"), ("POST", "/api/v1/runs/run_1/reschedule"),
        ("POST", "/api/v1/runs/run_1/tags"), ("PUT", "/api/v1/runs/run_1/metadata"),
        ("GET", "/api/v1/runs/run_1/metadata"), ("POST", "/api/v1/waitpoints/tokens"),
        ("GET", "/api/v1/waitpoints/tokens"), ("POST", "/api/v1/queues/q/pause"),
        ("GET", "/api/v1/queues"),
        ("POST", "/api/mainspring/v1/events/e"), ("POST", "/api/v1/auth/public-tokens"),
        ("POST", "/api/v1/auth/jwt"), ("POST", "/api/v1/auth/jwt/claims"),
        ("GET", "/api/mainspring/v1/keys"), ("GET", "/api/mainspring/v1/audit"),
    ],
)  # fmt: skip
async def test_what_takes_a_secret_key_takes_no_token_however_wide(
    served: Served, access: WatchedKeyring, now_s: int, method: str, path: str
) -> None:
    token = made(now_s, scopes=["admin", "*:all"])
    response = await ask(served, token, path, method, content=b"{}")
    assert (response.status_code, served.engine.asked) == (403, [])


async def test_of_many_that_use_a_one_time_token_at_once_one_gets_through(
    served: Served, access: WatchedKeyring
) -> None:
    token = await minted(served, scopes=["trigger:tasks:mail"], oneTimeUse=True)
    answers = await asyncio.gather(
        *(ask(served, token, TRIGGER, "POST", json={"payload": at}) for at in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + 7 * [401]
    assert len(served.engine.asked) == 1


async def test_a_one_time_token_survives_a_refused_request_and_a_lost_answer(
    served: Served, access: WatchedKeyring, clock: ManualClock
) -> None:
    token = await minted(
        served, scopes=["trigger:tasks:mail"], oneTimeUse=True, expirationTime="1d"
    )
    served.engine.answers[calls.Trigger] = InvalidOptions("no")
    assert (await ask(served, token, TRIGGER, "POST", json={})).status_code == 422
    served.engine.answers[calls.Trigger] = StoreUnavailable("down")
    same = {"headers": {"x-trigger-request-idempotency-key": "one"}, "json": {}}
    assert (await ask(served, token, TRIGGER, "POST", **same)).status_code == 503
    del served.engine.answers[calls.Trigger]
    assert (await ask(served, token, TRIGGER, "POST", json={})).status_code == 401
    for _ in range(2):  # the engine makes one run of one request key
        again = {"headers": {"x-trigger-request-idempotency-key": "one"}, "json": {}}
        assert (await ask(served, token, TRIGGER, "POST", **again)).status_code == 200
    elsewhere = {"headers": {"x-trigger-request-idempotency-key": "one"}, "json": {}}
    other = await ask(served, token, "/api/v1/tasks/other/trigger", "POST", **elsewhere)
    assert other.status_code == 401
    clock.advance(AGAIN_MS + 1)
    late = {"headers": {"x-trigger-request-idempotency-key": "one"}, "json": {}}
    assert (await ask(served, token, TRIGGER, "POST", **late)).status_code == 401


async def test_a_refused_repeat_does_not_make_a_one_time_token_good_again(
    served: Served, access: WatchedKeyring
) -> None:
    token = await minted(served, scopes=["trigger:tasks:mail"], oneTimeUse=True)
    same: dict[str, Any] = {"headers": {"x-trigger-request-idempotency-key": "one"}}
    assert (await ask(served, token, TRIGGER, "POST", json={}, **same)).status_code == 200
    refused = await ask(served, token, TRIGGER, "POST", content=b"{", **same)
    assert refused.status_code == 400
    assert (await ask(served, token, TRIGGER, "POST", json={})).status_code == 401


async def test_a_request_that_is_refused_late_does_not_free_a_token_that_its_repeat_used(
    served: Served, access: WatchedKeyring
) -> None:
    token = await minted(served, scopes=["trigger:tasks:mail"], oneTimeUse=True)
    repeated, reached = asyncio.Event(), asyncio.Event()

    async def late(*_: Any) -> Any:
        del served.engine.answers[calls.Trigger]
        reached.set()
        await repeated.wait()
        raise InvalidOptions("no")

    served.engine.answers[calls.Trigger] = late

    def same() -> dict[str, Any]:
        return {"headers": {"x-trigger-request-idempotency-key": "one"}, "json": {}}

    first = asyncio.create_task(ask(served, token, TRIGGER, "POST", **same()))
    await reached.wait()
    assert (await ask(served, token, TRIGGER, "POST", **same())).status_code == 200
    repeated.set()
    assert (await first).status_code == 422
    assert (await ask(served, token, TRIGGER, "POST", json={})).status_code == 401


async def test_a_one_time_token_is_not_used_when_that_cannot_be_noted(
    served: Served, access: WatchedKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await minted(served, scopes=["trigger:tasks:mail"], oneTimeUse=True)

    async def away(*_: Any) -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(access, "spend", away)
    response = await ask(served, token, TRIGGER, "POST", json={})
    assert (response.status_code, served.engine.asked) == (503, [])


@pytest.mark.parametrize(
    "given, life_s",
    [
        (None, 900), ("15m", 900), ("1hr", 3600), ("2 hours", 7200), ("1h", 3600),
        ("30d", 30 * DAY_S),
        ("1 day from now", DAY_S), ("1.5h", 5400), ("90s", 90), ("1w", 7 * DAY_S),
    ],
)  # fmt: skip
async def test_a_token_lives_as_long_as_is_asked(
    served: Served, access: WatchedKeyring, now_s: int, given: str | None, life_s: int
) -> None:
    more = {} if given is None else {"expirationTime": given}
    token = await minted(served, scopes=["read:runs"], **more)
    found = tokens.verified(token, [SIGNING], "env_1", now_s)
    assert found is not None
    assert (found.iat, found.exp) == (now_s, now_s + life_s)
    exact = await minted(served, scopes=["read:runs"], expirationTime=now_s + life_s)
    assert exact == token


@pytest.mark.parametrize(
    "body",
    [
        {}, {"scopes": []}, {"scopes": "read:runs"}, {"scopes": [""]}, {"scopes": [1]},
        {"scopes": ["a" * 600]}, {"scopes": ["read:runs"] * 1001}, [],
        *(
            {"scopes": ["read:runs"], "expirationTime": given}
            for given in ("", "soon", "1 fortnight", "-5m", "5m ago", "31d", "0s", 0, -1, 1e300)
        ),
        {"scopes": ["read:runs"], "oneTimeUse": "yes"}, {"scopes": ["read:runs"], "realtime": 1},
        {"scopes": ["read:runs"], "realtime": {"skipColumns": "payload"}},
    ],
)  # fmt: skip
async def test_a_wish_for_a_token_that_makes_no_sense_is_refused(
    served: Served, access: WatchedKeyring, body: Any
) -> None:
    response = await ask(served, KEY, "/api/v1/auth/public-tokens", "POST", json=body)
    assert response.status_code == 400, response.text


async def test_a_limited_key_gives_away_and_does_what_it_may_itself(
    served: Served, access: WatchedKeyring
) -> None:
    await access.make(LIMITED, DEV, "read:runs trigger:tasks:mail")
    path = "/api/v1/auth/public-tokens"
    wanted = {"scopes": ["read:runs:run_9", "write:runs", "admin", "read:all", "trigger:tasks"]}
    response = await ask(served, LIMITED, path, "POST", json=wanted)
    body = response.json()
    assert (response.status_code, body["code"]) == (403, "scopes_exceed_key_access")
    assert body["deniedScopes"] == wanted["scopes"][1:]
    assert await minted(served, LIMITED, scopes=["read:runs:run_9", "trigger:tasks:mail"])
    for method, path, status in (
        ("GET", RUN, 200),
        ("GET", "/api/v1/runs/run_1/metadata", 200),
        ("POST", TRIGGER, 200),
        ("POST", "/api/v1/tasks/other/trigger", 403),
        ("POST", "/api/v2/runs/run_1/cancel", 403),
        ("POST", "/api/v1/runs/run_1/replay", 403),
        ("GET", "/api/v1/queues", 403),
    ):
        answer = await ask(
            served, LIMITED, path, method, content=b"{}" if method == "POST" else b""
        )
        assert answer.status_code == status, path


async def test_the_claims_of_self_signed_tokens_are_told(
    served: Served, access: WatchedKeyring
) -> None:
    for key, env in ((KEY, "env_1"), (OTHER_KEY, "env_2")):
        response = await ask(served, key, "/api/v1/auth/jwt/claims", "POST")
        assert response.json() == {"sub": env, "pub": True}


async def test_tools_get_a_token_for_an_hour(
    served: Served, access: WatchedKeyring, now_s: int
) -> None:
    body = {"claims": {"scopes": ["read:runs"]}}
    response = await ask(served, KEY, "/api/v1/auth/jwt", "POST", json=body)
    found = tokens.verified(response.json()["token"], [SIGNING], "env_1", now_s)
    assert found is not None
    assert (found.scopes, found.exp - found.iat) == (["read:runs"], 3600)


async def test_columns_to_skip_are_in_the_token(
    served: Served, access: WatchedKeyring, now_s: int
) -> None:
    wish = {"skipColumns": ["payload"]}
    token = await minted(served, scopes=["read:runs"], realtime=wish)
    found = tokens.verified(token, [SIGNING], "env_1", now_s)
    assert found is not None
    assert found.realtime
    assert found.realtime.skip_columns == ["payload"]


async def test_the_token_of_a_run_ends_with_the_key_that_triggered_it(
    served: Served, access: WatchedKeyring, clock: ManualClock
) -> None:
    response = await ask(
        served, KEY, TRIGGER, "POST", json={}, headers={"trigger-version": "4.8.3"}
    )
    token, run_id = response.headers["x-trigger-jwt"], response.json()["id"]
    path = f"/api/v3/runs/{run_id}"
    assert (await ask(served, token, path)).status_code == 200
    assert (await ask(served, token)).status_code == 403  # another run
    await access.end(KEY)
    clock.advance(int(KEPT_S * 1000) + 1)
    assert (await ask(served, token, path)).status_code == 401


async def test_a_flood_of_invented_tokens_is_no_flood_of_queries(
    served: Served, access: WatchedKeyring, now_s: int
) -> None:
    for at in range(20):
        await ask(served, changed(made(now_s), 2, lambda text, at=at: turned(text, at)))
    assert access.looked_up == ["1"]
    for sub in ("env_", "env_x", "prod", "", "env_-1", "env_1.5"):
        await ask(served, made(now_s, sub=sub))
    assert access.looked_up == ["1"]


async def _missing(request: calls.Retrieve, env: Any) -> Run:
    raise NotFound("no such run")
