"""Versions of the code: which one new runs get, who keeps which, and what a promotion changes."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Any

import pytest

from mainspring.errors import CommitRejected, Conflict, InvalidOptions, NotFound
from mainspring.model.run import Status
from mainspring.model.task import QueueSpec, ScheduleSpec, TaskSpec, default_queue
from mainspring.wire import calls
from mainspring.wire.deploying import (
    CarryRuns,
    Deploy,
    Deployment,
    GetBundle,
    GetDeployment,
    ListWaiting,
    Manifest,
    Promote,
    Rollback,
)
from mainspring.wire.operating import CurrentDeployment, ListDeployments, ListSchedules
from mainspring.wire.worker import Fenced, Resume
from tests.engine.durable import record, started, step, waits
from tests.engine.house import WORK, House

DAY = 86_400_000


def code(text: str = "code", *tasks: TaskSpec, **fields: Any) -> Deploy:
    """A version with that content."""
    data = text.encode()
    manifest = fields.pop("manifest", None) or Manifest(list(tasks) or [WORK], [])
    bundle = base64.b64encode(data).decode()
    return Deploy(bundle, hashlib.sha256(data).hexdigest(), manifest, **fields)


async def deploy(house: House, *args: Any, promote: bool = True, **fields: Any) -> str:
    """Deploy a version and let new runs get it; its name."""
    made: Deployment = await house.ask(code(*args, **fields))
    if promote:
        await house.ask(Promote(made.version))
    return made.version


@pytest.fixture
async def calm(house: House) -> AsyncIterator[House]:
    """The house; at its end memory and rows agree."""
    yield house
    await house.settle()
    assert await house.differences() == []


async def test_versions_are_numbered_by_day_and_are_current_once_promoted(calm: House) -> None:
    house = calm
    first = await deploy(house, "a", promote=False, runtime="3.12.1")
    second = await deploy(house, "b", promote=False)
    day = first.partition(".")[0]
    assert (first, second) == (f"{day}.1", f"{day}.2")
    assert house.owner.state.current == {house.env.env_id: ""}
    found: Deployment = await house.ask(Promote(first))
    assert (found.version, found.current, found.promoted_at) == (first, True, house.clock.now())
    assert (found.runtime, found.size, found.hash) == ("3.12.1", 1, code("a").hash)
    assert (await house.ask(CurrentDeployment())).version == first
    await house.advance(DAY)
    third = await deploy(house, "c")
    assert third.endswith(".1")
    assert third > second
    listed = (await house.ask(ListDeployments())).deployments
    assert [(one.version, one.current) for one in listed] == [
        (third, True),
        (second, False),
        (first, False),
    ]
    assert (await house.ask(GetBundle(second))).bundle == code("b").bundle


async def test_a_repeat_with_an_external_id_finds_its_deployment(calm: House) -> None:
    house = calm
    version = await deploy(house, "a", external_id="commit-1")
    again: Deployment = await house.ask(code("a", external_id="commit-1"))
    assert (again.version, again.external_id) == (version, "commit-1")
    with pytest.raises(Conflict, match="other code"):
        await house.ask(code("b", external_id="commit-1"))
    assert (await house.ask(GetDeployment("commit-1"))).deployment.version == version
    assert (await house.ask(Promote(again.id))).version == version


async def test_repeats_with_a_key_find_its_deployment_also_at_the_same_time(calm: House) -> None:
    house = calm
    asked = [house.ask(code("a", request_key="upload-1")) for _ in range(5)]
    made: list[Deployment] = await asyncio.gather(*asked)
    assert [one.version for one in made] == [made[0].version] * 5
    later: Deployment = await house.ask(code("b", request_key="upload-2"))
    await house.advance(DAY)
    assert (await house.ask(code("a", request_key="upload-1"))).id == made[0].id < later.id


async def test_the_deployment_of_a_key_is_found_after_a_takeover(house: House) -> None:
    made: Deployment = await house.ask(code("a", request_key="upload-1"))
    for text in map(str, range(101)):
        await deploy(house, text, promote=False)
    await house.crash()
    assert (await house.ask(code("a", request_key="upload-1"))) == made
    assert (await house.ask(GetDeployment(made.id))).deployment == made


@pytest.mark.parametrize(
    "change, told",
    [
        ({"hash": "0" * 64}, "not what its hash says"),
        ({"bundle": "not base64"}, "not base64"),
        ({"manifest": Manifest([], [])}, "declares no task"),
        ({"external_id": "x" * 200}, "external_id"),
    ],
)
async def test_what_is_no_version_is_refused(
    house: House, change: dict[str, Any], told: str
) -> None:
    wanted = code("a")
    for name, value in change.items():
        setattr(wanted, name, value)
    with pytest.raises(InvalidOptions, match=told):
        await house.ask(wanted)
    assert (await house.ask(ListDeployments())).deployments == []


async def test_new_runs_get_the_current_version_and_keep_it(calm: House) -> None:
    house = calm
    one = await deploy(house, "1")
    old = house.worker(version=one)
    other = house.worker(version="other")
    kept = await started(house, old)
    assert (old.runs[kept].version, (await house.run(kept)).version) == (one, one)
    two = await deploy(house, "2")
    new = house.worker(version=two)
    old.finish(kept, outcome="retry", retry_after_ms=0)
    fresh = await house.trigger()
    pinned = await house.trigger(version="other")
    await house.advance(1)
    assert old.runs.keys() == {kept}
    assert new.runs.keys() == {fresh}
    assert other.runs.keys() == {pinned}
    old.finish(kept)
    await house.settle()
    assert (await house.run(kept)).version == one
    listed = await house.page(version=(one,))
    assert [run.id for run in listed.runs] == [kept]
    assert (await house.page(version=(two,))).runs[0].id == fresh


async def test_what_has_not_started_gets_the_version_that_is_current_then(calm: House) -> None:
    house = calm
    one = await deploy(house, "1")
    worker = house.worker(version=one, slots=1)
    busy = await started(house, worker)
    queued = await house.trigger()
    delayed = await house.trigger(delay_ms=5_000)
    two = await deploy(house, "2")
    new = house.worker(version=two)
    await house.advance(5_000)
    assert new.runs.keys() == {queued, delayed}
    worker.finish(busy)
    back = await house.ask(Rollback())
    assert back.version == one
    after = await house.trigger()
    await house.settle()
    assert worker.runs.keys() == {after}


async def test_runs_without_a_worker_of_their_version_say_so_until_one_comes(calm: House) -> None:
    house = calm
    version = await deploy(house, "1")
    plain = house.worker()
    runs = [await house.trigger() for _ in range(2)]
    pinned = await house.trigger(version="gone")
    await house.settle()
    assert not plain.runs
    assert [await house.status(run) for run in (*runs, pinned)] == ["pending_version"] * 3
    listed = await house.page(status=(Status.PENDING_VERSION,))
    assert {run.id for run in listed.runs} == {*runs, pinned}
    assert (await house.page(status=(Status.QUEUED,))).runs == []
    explained: calls.Explanation = await house.ask(calls.ExplainRun(runs[0]))
    assert explained.gate == "pending_version"
    assert version in explained.text
    worker = house.worker(version=version)
    await house.settle()
    assert worker.runs.keys() == set(runs)
    assert await house.status(pinned) == "pending_version"


async def test_a_child_that_is_awaited_runs_in_its_parents_version(calm: House) -> None:
    house = calm
    old = house.worker(version=await deploy(house, "1"))
    parent = await started(house, old)
    new = house.worker(version=await deploy(house, "2"))
    awaited = await house.trigger(parent=parent, awaited=True)
    free = await house.trigger(parent=parent)
    await house.settle()
    assert old.runs.keys() == {parent, awaited}
    assert new.runs.keys() == {free}


async def test_a_rollback_goes_back_one_promoted_version_at_a_time(calm: House) -> None:
    house = calm
    with pytest.raises(Conflict, match="Nothing is promoted"):
        await house.ask(Rollback())
    one = await deploy(house, "1")
    await deploy(house, "skipped", promote=False)
    two = await deploy(house, "2")
    three = await deploy(house, "3")
    assert (await house.ask(CurrentDeployment())).version == three
    assert [(await house.ask(Rollback())).version for _ in range(2)] == [two, one]
    with pytest.raises(Conflict, match=f"before {one}.*mainspring deploys ls"):
        await house.ask(Rollback())


async def test_a_version_that_is_gone_is_not_promoted(calm: House) -> None:
    house = calm
    announced = house.worker(version="v1")
    await house.settle()
    await house.ask(Promote("v1"))
    await deploy(house, "2")
    announced.drop()
    for asked in (Promote("v1"), Rollback()):
        with pytest.raises(Conflict, match=r"'v1' is gone.*Start its workers again"):
            await house.ask(asked)
    with pytest.raises(NotFound, match=r"No version 'v3'.*mainspring deploys ls"):
        await house.ask(Promote("v3"))
    with pytest.raises(Conflict, match="not kept here"):
        await house.ask(GetBundle("v1"))
    announced.connect()
    assert (await house.ask(Promote("v1"))).current


async def test_nobody_is_bound_to_a_version_after_it_is_taken_back(calm: House) -> None:
    house = calm
    plain = house.worker()
    await deploy(house, "1")
    run = await house.trigger()
    await house.settle()
    assert not plain.runs
    await house.ask(Promote(""))
    await house.settle()
    assert plain.runs.keys() == {run}
    assert (await house.run(run)).version == ""


async def test_the_next_server_knows_the_current_version(calm: House) -> None:
    house = calm
    await deploy(house, "1")
    two = await deploy(house, "2")
    await house.crash()
    plain, worker = house.worker(), house.worker(version=two)
    run = await house.trigger()
    await house.settle()
    assert worker.runs.keys() == {run}
    assert not plain.runs
    await house.crash()
    worker.connect()
    await house.settle()
    assert house.owner.state.lives[run].version == two


@pytest.mark.parametrize("ends", [["lost"], ["kept"], ["refused", "refused"]])
async def test_a_promotion_holds_or_does_not(calm: House, ends: list[str]) -> None:
    house = calm
    one, two = await deploy(house, "1"), await deploy(house, "2", promote=False)
    house.faults.next.extend(ends)
    held = one if "refused" in ends else two
    with pytest.raises(CommitRejected) if held == one else nullcontext():
        await house.ask(Promote(two))
    await house.settle()
    assert (await house.ask(CurrentDeployment())).version == held
    await house.crash()
    assert (await house.ask(CurrentDeployment())).version == held


async def test_tasks_and_schedules_are_those_of_the_current_version(calm: House) -> None:
    house = calm
    hourly = TaskSpec("hourly", default_queue("hourly"), schedules=(ScheduleSpec("0 * * * *"),))
    changed = TaskSpec("work", default_queue("work"), description="new")
    mail = QueueSpec("mail", limit=3)
    await deploy(house, "1", manifest=Manifest([WORK, hourly], [mail]))
    one = await house.trigger(task="hourly")
    assert await house.status(one) == "pending_version"
    (schedule,) = (await house.ask(ListSchedules())).schedules
    assert (schedule.task, schedule.active) == ("hourly", True)
    await deploy(house, "2", changed)
    (schedule,) = (await house.ask(ListSchedules())).schedules
    assert not schedule.active
    house.worker(WORK, version="old", queues=[QueueSpec("mail", limit=9)])
    await house.settle()
    tasks = {task.id: task for task in (await house.ask(calls.ListTasks())).tasks}
    assert tasks["work"].description == "new"
    assert house.owner.state.queues[house.env.env_id, "mail"].spec.limit == 3
    await house.ask(Rollback())
    (schedule,) = (await house.ask(ListSchedules())).schedules
    assert schedule.active
    tasks = {task.id: task for task in (await house.ask(calls.ListTasks())).tasks}
    assert tasks["work"].description == ""


async def test_a_run_that_the_current_version_does_not_have_is_not_bound_to_it(
    calm: House,
) -> None:
    house = calm
    late = TaskSpec("late", default_queue("late"))
    house.worker(late, version="old")
    await house.settle()
    one = house.worker(version=await deploy(house, "1"))
    run = await house.trigger(task="late")
    await house.settle()
    assert await house.status(run) == "pending_version"
    two = house.worker(WORK, late, version=await deploy(house, "2", WORK, late))
    await house.live(8_000)
    assert (one.runs, two.runs.keys()) == ({}, {run})


async def test_waiting_runs_are_told_with_their_journal_and_carried_over(calm: House) -> None:
    house = calm
    old = house.worker(version=await deploy(house, "1"), inside=True)
    busy, idle = await started(house, old), await started(house, old, payload={"a": 1})
    record(old, idle, step("charge", 1, 7))
    old.sleep(idle, "wait:time", due_at=house.clock.now() + 60_000, seq=2)
    failing = await started(house, old)
    old.finish(failing, outcome="retry", retry_after_ms=60_000)
    await house.settle()
    version = await deploy(house, "2")
    new = house.worker(version=version, inside=True)
    page = await house.ask(ListWaiting(version))
    assert [one.order.run_id for one in page.runs] == [failing, idle]
    waiting = page.runs[1]
    assert (waiting.open, waiting.status) == ([("wait:time", "time")], "waiting")
    assert [(entry.key, entry.data) for entry in waiting.order.journal] == [("charge", "7")]
    assert (waiting.order.payload, waiting.order.epoch) == ('{"a":1}', 2)
    carried = await house.ask(CarryRuns(version, [busy, idle, failing]))
    assert carried.run_ids == [idle, failing]
    assert (await house.ask(ListWaiting(version))).runs == []
    await house.advance(60_000)
    assert new.runs.keys() == {idle, failing}
    assert old.runs.keys() == {busy}
    assert [entry.key for entry in new.runs[idle].journal] == ["charge", "wait:time"]
    assert [fenced.run_id for fenced in old.took(Fenced)] == [idle]
    assert not old.took(Resume)
    assert {(await house.run(run)).version for run in (idle, failing)} == {version}


async def test_a_resumed_run_can_be_carried_while_it_waits_for_a_worker(calm: House) -> None:
    house = calm
    old = house.worker(version=await deploy(house, "1"))
    run = await started(house, old)
    waits(old, run, "wait:time", "time", after_ms=1_000)
    await house.settle()
    old.drop()
    await house.advance(20_000)
    version = await deploy(house, "2")
    assert await house.status(run) == "pending_version"
    assert (await house.ask(CarryRuns(version, [run]))).run_ids == [run]
    new = house.worker(version=version)
    await house.settle()
    assert new.runs.keys() == {run}


async def test_a_run_that_was_triggered_for_a_version_is_not_carried_to_another(
    calm: House,
) -> None:
    house = calm
    one = await deploy(house, "1", external_id="commit-1")
    old = house.worker(version=one)
    for options in ({"version": one}, {"deployment": "commit-1"}):
        run = await started(house, old, **options)
        waits(old, run, "wait:time", "time", after_ms=60_000)
    await house.settle()
    two = await deploy(house, "2")
    page = await house.ask(ListWaiting(two))
    ids = [one.order.run_id for one in page.runs]
    assert len(ids) == 2
    assert (await house.ask(CarryRuns(two, ids))).run_ids == []


async def test_a_run_for_a_deployment_starts_in_its_version_at_once(calm: House) -> None:
    house = calm
    one = house.worker(version=await deploy(house, "1", external_id="commit-1"))
    house.worker(version=await deploy(house, "2"))
    run = await house.trigger(deployment="commit-1")
    await house.settle()
    assert one.runs.keys() == {run}
    with pytest.raises(InvalidOptions, match="another name"):
        await house.trigger(deployment="commit-1", version="2")


async def test_a_run_waits_for_its_deployment_and_for_workers_of_it(calm: House) -> None:
    house = calm
    worker = house.worker(version=await deploy(house, "1"))
    runs = [await house.trigger(deployment="commit-2"), await house.trigger(deployment="commit-2")]
    delayed = await house.trigger(deployment="commit-2", delay_ms=5_000)
    other = await house.trigger(deployment="never")
    await house.advance(1)
    assert not worker.runs
    assert [await house.status(run) for run in (*runs, other)] == ["pending_version"] * 3
    explained: calls.Explanation = await house.ask(calls.ExplainRun(runs[0]))
    assert "'commit-2'" in explained.text
    assert "mainspring deploy --external-id commit-2" in explained.text
    version = await deploy(house, "2", promote=False, external_id="commit-2")
    explained = await house.ask(calls.ExplainRun(runs[0]))
    assert f"has version '{version}'" in explained.text
    await house.crash()
    new = house.worker(version=version)
    worker.connect()
    await house.advance(5_000)
    assert new.runs.keys() == {*runs, delayed}
    assert not worker.runs
    assert (await house.run(runs[0])).version == version
    new.finish(runs[0], outcome="retry", retry_after_ms=0)
    await house.advance(1)
    assert new.runs.keys() == {*runs, delayed}
    assert await house.status(other) == "pending_version"


async def test_subscribers_see_that_a_run_waits_for_its_version(calm: House) -> None:
    house = calm
    await deploy(house, "1")
    run = await house.trigger()
    show = house.engine.show(house.env)
    assert [found.status for found in await show.runs([run])] == [Status.PENDING_VERSION]


async def test_the_code_of_old_versions_goes_once_nothing_needs_it(calm: House) -> None:
    house = calm
    house.engine.keep_versions = 2
    names = [await deploy(house, str(number)) for number in range(7)]
    sleeper = house.worker(version=names[0])
    run = await started(house, sleeper, version=names[0])
    waits(sleeper, run, "wait:time", "time", after_ms=DAY)
    await house.settle()
    sleeper.drop()
    served = house.worker(version=names[1], inside=True)
    for version in (names[6], names[2], names[3]):  # current, and before it
        await house.ask(Promote(version))
    await house.advance(3_600_000)
    await house.engine.tick()
    rows = {name: await house.store.catalog.deployment(1, house.env.env_id, name) for name in names}
    assert [name for name, row in rows.items() if row is None or not row.bundle_ref] == [names[4]]
    assert (await house.ask(GetBundle(names[1]))).version == served.version
    with pytest.raises(Conflict, match="keep_versions"):
        await house.ask(GetBundle(names[4]))
    with pytest.raises(Conflict, match="Deploy it again"):
        await house.ask(Promote(names[4]))
    again: Deployment = await house.ask(code("4", external_id="again"))
    assert (await house.ask(GetBundle(again.version))).bundle == code("4").bundle


async def test_a_version_in_an_image_is_promoted_once_its_workers_are_there(calm: House) -> None:
    house = calm
    named = Deploy("", "", Manifest([WORK], []), "c1", "3.12.1", "shop:1")
    made: Deployment = await house.ask(named)
    assert (made.image, made.hash, made.size) == ("shop:1", "", 0)
    assert (await house.ask(named)).id == made.id
    with pytest.raises(Conflict, match="other code"):
        await house.ask(code("a", external_id="c1"))
    for asked in (Promote(made.version), GetBundle(made.version)):
        with pytest.raises(Conflict, match=rf"'shop:1'.*worker --version {made.version}"):
            await house.ask(asked)
    with pytest.raises(InvalidOptions, match="not both"):
        await house.ask(code("a", image="shop:1"))
    worker = house.worker(version=made.version)
    await house.settle()
    assert (await house.ask(Promote(made.version))).current
    run = await house.trigger()
    await house.settle()
    assert worker.runs.keys() == {run}
