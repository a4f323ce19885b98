"""Wait tokens: made once a key, completed by whoever comes first, timed out, listed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mainspring.errors import InvalidOptions, InvalidPayload, NotFound
from mainspring.ids import shard_of
from mainspring.wire import calls
from tests.engine.durable import outcomes, started, waits
from tests.engine.house import DAY, House

LARGE = json.dumps("x" * 100_000)


async def make(house: House, **options: Any) -> calls.Token:
    token: calls.Token = await house.ask(calls.CreateToken(**options))
    return token


async def complete(house: House, token: calls.Token | str, output: str | None = None) -> Any:
    token_id = token if isinstance(token, str) else token.id
    return await house.ask(calls.CompleteToken(token_id, output))


async def test_a_token_waits_and_names_its_shard(house: House) -> None:
    token = await make(house, timeout_ms=60_000, tags=("a", "b", "a"))
    assert token.id.startswith("waitpoint_")
    assert shard_of(token.id) == house.env.shard_id
    assert (token.status, token.tags, token.cached) == ("waiting", ("a", "b"), False)
    assert token.created_at == house.clock.now()
    assert token.timeout_at == token.created_at + 60_000
    assert await house.ask(calls.GetToken(token.id)) == token


async def test_a_token_that_nobody_made_here_is_not_found(house: House) -> None:
    token = await make(house)
    other = await house.engine.environment("prod")
    wrong = [(house.env, id_) for id_ in ("waitpoint_x", "", "a\0", "\ud800", "run_" + token.id)]
    for env, token_id in (*wrong, (other, token.id)):
        for request in (calls.GetToken(token_id), calls.CompleteToken(token_id, "1")):
            with pytest.raises(NotFound, match="tokens ls"):
                await house.engine.answer(env, request)
    assert (await house.ask(calls.GetToken(token.id))).status == "waiting"


async def test_the_first_completion_wins(house: House) -> None:
    token = await make(house, timeout_ms=60_000)
    first = await complete(house, token, '{"ok":true}')
    house.clock.advance(5)
    second = await complete(house, token, '"late"')
    assert first == second
    assert (first.status, first.output) == ("completed", '{"ok":true}')
    assert first.completed_at == token.created_at
    await house.advance(DAY)
    assert await house.ask(calls.GetToken(token.id)) == first


async def test_completions_at_the_same_moment_have_one_winner(house: House) -> None:
    token = await make(house)
    house.faults.open.clear()
    asked = [house.ask(calls.CompleteToken(token.id, str(number))) for number in range(5)]
    tasks = [asyncio.create_task(one) for one in asked]
    await house.breathe()
    house.faults.open.set()
    answers = await asyncio.gather(*tasks)
    assert len({answer.output for answer in answers}) == 1


async def test_a_token_times_out_once(house: House) -> None:
    token = await make(house, timeout_ms=60_000)
    await house.advance(59_999)
    assert (await house.ask(calls.GetToken(token.id))).status == "waiting"
    await house.advance(1)
    found = await house.ask(calls.GetToken(token.id))
    assert (found.status, found.output) == ("timed_out", None)
    assert found.completed_at == token.timeout_at
    assert (await complete(house, token, "1")).status == "timed_out"


async def test_a_token_may_end_at_a_date_and_one_in_the_past_ends_at_once(house: House) -> None:
    soon = await make(house, timeout_at=house.clock.now() + 10)
    past = await make(house, timeout_at=1)
    await house.advance(0)
    assert (await house.ask(calls.GetToken(past.id))).status == "timed_out"
    await house.advance(10)
    assert (await house.ask(calls.GetToken(soon.id))).status == "timed_out"


async def test_a_time_out_survives_a_crash(house: House) -> None:
    token = await make(house, timeout_ms=60_000)
    done = await make(house, timeout_ms=60_000)
    await complete(house, done, "1")
    await house.crash()
    await house.advance(60_000)
    assert (await house.ask(calls.GetToken(token.id))).status == "timed_out"
    assert (await house.ask(calls.GetToken(done.id))).status == "completed"


async def test_a_key_gives_the_same_token_until_it_lapses(house: House) -> None:
    first = await make(house, idempotency_key="order-1", idempotency_ttl_ms=1000)
    again = await make(house, idempotency_key="order-1")
    assert (again.id, again.cached) == (first.id, True)
    assert (again.idempotency_key, again.idempotency_expires_at) == (
        "order-1",
        first.created_at + 1000,
    )
    other = await make(house, idempotency_key="order-2")
    assert other.id != first.id
    assert other.idempotency_expires_at == other.created_at + 30 * DAY
    await house.advance(1000)
    later = await make(house, idempotency_key="order-1")
    assert (later.id != first.id, later.cached) == (True, False)


async def test_a_completed_token_still_holds_its_key(house: House) -> None:
    first = await make(house, idempotency_key="k")
    await complete(house, first, "1")
    again = await make(house, idempotency_key="k")
    assert (again.id, again.cached, again.status) == (first.id, True, "completed")


async def test_a_key_is_the_environments_own(house: House) -> None:
    first = await make(house, idempotency_key="k")
    other = await house.engine.environment("prod")
    second = await house.engine.answer(other, calls.CreateToken(idempotency_key="k"))
    assert second.id != first.id
    assert not second.cached


@pytest.mark.parametrize("end", ["kept", "lost", "refused"])
async def test_a_doubtful_commit_makes_one_token(house: House, end: str) -> None:
    house.faults.next.append(end)
    token = await make(house, idempotency_key="k", timeout_ms=10)
    page = await house.ask(calls.ListTokens())
    assert [found.id for found in page.tokens] == [token.id]
    assert not token.cached
    house.faults.next.append(end)
    assert (await complete(house, token, "1")).output == "1"
    await house.advance(10)
    assert (await house.ask(calls.GetToken(token.id))).status == "completed"


@pytest.mark.parametrize(
    "options, said",
    [
        ({"timeout_ms": 1, "timeout_at": 1}, "not both"),
        ({"timeout_ms": -1}, "timeout"),
        ({"timeout_at": 1 << 60}, "timeout"),
        ({"idempotency_key": ""}, "idempotency_key"),
        ({"idempotency_key": "a\0"}, "NUL"),
        ({"idempotency_key": "ü" * 2048}, "4,096 bytes"),
        ({"idempotency_key": "k", "idempotency_ttl_ms": 0}, "idempotency_ttl"),
        ({"tags": tuple(map(str, range(11)))}, "11 tags"),
        ({"tags": ("x" * 129,)}, "tag"),
    ],
)
async def test_options_that_make_no_sense_are_refused(
    house: House, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidOptions, match=said):
        await make(house, **options)


async def test_an_output_must_be_json_that_can_be_stored(house: House) -> None:
    token = await make(house)
    for output in ("{", '"\\u0000"', '"\\ud800"'):
        with pytest.raises(InvalidPayload):
            await complete(house, token, output)


async def test_a_run_that_waits_for_a_token_goes_on_with_its_output(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    token = await make(house)
    waits(worker, run_id, "pay", "token", token.id)
    await house.settle()
    assert await house.status(run_id) == "waiting"
    await complete(house, token, '{"paid":7}')
    await house.settle()
    assert await house.status(run_id) != "waiting"
    assert outcomes(worker, run_id) == [("pay", "completed", {"paid": 7})]


async def test_everybody_who_waits_for_a_token_goes_on(house: House) -> None:
    worker = house.worker()
    token = await make(house)
    runs = [await started(house, worker) for _ in range(3)]
    for run_id in runs:
        waits(worker, run_id, "pay", "token", token.id)
    await house.settle()
    await complete(house, token, "1")
    await house.settle()
    for run_id in runs:
        assert outcomes(worker, run_id) == [("pay", "completed", 1)]


async def test_a_run_learns_that_a_token_was_completed_before_it_asked(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    token = await make(house)
    await complete(house, token)
    waits(worker, run_id, "pay", "token", token.id)
    await house.settle()
    assert await house.status(run_id) == "executing"
    assert outcomes(worker, run_id) == [("pay", "completed", None)]


async def test_a_run_that_waits_for_a_token_that_nobody_made_here_is_told_so(house: House) -> None:
    other = await house.engine.environment("other")
    foreign = await house.engine.answer(other, calls.CreateToken())
    for token_id in ("approval", foreign.id):
        worker = house.worker()
        run_id = await started(house, worker)
        waits(worker, run_id, "ok", "token", token_id)
        await house.settle()
        [(key, status, said)] = outcomes(worker, run_id)
        assert (key, status, said["code"]) == ("ok", "failed", "not_found")
        assert said["message"].startswith(f"No token {token_id!r} in this environment")
        worker.drop()


async def test_a_run_learns_that_a_token_has_timed_out(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    token = await make(house, timeout_ms=1000)
    waits(worker, run_id, "pay", "token", token.id)
    await house.settle()
    await house.advance(1000)
    assert outcomes(worker, run_id) == [("pay", "timed_out", None)]


async def test_a_large_output_is_kept_apart_and_reaches_whoever_asks(house: House) -> None:
    worker = house.worker()
    run_id = await started(house, worker)
    token = await make(house)
    waits(worker, run_id, "pay", "token", token.id)
    await house.settle()
    assert (await complete(house, token, LARGE)).output == LARGE
    await house.settle()
    assert outcomes(worker, run_id) == [("pay", "completed", json.loads(LARGE))]
    assert (await house.ask(calls.GetToken(token.id))).output == LARGE
    (listed,) = (await house.ask(calls.ListTokens())).tokens
    assert (listed.output, listed.output_ref is None) == (None, False)


async def test_tokens_are_listed_newest_first_in_pages(house: House) -> None:
    made = []
    for number in range(7):
        made.append(await make(house, tags=("even",) if number % 2 == 0 else ()))
        await house.advance(1)
    await complete(house, made[0])
    ids = [token.id for token in reversed(made)]

    async def page(**wanted: Any) -> calls.TokenPage:
        found: calls.TokenPage = await house.ask(calls.ListTokens(**wanted))
        return found

    first = await page(limit=3)
    assert [token.id for token in first.tokens] == ids[:3]
    assert (first.next, first.previous) == (ids[2], None)
    second = await page(limit=3, after=first.next)
    assert [token.id for token in second.tokens] == ids[3:6]
    assert (second.next, second.previous) == (ids[5], ids[3])
    last = await page(limit=3, after=second.next)
    assert ([token.id for token in last.tokens], last.next) == (ids[6:], None)
    back = await page(limit=3, before=second.previous)
    assert ([token.id for token in back.tokens], back.previous) == (ids[:3], None)
    assert [token.id for token in (await page(status=("completed",))).tokens] == ids[6:]
    assert [token.id for token in (await page(tags=("even",))).tokens] == ids[::2]
    since = made[5].created_at
    assert [token.id for token in (await page(created_from=since)).tokens] == ids[:2]
    assert (await page(created_to=made[0].created_at - 1)).tokens == []
    for wrong in (
        {"status": ("done",)},
        {"after": "a\0"},
        {"tags": ("\0",)},
        {"before": "x" * 9999},
    ):
        with pytest.raises(InvalidOptions):
            await page(**wrong)
    with pytest.raises(InvalidOptions, match="at most 100"):
        await page(tags=tuple(map(str, range(101))))


async def test_a_list_says_on_request_which_runs_wait_for_a_token(house: House) -> None:
    token, idle = await make(house), await make(house)
    worker = house.worker()
    run_id = await started(house, worker)
    waits(worker, run_id, "ask", "token", token.id)
    await house.settle()
    page = await house.ask(calls.ListTokens(waiters=True))
    found = {one.id: one.waiters for one in page.tokens}
    assert [(one.run_id, one.task, one.key) for one in found[token.id]] == [(run_id, "work", "ask")]
    assert found[idle.id] == ()
    assert all(one.waiters == () for one in (await house.ask(calls.ListTokens())).tokens)
    await complete(house, token)
    page = await house.ask(calls.ListTokens(waiters=True))
    assert all(one.waiters == () for one in page.tokens)
