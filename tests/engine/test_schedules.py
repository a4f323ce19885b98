"""Schedules as people keep them, and the versions that workers announced."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mainspring.errors import InvalidOptions, NotFound, UnknownTask
from mainspring.model.run import RunFilter
from mainspring.wire import calls
from mainspring.wire.operating import (
    CurrentDeployment,
    DeleteSchedule,
    Deployment,
    DeploymentPage,
    GetSchedule,
    InspectRun,
    ListDeployments,
    ListSchedules,
    PauseEnvironment,
    RunDetail,
    Schedule,
    SchedulePage,
    SetSchedule,
    SwitchSchedule,
)
from tests.engine.house import House


async def made(house: House, cron: str = "0 9 * * *", **given: Any) -> Schedule:
    found: Schedule = await house.ask(SetSchedule("work", cron, **given))
    return found


async def test_a_schedule_knows_its_next_tick(house: House) -> None:
    house.worker()
    found = await made(house, timezone="Europe/Berlin", external_id="user-1", window="30m")
    now = house.clock.now()
    assert found.next_at is not None
    assert now < found.next_at <= now + 86_400_000
    assert datetime.fromtimestamp(found.next_at / 1000, UTC).minute == 0
    assert found.starts_at is not None
    assert found.next_at <= found.starts_at < found.next_at + 30 * 60_000
    assert (found.kind, found.active, found.external_id) == ("imperative", True, "user-1")
    assert "09:00" in found.description or "9" in found.description
    assert await house.ask(GetSchedule(found.id)) == found
    await house.advance(86_400_000)
    later: Schedule = await house.ask(GetSchedule(found.id))
    assert later.next_at == found.next_at + 86_400_000


async def test_the_same_deduplication_key_changes_the_schedule(house: House) -> None:
    house.worker()
    first = await made(house, dedup_key="daily", external_id="a")
    second = await made(house, "0 10 * * *", dedup_key="daily")
    assert (second.id, second.cron, second.external_id) == (first.id, "0 10 * * *", None)
    other = await made(house)
    assert other.id != first.id
    assert other.dedup_key is None
    page: SchedulePage = await house.ask(ListSchedules())
    assert [one.id for one in page.schedules] == [other.id, first.id]
    assert page.count == 2
    assert (await house.ask(ListSchedules(skip=1, limit=1))).schedules == [second]


async def test_a_list_tells_the_ticks_to_come_as_far_as_it_is_asked(house: House) -> None:
    house.worker()
    hourly = await made(house, "0 * * * *", dedup_key="hourly")
    yearly = await made(house, "30 4 1 1 *", dedup_key="yearly")
    rests = await made(house, "0 * * * *", dedup_key="rests")
    await house.ask(SwitchSchedule(rests.id, False))
    page: SchedulePage = await house.ask(ListSchedules(ticks=30, ahead_ms=5 * 3_600_000))
    found = {one.id: one.ticks for one in page.schedules}
    assert found[hourly.id] == [(hourly.next_at or 0) + n * 3_600_000 for n in range(5)]
    assert found[yearly.id] == found[rests.id] == []
    page = await house.ask(ListSchedules(ticks=2, ahead_ms=366 * 86_400_000))
    assert {one.id: len(one.ticks) for one in page.schedules} == {
        hourly.id: 2,
        yearly.id: 1,
        rests.id: 0,
    }


async def test_schedules_survive_a_crash(house: House) -> None:
    house.worker()
    found = await made(house, dedup_key="daily")
    await house.crash()
    house.worker()
    assert await house.ask(GetSchedule(found.id)) == found
    assert (await made(house, dedup_key="daily")).id == found.id


async def test_a_switched_off_schedule_has_no_next_tick(house: House) -> None:
    house.worker()
    found = await made(house)
    off: Schedule = await house.ask(SwitchSchedule(found.id, False))
    assert (off.active, off.next_at, off.starts_at) == (False, None, None)
    assert await house.ask(SwitchSchedule(found.id, True)) == found
    changed: Schedule = await house.ask(SetSchedule("work", "* * * * *", id=found.id))
    assert (changed.id, changed.cron) == (found.id, "* * * * *")
    assert await house.ask(DeleteSchedule(found.id)) == changed
    for request in (GetSchedule(found.id), DeleteSchedule(found.id), GetSchedule("sched_x")):
        with pytest.raises(NotFound):
            await house.ask(request)


async def test_what_can_never_run_is_refused(house: House) -> None:
    house.worker()
    for given in ({"cron": "* *"}, {"timezone": "Mars/Base"}, {"window": "1d"}, {"dedup_key": "!"}):
        with pytest.raises(InvalidOptions):
            await made(house, **given)
    with pytest.raises(UnknownTask):
        await house.ask(SetSchedule("wrok", "* * * * *"))
    foreign = await house.engine.environment("prod")
    found = await made(house)
    with pytest.raises(NotFound):
        await house.engine.answer(foreign, GetSchedule(found.id))


async def test_a_run_shows_the_schedule_that_made_it(house: House) -> None:
    house.worker()
    found = await made(house)
    run_id = await house.trigger(schedule_id=found.id)
    detail: RunDetail = await house.ask(InspectRun(run_id))
    assert detail.schedule == found
    listed: calls.RunPage = await house.ask(calls.ListRuns(RunFilter(schedule=(found.id,))))
    assert [run.id for run in listed.runs] == [run_id]
    await house.ask(DeleteSchedule(found.id))
    assert (await house.ask(InspectRun(run_id))).schedule is None


async def test_relatives_stand_around_a_run(house: House) -> None:
    house.worker(slots=0)
    root = await house.trigger()
    parent = await house.trigger(parent=root)
    child = await house.trigger(parent=parent, awaited=True)
    detail: RunDetail = await house.ask(InspectRun(parent))
    assert detail.root is not None
    assert (detail.root.id, detail.root.payload) == (root, None)
    assert detail.parent == detail.root
    assert [(run.id, run.awaited) for run in detail.children] == [(child, True)]
    assert (await house.ask(InspectRun(root))).root is None


async def test_versions_are_listed_since_their_first_worker(house: House) -> None:
    with pytest.raises(NotFound):
        await house.ask(CurrentDeployment())
    house.worker(version="v1")
    await house.settle()
    await house.advance(1_000)
    house.worker(version="v2")
    house.worker(version="v2")
    await house.settle()
    page: DeploymentPage = await house.ask(ListDeployments())
    assert [(one.version, one.workers) for one in page.deployments] == [("v2", 2), ("v1", 1)]
    current: Deployment = await house.ask(CurrentDeployment())
    assert current.version == "v2"
    first: DeploymentPage = await house.ask(ListDeployments(limit=1))
    rest: DeploymentPage = await house.ask(ListDeployments(limit=1, after=first.next))
    assert [one.version for one in rest.deployments] == ["v1"]
    since = page.deployments[0].created_at
    found: DeploymentPage = await house.ask(ListDeployments(created_from=since))
    assert [one.version for one in found.deployments] == ["v2"]
    for worker in house.workers[1:]:
        worker.drop()
    assert (await house.ask(CurrentDeployment())).version == "v1"


async def test_a_paused_environment_starts_nothing_until_it_goes_on(house: House) -> None:
    house.worker()
    assert (await house.ask(PauseEnvironment(True))).paused
    run_id = await house.trigger()
    await house.settle()
    assert await house.gate(run_id) == "environment_paused"
    await house.crash()
    worker = house.worker()
    await house.settle()
    assert await house.status(run_id) == "queued"
    assert not (await house.ask(PauseEnvironment(False))).paused
    await house.settle()
    assert list(worker.runs) == [run_id]
