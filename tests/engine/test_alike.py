"""Failed runs that are alike: counted in the commit that ends them, marked, and found again."""

from __future__ import annotations

import pytest

from mainspring.engine import alike
from mainspring.errors import InvalidOptions, NotFound
from mainspring.model.run import RunError, RunFilter
from mainspring.wire import observing as wire
from mainspring.wire.calls import ListRuns
from tests.engine.house import DAY, House, Worker
from tests.engine.test_versions import deploy

BROKEN = RunError("no user 1", "ValueError")
OTHER = RunError("the disk is full", "OSError")


async def fail(
    house: House, worker: Worker, *errors: RunError, outcome: str = "aborted"
) -> list[str]:
    """One run for each error; they all fail at once."""
    runs = [await house.trigger() for _ in errors]
    await house.settle()
    worker.begin(*runs)
    for run_id, error in zip(runs, errors, strict=True):
        worker.finish(run_id, outcome=outcome, error=error)
    await house.settle()
    return runs


async def groups(house: House, **wanted: object) -> list[wire.ErrorGroup]:
    found: wire.ErrorPage = await house.ask(wire.ListErrors(**wanted))  # type: ignore[arg-type]
    return found.groups


async def mark(house: House, id_: str, status: str) -> wire.ErrorGroup:
    found: wire.ErrorGroup = await house.ask(wire.MarkError(id_, status))
    return found


async def test_runs_that_fail_alike_are_one_group(house: House) -> None:
    worker = house.worker(slots=4)
    runs = await fail(house, worker, BROKEN, RunError("no user 22", "ValueError"), OTHER)
    await house.advance(1_000)
    runs += await fail(house, worker, BROKEN)
    latest, other = await groups(house)
    assert (latest.name, latest.count, latest.status) == ("ValueError", 3, "new")
    assert (latest.first_at, latest.last_at) == (house.clock.now() - 1_000, house.clock.now())
    assert (latest.last_run, latest.task) == (runs[3], "work")
    assert (other.name, other.count, other.message) == ("OSError", 1, OTHER.message)
    page = await house.ask(ListRuns(RunFilter(error=(f"#{latest.id}",))))
    assert {run.id for run in page.runs} == {runs[0], runs[1], runs[3]}
    assert await house.ask(wire.GetError(latest.id)) == latest


async def test_success_and_cancel_are_no_failures(house: House) -> None:
    worker = house.worker(slots=2)
    done, canceled = await house.trigger(), await house.trigger()
    await house.settle()
    worker.begin(done, canceled)
    worker.finish(done)
    await house.cancel(canceled)
    worker.finish(canceled, outcome="canceled", error=RunError("canceled"))
    await house.settle()
    assert await groups(house) == []


async def test_a_resolved_group_regresses_by_a_run_made_later(house: House) -> None:
    worker = house.worker(slots=4)
    await fail(house, worker, BROKEN)
    old = await house.trigger()
    await house.settle()
    worker.begin(old)
    await house.advance(1_000)
    [group] = await groups(house)
    resolved = await mark(house, group.id, "resolved")
    assert (resolved.status, resolved.marked_at) == ("resolved", house.clock.now())
    worker.finish(old, outcome="aborted", error=BROKEN)
    await house.settle()
    [group] = await groups(house)
    assert (group.status, group.count) == ("resolved", 2)
    await house.advance(1_000)
    await fail(house, worker, BROKEN)
    assert [(one.status, one.count) for one in await groups(house)] == [("regressed", 3)]


async def test_with_versions_another_one_than_the_last_takes_a_group_to_regressed(
    house: House,
) -> None:
    first = await deploy(house, "a")
    worker = house.worker(slots=4, version=first)
    await fail(house, worker, BROKEN)
    [group] = await groups(house)
    assert (group.first_version, group.last_version) == (first, first)
    await mark(house, group.id, "resolved")
    await house.advance(1_000)
    await fail(house, worker, BROKEN)  # code from before the resolution
    assert [(one.status, one.count) for one in await groups(house)] == [("resolved", 2)]
    second = await deploy(house, "b")
    await house.advance(1_000)
    await fail(house, house.worker(slots=4, version=second), BROKEN)
    [group] = await groups(house)
    assert (group.status, group.count, group.last_version) == ("regressed", 3, second)


async def test_a_muted_group_stays_muted_until_somebody_says_otherwise(house: House) -> None:
    worker = house.worker(slots=4)
    await fail(house, worker, BROKEN)
    [group] = await groups(house)
    await mark(house, group.id, "muted")
    await house.advance(1_000)
    await fail(house, worker, BROKEN)
    assert [one.status for one in await groups(house)] == ["muted"]
    assert (await mark(house, group.id, "new")).status == "new"


async def test_groups_are_listed_by_pages_status_and_task(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = house.worker(slots=4)
    for name in "abcd":
        await house.advance(1_000)
        await fail(house, worker, RunError("no", f"Error{name}"))
    first: wire.ErrorPage = await house.ask(wire.ListErrors(limit=3))
    assert [one.name for one in first.groups] == ["Errord", "Errorc", "Errorb"]
    rest: wire.ErrorPage = await house.ask(wire.ListErrors(limit=3, after=first.next))
    assert ([one.name for one in rest.groups], rest.next) == (["Errora"], None)
    await mark(house, first.groups[2].id, "muted")
    assert [one.name for one in await groups(house, status=("muted",))] == ["Errorb"]
    assert await groups(house, task="other") == []
    monkeypatch.setattr(alike, "LOOKED_AT", 2)
    short: wire.ErrorPage = await house.ask(wire.ListErrors(status=("muted",)))
    assert short.groups == []
    found: wire.ErrorPage = await house.ask(wire.ListErrors(status=("muted",), after=short.next))
    assert [one.name for one in found.groups] == ["Errorb"]


async def test_what_is_not_there_is_said(house: House) -> None:
    with pytest.raises(NotFound):
        await house.ask(wire.GetError("0123456789abcdef"))
    with pytest.raises(NotFound):
        await mark(house, "nö", "muted")
    for bad in (wire.MarkError("x", "gone"), wire.ListErrors(after="x"), wire.ListErrors(("odd",))):
        with pytest.raises(InvalidOptions):
            await house.ask(bad)


async def test_groups_go_when_their_runs_have_gone(house: House) -> None:
    worker = house.worker(slots=4, inside=True)
    await fail(house, worker, BROKEN)
    await house.advance(DAY)
    await fail(house, worker, OTHER)
    owner = house.owner
    for _ in range(4):
        await owner.retention.look(owner.epoch, house.clock.now(), DAY // 2, [house.env.env_id])
    assert [one.name for one in await groups(house)] == ["OSError"]
