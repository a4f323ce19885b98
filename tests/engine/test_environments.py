"""Environments as a whole: held, limited; branches made, listed and archived."""

import pytest

from mainspring.errors import Conflict, InvalidOptions
from mainspring.model.audit import Entry
from mainspring.store.access import KeyRow
from mainspring.wire import environments as wire
from mainspring.wire.calls import Trigger
from mainspring.wire.operating import ListSchedules, PauseEnvironment, SetSchedule
from tests.engine.house import WORK, House, request


async def test_a_limit_and_its_burst_hold_at_once_and_for_the_next_server(house: House) -> None:
    worker = house.worker(slots=10)
    found = await house.ask(wire.SetEnvironment(limit=2, burst=1.5))
    assert (found.limit, found.burst, found.running) == (2, 1.5, 0)
    runs = [await house.trigger() for _ in range(5)]
    await house.settle()
    assert len(worker.runs) == 2  # of one queue
    others = [await house.trigger(queue="other") for _ in range(2)]
    await house.settle()
    assert len(worker.runs) == 3  # of all
    await house.crash()
    worker.connect()
    await house.settle()
    state = await house.ask(wire.GetEnvironment())
    assert (state.limit, state.burst, state.running, state.queued) == (2, 1.5, 3, 4)
    await house.ask(wire.SetEnvironment(limit=None))
    await house.settle()
    assert worker.runs.keys() == {*runs, *others}
    assert (await house.ask(wire.GetEnvironment())).burst == 1.5


@pytest.mark.parametrize("wanted", [{"limit": -1}, {"burst": 0.5}, {"burst": 101.0}])
async def test_a_limit_without_a_meaning_is_refused(house: House, wanted: dict[str, float]) -> None:
    with pytest.raises(InvalidOptions, match=next(iter(wanted))):
        await house.ask(wire.SetEnvironment(**wanted))


async def test_a_held_environment_starts_nothing(house: House) -> None:
    worker = house.worker()
    assert (await house.ask(PauseEnvironment(paused=True))).paused
    run = await house.trigger()
    await house.settle()
    assert not worker.runs
    await house.ask(PauseEnvironment(paused=False))
    await house.settle()
    assert worker.runs.keys() == {run}


async def test_branches_are_environments_of_their_own_until_they_are_archived(house: House) -> None:
    engine = house.engine
    with pytest.raises(Conflict, match="belong to the environment 'preview'"):
        await house.ask(wire.CreateBranch("x"))
    with pytest.raises(Conflict, match="'dev' is none"):
        await house.ask(wire.ArchiveEnvironment())
    preview = await engine.environment("preview")
    for name in ("Feature/Login", "feature-login", "other"):
        await engine.answer(preview, wire.CreateBranch(name))
    for name in ("", "/", "x" * 51):
        with pytest.raises(InvalidOptions, match="names no branch"):
            await engine.answer(preview, wire.CreateBranch(name))
    listed = await engine.answer(preview, wire.ListBranches())
    assert listed.branches == ["preview-feature-login", "preview-other"]

    branch = await engine.environment("preview-feature-login")
    key = KeyRow("key_1", branch.env_id, "", "4444", "", 1)
    await engine.access.add_key(
        "hash", key, b"", Entry(1, branch.env_id, "test", "keys.create", "key_1")
    )
    house.env = branch
    worker = house.worker(WORK)
    await house.settle()
    made = await house.ask(SetSchedule("work", "* * * * *"))
    assert made.active
    state = await house.ask(wire.ArchiveEnvironment())
    assert state.slug == f"archived-{branch.env_id}-preview-feature-login"
    assert [row.active for row in (await house.ask(ListSchedules())).schedules] == [False]
    assert (await engine.access.find_key("hash")).key.revoked_at == house.clock.now()
    await house.ask(Trigger([request()]))
    await house.advance(120_000)
    assert not worker.runs
    assert (await engine.answer(preview, wire.ListBranches())).branches == ["preview-other"]
    await engine.answer(preview, wire.CreateBranch("Feature/Login"))
    anew = await engine.environment("preview-feature-login")
    assert anew.env_id != branch.env_id
