"""What a worker says of things that are not its own: of other tenants, of other servers' files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from mainspring.errors import MainspringError, NotFound
from mainspring.store.objects import DirectoryObjects
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire import calls
from mainspring.wire.worker import Answer, Capacity, Entry, Execute, LogLine, Logs, Resume, Started
from tests.engine.house import WORK, House, Worker

SECRET = "what the file of another program holds"


def tenant(house: House) -> EnvironmentRow:
    """Another environment in the same shard, as there is once all shards are in use."""
    row = EnvironmentRow(house.env.env_id + 1024, "prod", house.env.shard_id)
    house.owner.state.set_environment(row)
    return row


async def of_tenant(
    house: House, env: EnvironmentRow, parked: dict[str, int] | None = None
) -> Worker:
    """A worker of that environment, which says that those runs are parked in it."""
    worker = Worker(house, [WORK], number=len(house.workers) + 1)
    order = Execute("", 0, 1, "work", "null", "task/work")
    for run_id, epoch in (parked or {}).items():
        worker.parked[run_id] = msgspec.structs.replace(order, run_id=run_id, epoch=epoch)
    house.workers.append(worker)
    mine, house.env = house.env, env
    try:
        worker.connect()
    finally:
        house.env = mine
    return worker


async def test_no_entry_of_a_journal_reads_a_file_of_the_server(
    house: House, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    worker = house.worker()
    run_id = await house.trigger()
    await house.settle()
    worker.begin(run_id)
    worker.record(run_id, Entry("0/a#1", 1, "step", ref=str(file)))
    await house.settle()
    try:
        found: Any = await house.ask(calls.ListJournal(run_id))
    except MainspringError as error:
        found = error.message
    assert SECRET not in str(msgspec.to_builtins(found))
    assert await house.status(run_id) == "failed"


@pytest.mark.parametrize(
    "ref", ["", "..", "../secret", "/etc/hostname", "ab/../../secret", "Z" * 64]
)
async def test_no_reference_leads_out_of_the_folder_of_objects(tmp_path: Path, ref: str) -> None:
    (tmp_path / "secret").write_text(SECRET)
    objects = DirectoryObjects(tmp_path / "objects")
    await objects.put("x")
    with pytest.raises(NotFound):
        await objects.get(ref)


async def test_a_session_is_renewed_and_declared_dead_by_its_own_environment_only(
    house: House,
) -> None:
    worker = house.worker()
    theirs = tenant(house)
    assert not await house.engine.beat(theirs, worker.session_id)
    house.engine.lost(theirs, worker.session_id)
    assert await worker.beat()


async def test_lines_of_foreign_runs_are_not_taken(house: House) -> None:
    worker = house.worker()
    live = await house.trigger()
    await house.settle()
    worker.begin(live)
    theirs = await of_tenant(house, tenant(house))
    waiting = await house.trigger(delay_ms=60_000)
    for run_id in (live, waiting):
        theirs.send(Logs([LogLine(run_id, house.clock.now(), "info", "forged")]))
    worker.send(Logs([LogLine(live, house.clock.now(), "info", "own")]))
    await house.settle()
    await house.engine.tick()
    pages = [await house.ask(calls.ListLogs(run_id)) for run_id in (live, waiting)]
    assert [[line.message for line in page.lines] for page in pages] == [["own"], []]


async def test_a_foreign_worker_begins_no_run(house: House) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    await house.settle()
    theirs = await of_tenant(house, tenant(house))
    theirs.send(Started([(run_id, worker.runs[run_id].epoch)]))
    assert not house.owner.state.lives[run_id].begun


async def test_a_foreign_run_is_as_unknown_as_any_to_code_that_asks_in_its_name(
    house: House,
) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    await house.settle()
    worker.begin(run_id)
    theirs = await of_tenant(house, tenant(house))
    unknown = run_id[:-1] + ("0" if run_id[-1] != "0" else "1")
    told = []
    for number, named in enumerate((run_id, unknown)):
        theirs.call(calls.Trigger([]), call_id=number, run_id=named)
        await house.settle()
        answer = [one for one in theirs.took(Answer) if one.call_id == number][-1]
        told.append(msgspec.msgpack.decode(answer.body)[0])
        assert not answer.ok
    assert told == ["not_found", "not_found"]


@pytest.mark.parametrize("epoch", [0, 1, 5])
async def test_who_says_that_it_has_the_coroutine_of_a_foreign_run_is_not_given_it(
    house: House, epoch: int
) -> None:
    worker = house.worker(slots=0)
    run_id = await house.trigger({"secret": SECRET})
    await house.settle()
    theirs = await of_tenant(house, tenant(house), parked={run_id: epoch})
    worker.send(Capacity(10))
    house.owner.ring()
    await house.settle()
    assert theirs.took(Execute) == theirs.took(Resume) == []
    assert [order.run_id for order in worker.took(Execute)] == [run_id]


async def test_who_says_that_a_foreign_run_is_parked_in_it_takes_it_from_nobody(
    house: House,
) -> None:
    worker = house.worker()
    run_id = await house.trigger()
    await house.settle()
    worker.begin(run_id)
    worker.sleep(run_id, "0/wait#1", after_ms=10_000)
    await house.settle()
    theirs = await of_tenant(house, tenant(house), parked={run_id: 1})
    await house.settle()
    await house.advance(10_000)
    assert [order.run_id for order in worker.took(Resume)] == [run_id]
    assert theirs.took(Resume) == theirs.took(Execute) == []
