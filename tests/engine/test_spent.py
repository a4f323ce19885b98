"""Tokens go when they ended long ago; what waits, is awaited or holds a key stays."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mainspring.engine import spent
from mainspring.errors import FencedOut, NotFound
from mainspring.store.changes import Changes
from mainspring.wire import calls
from tests.engine.durable import started, waits
from tests.engine.house import DAY, House
from tests.engine.test_retention import rows

KEEP = 10 * DAY
HOUR = 3_600_000


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces so small that everything takes several."""
    monkeypatch.setattr(spent, "PAGE", 2)


async def make(house: House, **options: Any) -> str:
    token: calls.Token = await house.ask(calls.CreateToken(**options))
    return token.id


async def complete(house: House, token_id: str) -> None:
    await house.ask(calls.CompleteToken(token_id, json.dumps("ok")))


async def left(house: House) -> list[str]:
    page: calls.TokenPage = await house.ask(calls.ListTokens(limit=100))
    return [token.id for token in page.tokens][::-1]


async def passed(house: House, ms: int) -> None:
    await house.advance(ms)
    for _ in range(12):
        await house.engine.tick()
        await house.settle()


async def test_tokens_go_so_long_after_their_end(house: House) -> None:
    old = [await make(house) for _ in range(5)]
    timed_out = await make(house, timeout_ms=1_000)
    waiting, late = await make(house), await make(house)
    for token_id in old:
        await complete(house, token_id)
    await house.advance(DAY)
    await complete(house, late)
    await passed(house, KEEP - HOUR)
    assert len(await left(house)) == 8  # nothing goes unless it is asked for
    house.engine.keep_ms = KEEP
    await passed(house, 2 * HOUR)
    assert await left(house) == [waiting]
    assert timed_out not in await left(house)
    with pytest.raises(NotFound):
        await house.ask(calls.GetToken(old[0]))


async def test_a_token_that_ended_a_moment_too_late_stays(house: House) -> None:
    house.engine.keep_ms = KEEP
    token_id = await make(house)
    await house.advance(DAY)
    await complete(house, token_id)
    await passed(house, KEEP)
    assert await left(house) == [token_id]
    await passed(house, HOUR)
    assert await left(house) == []


async def test_a_key_in_force_keeps_its_token_and_goes_with_it(house: House) -> None:
    house.engine.keep_ms = KEEP
    options = {"idempotency_key": "k", "idempotency_ttl_ms": 2 * KEEP}
    token_id = await make(house, **options)
    await complete(house, token_id)
    await passed(house, KEEP + DAY)
    assert await make(house, **options) == token_id
    await passed(house, KEEP)
    assert await rows(house, "waitpoint", "idempotency") == {}


async def test_the_key_of_a_later_token_stays(house: House) -> None:
    house.engine.keep_ms = KEEP
    old = await make(house, idempotency_key="k", idempotency_ttl_ms=1_000)
    await complete(house, old)
    await house.advance(KEEP - DAY)
    young = await make(house, idempotency_key="k", idempotency_ttl_ms=KEEP)
    await passed(house, 2 * DAY)
    assert await left(house) == [young]
    assert await make(house, idempotency_key="k") == young


async def test_a_token_that_is_waited_for_stays(house: House) -> None:
    house.engine.keep_ms = KEEP
    worker = house.worker()
    run_id = await started(house, worker)
    token_id = await make(house)
    waits(worker, run_id, "pay", "token", token_id)
    await house.settle()
    await passed(house, 3 * KEEP)
    assert await left(house) == [token_id]
    await complete(house, token_id)
    await house.settle()
    assert (await house.journal(run_id))["pay"].status == "completed"


async def test_a_wait_that_is_still_in_the_rows_keeps_its_token(house: House) -> None:
    """No end leaves such a row; were there one, its run could still ask for the token."""
    worker = house.worker()
    run_id = await started(house, worker)
    token_id = await make(house)
    waits(worker, run_id, "pay", "token", token_id)
    await house.settle()
    changes = Changes(house.clock.now())
    changes.end_waitpoint = [(token_id, "completed", "1", None, house.clock.now())]
    await house.faults.commit(house.env.shard_id, house.owner.epoch, changes)
    house.engine.keep_ms = KEEP
    await passed(house, KEEP + DAY)
    assert await left(house) == [token_id]


async def test_who_lost_the_shard_deletes_no_token(house: House) -> None:
    token_id = await make(house, idempotency_key="k")
    shard_id, epoch = house.env.shard_id, house.owner.epoch
    key = (house.env.env_id, "!token", "k", token_id)
    with pytest.raises(FencedOut):
        await house.store.past.forget_tokens(shard_id, epoch - 1, [token_id], [key])
    assert await rows(house, "waitpoint", "idempotency") == {"waitpoint": 1, "idempotency": 1}
