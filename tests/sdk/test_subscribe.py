"""Following runs and logs: what is asked for, when it ends, and a server that is away meanwhile."""

import asyncio
from typing import Any

import pytest

from mainspring import Client, InvalidOptions, NotFound, SyncClient, batches, runs, sync
from mainspring.errors import ConfigurationError, ServerUnreachable, StoreUnavailable
from mainspring.model.run import Run, Status
from mainspring.sdk import subscribe
from mainspring.wire import calls
from tests.sdk.conftest import Recorder, finished


def at(change: int, status: Status, run_id: str = "run_1") -> Run:
    return finished(run_id, None, status, change=change)


class Feed:
    """Answers one page after another, errors among them."""

    def __init__(self, engine: Recorder, *pages: Any) -> None:
        self.pages = list(pages)
        self.places: list[tuple[int, str]] = []
        engine.answers[calls.AwaitRuns] = self.page

    def page(self, request: calls.AwaitRuns) -> Any:
        self.places.append((request.after, request.beside))
        page = self.pages.pop(0)
        if isinstance(page, Exception):
            return page
        if not page:
            return calls.ChangedRuns([], request.after, request.beside)
        return calls.ChangedRuns(page, page[-1].change, page[-1].id)


async def test_a_run_is_followed_until_it_has_ended(engine: Recorder) -> None:
    feed = Feed(
        engine, [at(3, Status.QUEUED)], [], [at(5, Status.EXECUTING)], [at(9, Status.FAILED)]
    )
    seen = [run.status async for run in runs.subscribe("run_1")]
    assert seen == [Status.QUEUED, Status.EXECUTING, Status.FAILED]
    assert feed.places == [(0, ""), (3, "run_1"), (3, "run_1"), (5, "run_1")]
    assert engine.asked[0].run_id == "run_1"
    assert engine.asked[0].timeout_ms == subscribe.SLICE_MS


async def test_a_handle_follows_its_own_run_on_its_own_server(engine: Recorder) -> None:
    server = Recorder()
    Feed(server, [at(3, Status.COMPLETED, "run_7")])
    handle = Client(transport=server).runs.handle("run_7")
    assert [run.id async for run in handle.subscribe()] == ["run_7"]
    assert engine.asked == []


@pytest.mark.parametrize("by", ["tag", "batch"])
async def test_lists_go_on_when_their_runs_have_ended(engine: Recorder, by: str) -> None:
    ended = [at(n, Status.COMPLETED, f"run_{n}") for n in range(1, 5)]
    feed = Feed(engine, ended[:2], ended[2:])
    walk = (
        runs.subscribe_tag("a", "b", period="1h") if by == "tag" else batches.subscribe("batch_1")
    )
    assert [(await anext(walk)).id for _ in range(4)] == ["run_1", "run_2", "run_3", "run_4"]
    assert feed.places == [(0, ""), (2, "run_2")]
    asked = engine.asked[0]
    if by == "tag":
        assert (asked.tags, asked.batch_id) == (("a", "b"), None)
        assert asked.created_from > 0
    else:
        assert (asked.tags, asked.batch_id, asked.created_from) == ((), "batch_1", None)


async def test_while_the_server_is_away_it_is_asked_again_from_the_same_place(
    engine: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(seconds: float) -> None:
        pauses.append(seconds)

    pauses: list[float] = []
    monkeypatch.setattr(asyncio, "sleep", at_once)
    away = [ServerUnreachable("gone"), StoreUnavailable("taken over"), ServerUnreachable("gone")]
    feed = Feed(engine, [at(3, Status.QUEUED)], *away, [at(4, Status.COMPLETED)])
    assert len([run async for run in runs.subscribe("run_1")]) == 2
    assert feed.places[1:] == [(3, "run_1")] * 4
    assert len(pauses) == 3


@pytest.mark.parametrize("error", [NotFound("no run"), ConfigurationError("no server of ours")])
async def test_errors_that_stay_are_raised_at_once(engine: Recorder, error: Exception) -> None:
    Feed(engine, error)
    with pytest.raises(type(error)):
        await anext(runs.subscribe("run_1"))


async def test_a_server_that_stays_away_is_told(
    engine: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribe, "GIVE_UP_S", -1.0)
    Feed(engine, ServerUnreachable("gone"))
    with pytest.raises(ServerUnreachable):
        await anext(runs.subscribe("run_1"))


async def test_a_worker_that_is_over_is_not_asked_again(engine: Recorder) -> None:
    engine.loop = asyncio.get_running_loop()  # type: ignore
    Feed(engine, ServerUnreachable("this session is over"))
    with pytest.raises(ServerUnreachable):
        await anext(runs.subscribe("run_1"))


async def test_without_a_tag_nothing_is_followed() -> None:
    with pytest.raises(InvalidOptions, match="tag"):
        runs.subscribe_tag()


async def test_logs_are_followed_until_the_run_has_ended(engine: Recorder) -> None:
    pages = [
        calls.LogPage([calls.LogEntry(1, 0, "info", "a"), calls.LogEntry(2, 0, "info", "b")]),
        calls.LogPage([]),
        calls.LogPage([calls.LogEntry(5, 0, "info", "c")], ended=True),
    ]
    engine.answers[calls.ListLogs] = lambda ask: pages.pop(0)
    lines = [line.message async for line in runs.logs("run_1", after=0, follow=True)]
    assert lines == ["a", "b", "c"]
    assert [ask.after for ask in engine.asked] == [0, 2, 2]


def test_blocking_code_follows_too(engine: Recorder) -> None:
    Feed(engine, [at(3, Status.QUEUED)], [at(4, Status.COMPLETED)])
    assert [run.change for run in sync.iterate(runs.subscribe("run_1"))] == [3, 4]
    server = Recorder()
    Feed(server, [at(3, Status.QUEUED)], [at(4, Status.COMPLETED)])
    with SyncClient(transport=server) as client:
        assert [run.change for run in client.runs.subscribe("run_1")] == [3, 4]
