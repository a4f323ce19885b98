"""Tokens, input streams and events, from outside of runs and once from inside of them."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from mainspring import Conflict, InvalidOptions
from mainspring.errors import InvalidPayload, Misplaced, WaitTimeout
from mainspring.sdk import events, streams, transport, wait
from mainspring.sdk.step import step
from mainspring.wire import calls
from mainspring.wire.worker import Entry
from tests.sdk.conftest import Recorder
from tests.sdk.durable import Run, idle, ran

MOMENT = datetime(2026, 1, 31, 9, tzinfo=UTC)
MS = round(MOMENT.timestamp() * 1000)


class Points(Recorder):
    """An engine that knows tokens, streams and events."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens: dict[str, calls.Token] = {}
        self.answers = {
            calls.CreateToken: self.make,
            calls.GetToken: lambda ask: self.tokens[ask.token_id],
            calls.CompleteToken: self.complete,
            calls.ListTokens: self.page,
            calls.SendInput: lambda ask: calls.Sent(7),
            calls.EmitEvent: lambda ask: calls.Sent(2),
        }

    def make(self, ask: calls.CreateToken) -> calls.Token:
        token = calls.Token(
            f"waitpoint_{len(self.tokens)}", "waiting", 1000, ask.timeout_at, tags=ask.tags
        )
        self.tokens[token.id] = token
        return token

    def complete(self, ask: calls.CompleteToken) -> calls.Token:
        token = self.tokens[ask.token_id]
        token.status, token.output = "completed", ask.output
        return token

    def page(self, ask: calls.ListTokens) -> calls.TokenPage:
        known = sorted(self.tokens, reverse=True)
        if ask.after is not None:
            known = known[known.index(ask.after) + 1 :]
        shown = known[: min(ask.limit, 2)]
        following = shown[-1] if len(shown) < len(known) else None
        return calls.TokenPage([self.tokens[id_] for id_ in shown], following)


@pytest.fixture
def points() -> Any:
    server = Points()
    with transport.using(server):
        yield server


async def test_a_token_is_made_completed_and_read(points: Points) -> None:
    token = await wait.create_token(
        timeout="1h", tags="a", idempotency_key="k", idempotency_key_ttl="1d"
    )
    assert points.asked == [calls.CreateToken(3_600_000, None, "k", 86_400_000, ("a",))]
    assert (token.id, token.status, token.tags) == ("waitpoint_0", "waiting", ("a",))
    with pytest.raises(Conflict, match="still waiting"):
        token.result()
    done = await wait.complete_token(token, {"n": [1, 2]})
    assert done.result() == {"n": [1, 2]}
    read = await wait.retrieve_token(token.id)
    assert read.result(dict[str, list[int]]) == {"n": [1, 2]}
    with pytest.raises(InvalidPayload, match="does not fit"):
        read.result(int)


async def test_a_time_out_may_be_a_moment(points: Points) -> None:
    token = await wait.create_token(timeout=MOMENT)
    assert points.asked == [calls.CreateToken(None, MS)]
    assert token.timeout_at == MS
    points.tokens[token.id].status = "timed_out"
    with pytest.raises(WaitTimeout, match="not completed in time"):
        (await wait.retrieve_token(token)).result()


async def test_tokens_are_listed_page_by_page(points: Points) -> None:
    for _ in range(5):
        await wait.create_token()
    every = [token.id async for token in wait.list_tokens()]
    assert every == [f"waitpoint_{n}" for n in (4, 3, 2, 1, 0)]
    some = [token.id async for token in wait.list_tokens(limit=3, status="waiting", tag="a")]
    assert some == every[:3]
    assert points.asked[-1].status == ("waiting",)
    assert points.asked[-1].tags == ("a",)
    with pytest.raises(InvalidOptions, match="there are waiting, completed, timed_out"):
        await anext(wait.list_tokens(status="open"))  # type: ignore[arg-type]


async def test_a_run_that_is_replayed_has_its_tokens_events_and_records_once(
    points: Points,
) -> None:
    answers = streams.input("answers", str)

    async def body() -> list[Any]:
        with transport.using(points):
            token = await wait.create_token(timeout="1h")
            also = await wait.create_token()
            sent = await answers.send("run_other", "yes")
            return [token.id, also.id, sent, await events.emit("paid", {"n": 1})]

    result, entries = await ran(body)
    assert result == ["waitpoint_0", "waitpoint_1", 7, 2]
    assert [entry.key for entry in entries] == [
        "create_token", "create_token#1", "send:answers", "emit:paid",
    ]  # fmt: skip
    asked = len(points.asked)
    again, _ = await ran(body, entries)
    assert again == result
    assert len(points.asked) == asked == 4
    assert points.asked[2] == calls.SendInput(
        "run_other", "answers", '"yes"', "run_a:0:send:answers"
    )
    assert points.asked[3] == calls.EmitEvent("paid", '{"n":1}')


async def test_inside_of_a_step_they_are_part_of_it(points: Points) -> None:
    async def make() -> str:
        await streams.input("s").send("run_x", 1)
        await events.emit("e")
        return (await wait.create_token()).id

    async def body() -> str:
        with transport.using(points):
            return await step("all", make)

    result, entries = await ran(body)
    assert result == "waitpoint_0"
    assert [entry.key for entry in entries] == ["all"]
    assert points.asked[0].request_key == "run_a:0:all"


async def test_a_run_reads_the_records_of_its_stream_in_their_type() -> None:
    numbers = streams.input("numbers", int)

    async def body() -> int:
        return await numbers.wait(timeout="1h") + await numbers.wait()

    run = Run(body)
    assert await run.waits() == {"wait:input:numbers"}
    run.port.resolve("wait:input:numbers", "1")
    await idle()
    assert await run.waits() == {"wait:input:numbers#1"}
    run.port.resolve("wait:input:numbers#1", '"one"')
    with pytest.raises(InvalidPayload, match="does not fit"):
        await run.task


async def test_gathered_tokens_are_told_apart(points: Points) -> None:
    async def body() -> list[str]:
        with transport.using(points):
            made = await asyncio.gather(wait.create_token(), wait.create_token())
            return [token.id for token in made]

    result, entries = await ran(body)
    kept: list[Entry] = entries[::-1]
    assert (await ran(body, kept))[0] == result
    assert {entry.key for entry in entries} == {"0/create_token", "1/create_token"}


@pytest.mark.parametrize("name", ["", "x" * 129, "\0"])
def test_a_stream_has_a_name(name: str) -> None:
    with pytest.raises(InvalidOptions, match="name of an input stream"):
        streams.input(name)


async def test_what_has_no_json_form_is_not_sent(points: Points) -> None:
    for refused in (
        wait.complete_token("waitpoint_0", object()),
        streams.input("s").send("run_x", object()),
        events.emit("e", object()),
    ):
        with pytest.raises(InvalidOptions, match="cannot be written as JSON"):
            await refused
    assert points.asked == []


async def test_nobody_reads_a_stream_outside_of_a_run() -> None:
    with pytest.raises(Misplaced, match="outside a run"):
        await streams.input("s").wait()
