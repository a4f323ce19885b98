"""Keys: who may ask, and that nobody learns why not."""

from __future__ import annotations

import pytest

from mainspring.clock import ManualClock
from mainspring.errors import StoreUnavailable
from mainspring.model.run import Run, Status
from mainspring.server.auth import KEPT_S, UNKNOWN_KEPT_S
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire import calls
from tests.server.conftest import DEV, KEY, OTHER_KEY, PEPPER, PROD, Served

RUN = "/api/v3/runs/run_1"


async def ask(served: Served, header: str | None) -> tuple[int, dict[str, str]]:
    served.client.headers.pop("authorization", None)
    headers = {} if header is None else {"authorization": header}
    response = await served.client.get(RUN, headers=headers)
    return response.status_code, response.json()


async def test_each_key_opens_its_own_environment(served: Served) -> None:
    envs: list[EnvironmentRow] = []

    def note(request: calls.Retrieve, env: EnvironmentRow) -> Run:
        envs.append(env)
        return Run(request.run_id, "t", Status.QUEUED, "q", env.env_id, 0)

    served.engine.answers[calls.Retrieve] = note
    for key in (KEY, OTHER_KEY):
        await ask(served, f"Bearer {key}")
    assert envs == [DEV, PROD]


@pytest.mark.parametrize("header", [None, "", "Bearer", f"Basic {KEY}", KEY])
async def test_a_missing_key_is_a_401(served: Served, header: str | None) -> None:
    status, body = await ask(served, header)
    assert (status, body["code"]) == (401, "unauthorized")
    assert "Invalid or Missing API key" in body["error"]
    assert served.engine.access.looked_up == []


async def test_a_key_of_another_form_is_refused_with_the_reason_and_never_looked_up(
    served: Served,
) -> None:
    status, body = await ask(served, "Bearer tr_dev_abcdefghij0123456789")
    assert status == 401
    assert "older form" in body["error"]
    assert served.engine.access.looked_up == []


async def test_unknown_and_revoked_keys_look_the_same(served: Served) -> None:
    unknown = await ask(served, "Bearer tr_dev_sk_" + "z" * 24)
    await served.engine.access.end(KEY)
    revoked = await ask(served, f"Bearer {KEY}")
    assert unknown == revoked
    assert unknown[0] == 401


async def test_the_word_bearer_is_known_in_any_case(served: Served) -> None:
    assert (await ask(served, f"bearer {KEY}"))[0] == 200


async def test_a_key_is_looked_up_by_hash_and_kept_for_seconds(
    served: Served, clock: ManualClock
) -> None:
    for _ in range(3):
        assert (await ask(served, f"Bearer {KEY}"))[0] == 200
    assert served.engine.access.looked_up == [PEPPER.stored(KEY)]
    await served.engine.access.end(KEY)
    assert (await ask(served, f"Bearer {KEY}"))[0] == 200
    clock.advance(int(KEPT_S * 1000) + 1)
    assert (await ask(served, f"Bearer {KEY}"))[0] == 401


async def test_a_new_key_works_soon_after_it_was_refused(
    served: Served, clock: ManualClock
) -> None:
    new = "tr_dev_sk_" + "n" * 24
    assert (await ask(served, f"Bearer {new}"))[0] == 401
    await served.engine.access.make(new, DEV)
    clock.advance(int(UNKNOWN_KEPT_S * 1000) + 1)
    assert (await ask(served, f"Bearer {new}"))[0] == 200


async def test_a_database_that_is_away_is_no_wrong_key(served: Served) -> None:
    served.engine.access.away = StoreUnavailable("postgresql://secret")
    status, body = await ask(served, f"Bearer {KEY}")
    assert status == 503
    assert "secret" not in str(body)
