"""Schedules that the code of tasks declares follow the code."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mainspring.errors import Conflict
from mainspring.model.task import ScheduleSpec, TaskSpec, default_queue
from mainspring.wire.operating import (
    DeleteSchedule,
    ListSchedules,
    Schedule,
    SetSchedule,
    SwitchSchedule,
)
from tests.engine.house import WORK, House, Worker

DAILY, HOURLY = ScheduleSpec("0 9 * * *", "Europe/Berlin"), ScheduleSpec("0 * * * *")
HOUR = 3_600_000


def scheduled(*specs: ScheduleSpec, task: str = "report", **given: Any) -> TaskSpec:
    return TaskSpec(task, default_queue(task), schedules=specs, **given)


async def deploy(house: House, *tasks: TaskSpec, **options: Any) -> Worker:
    worker = house.worker(*tasks, **options)
    await house.settle()
    return worker


async def listed(house: House) -> list[Schedule]:
    """The schedules, oldest first."""
    found: list[Schedule] = (await house.ask(ListSchedules(limit=100))).schedules
    return found[::-1]


async def active(house: House) -> list[str]:
    return sorted(one.cron for one in await listed(house) if one.active)


async def test_a_worker_brings_the_schedules_of_its_tasks(house: House) -> None:
    await deploy(house, scheduled(DAILY, HOURLY))
    one, two = sorted(await listed(house), key=lambda found: found.cron == HOURLY.cron)
    assert (one.kind, one.task, one.cron, one.timezone) == (
        "declarative", "report", "0 9 * * *", "Europe/Berlin",
    )  # fmt: skip
    assert (one.dedup_key, two.cron) == (None, "0 * * * *")
    await house.advance(HOUR)
    [run] = (await house.page(schedule=(two.id,))).runs
    assert run.task == "report"
    payload = msgspec.json.decode((await house.run(run.id)).payload or "")
    assert (payload["type"], payload["scheduleId"]) == ("DECLARATIVE", two.id)


async def test_the_same_code_changes_nothing(house: House) -> None:
    await deploy(house, scheduled(DAILY, HOURLY), version="1")
    before = await listed(house)
    house.clock.advance(1_000)
    commits = len(house.faults.changes)
    await deploy(house, scheduled(DAILY, HOURLY), version="1")
    await house.crash()
    await deploy(house, scheduled(DAILY, HOURLY), version="2")
    assert await listed(house) == before
    assert all(not changes.schedule for changes in house.faults.changes[commits:])


async def test_new_code_changes_and_ends_its_schedules(house: House) -> None:
    await deploy(house, scheduled(DAILY, HOURLY), WORK, version="1")
    first = {one.cron: one.id for one in await listed(house)}
    house.clock.advance(1_000)
    weekly = ScheduleSpec("0 9 * * 1")
    await deploy(house, scheduled(weekly), WORK, version="2")
    found = {one.cron: one for one in await listed(house)}
    assert await active(house) == ["0 9 * * 1"]
    assert found["0 9 * * 1"].id == first["0 9 * * *"]
    assert not found["0 * * * *"].active
    house.clock.advance(1_000)
    await deploy(house, WORK, version="3")
    assert await active(house) == []
    house.clock.advance(1_000)
    await deploy(house, scheduled(weekly, HOURLY), version="4")
    assert await active(house) == ["0 * * * *", "0 9 * * 1"]
    assert len(await listed(house)) == 2
    assert await house.differences() == []


async def test_workers_of_an_old_version_change_nothing(house: House) -> None:
    await deploy(house, scheduled(DAILY), version="1")
    house.clock.advance(1_000)
    await deploy(house, scheduled(HOURLY), version="2")
    await deploy(house, scheduled(DAILY), version="1")
    assert await active(house) == [HOURLY.cron]


async def test_workers_with_a_part_of_the_tasks_leave_those_of_others(house: House) -> None:
    await deploy(house, scheduled(DAILY))
    await deploy(house, scheduled(HOURLY, task="clean"))
    assert await active(house) == [HOURLY.cron, DAILY.cron]


async def test_declared_ones_are_switched_by_people_and_changed_in_their_code(house: House) -> None:
    await deploy(house, scheduled(DAILY))
    [one] = await listed(house)
    for request in (SetSchedule("report", "* * * * *", id=one.id), DeleteSchedule(one.id)):
        with pytest.raises(Conflict, match="declared in the code"):
            await house.ask(request)
    await house.ask(SwitchSchedule(one.id, False))
    await deploy(house, scheduled(DAILY))
    await deploy(house, scheduled(HOURLY))
    assert await active(house) == []
    await house.ask(SwitchSchedule(one.id, True))
    assert await active(house) == [HOURLY.cron]
    await deploy(house, scheduled())
    with pytest.raises(Conflict, match="not there any more"):
        await house.ask(SwitchSchedule(one.id, True))
    await house.ask(DeleteSchedule(one.id))
    assert await listed(house) == []


async def test_one_that_this_release_cannot_read_is_left_out(house: House) -> None:
    await deploy(
        house, scheduled(ScheduleSpec("* * * * * *"), HOURLY, ScheduleSpec("@at 1999-01-01"))
    )
    assert await active(house) == [HOURLY.cron]


async def test_a_task_without_parameters_is_told_nothing(house: House) -> None:
    bare: dict[str, Any] = {"type": ["object", "null"], "properties": {}}
    await deploy(house, scheduled(HOURLY, payload_schema=bare))
    await house.advance(HOUR)
    [run] = (await house.page(task=("report",))).runs
    assert (await house.run(run.id)).payload in (None, "null")
