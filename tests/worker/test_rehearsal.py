"""Runs that wait, replayed against code that has changed: what fits, what does not, and where."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mainspring import sync
from mainspring.model.task import default_queue
from mainspring.sdk import runs, wait
from mainspring.sdk.checkpoint import checkpoint
from mainspring.sdk.decorate import task
from mainspring.sdk.moments import now
from mainspring.sdk.parallel import parallel
from mainspring.sdk.registry import registry
from mainspring.sdk.step import step
from mainspring.wire.calls import Outcome
from mainspring.wire.deploying import WaitingRun
from mainspring.wire.worker import Entry, Execute
from mainspring.worker import rehearsal
from mainspring.worker.declare import Question
from mainspring.worker.rehearsal import Verdict, rehearse
from mainspring.worker.rehearse import MODULE, Rehearse


def charge() -> int:
    raise AssertionError("no step is executed in a replay")


def ship(order: int = 0) -> str:
    raise AssertionError("no step is executed in a replay")


def done(name: str, func: Callable[..., Any], value: Any, kind: str = "step") -> Entry:
    """An entry of a step; `kind` is another one's."""
    mark = f"{func.__qualname__}:" if kind == "step" else ""
    return Entry(name, 1, kind, data=json.dumps(value), fingerprint=mark)


def waiting(entries: Sequence[Entry] = (), payload: Any = None, name: str = "order") -> WaitingRun:
    """A run that waits with that journal."""
    ordered = [msgspec.structs.replace(entry, seq=at) for at, entry in enumerate(entries, 1)]
    order = Execute("run_1", 2, 1, name, json.dumps(payload), default_queue(name))
    order.journal = ordered
    return WaitingRun("1", "waiting", order, [])


async def verdict(
    entries: Sequence[Entry] = (), payload: Any = None, outcomes: Sequence[Outcome] = ()
) -> Verdict:
    known = {outcome.run_id: outcome for outcome in outcomes}
    return await rehearse(registry.executables(), waiting(entries, payload), known)


def told(found: Verdict) -> tuple[str, str]:
    return found.verdict, found.at


PAID = (done("charge", charge, 7), done("ship", ship, "out"))


async def test_code_that_comes_to_the_same_point_fits() -> None:
    @task(id="order")
    async def order() -> None:
        assert await step("charge", charge) == 7
        await step("ship", ship)
        await wait.for_("3d")

    assert told(await verdict(PAID)) == ("fits", "wait:time")
    assert told(await verdict(PAID[:1])) == ("fits", "ship")
    assert told(await verdict()) == ("fits", "charge")


async def test_steps_that_are_new_behind_what_was_done_fit() -> None:
    @task(id="order")
    async def order() -> None:
        await step("charge", charge)
        await step("ship", ship)
        await step("mail", ship)
        await wait.for_("3d")

    assert told(await verdict(PAID)) == ("fits", "mail")


async def test_steps_that_were_done_and_changed_places_fit() -> None:
    @task(id="order")
    async def order() -> None:
        await step("ship", ship)
        await step("charge", charge)
        await wait.for_("3d")

    assert told(await verdict(PAID)) == ("fits", "wait:time")
    early = await verdict(PAID[:1])
    assert told(early) == ("diverges", "charge")
    assert "comes to 'ship' without it" in early.reason


async def test_a_step_that_was_renamed_diverges() -> None:
    @task(id="order")
    async def order() -> None:
        await step("charge", charge)
        await step("send", ship)
        await wait.for_("3d")

    found = await verdict(PAID)
    assert told(found) == ("diverges", "ship")
    assert "comes to 'send' without it" in found.reason


async def test_a_step_that_was_removed_diverges() -> None:
    @task(id="order")
    async def order() -> None:
        await step("charge", charge)

    found = await verdict(PAID)
    assert told(found) == ("diverges", "ship")
    assert "ends without it" in found.reason


async def test_something_else_under_the_same_name_diverges() -> None:
    @task(id="order")
    async def order() -> None:
        await step("charge", ship)

    found = await verdict(PAID[:1])
    assert told(found) == ("diverges", "charge")
    assert "charge:" in found.reason
    entry = done("charge", charge, 1, kind="time")
    assert told(await verdict([entry])) == ("diverges", "charge")


async def test_branches_are_replayed_each_to_its_own_point() -> None:
    @task(id="order")
    async def order() -> None:
        await parallel(step("charge", charge), one(), wait.for_("1h"))

    async def one() -> None:
        await step("ship", ship)
        await wait.token("tok")

    scoped = [done("charge", charge, 7), done("1/ship", ship, "out")]
    found = await verdict(scoped)
    assert found.verdict == "fits", found


async def test_what_the_journal_keeps_beside_steps_is_replayed() -> None:
    @task(id="order")
    async def order() -> int:
        when = now()
        assert checkpoint.last("row") == 5
        child = await other.trigger_and_wait(1)
        assert (when.year, child) == (1970, "made")
        await wait.event("paid")
        raise AssertionError("it waits")

    @task(id="other")
    async def other(n: int) -> str:
        return str(n)

    entries = [
        Entry("now()", 1, "step", data="0"),
        Entry("checkpoint:row", 2, "checkpoint", data="5"),
        Entry("trigger:other", 3, "trigger", data='[["run_2",false]]', fingerprint="?"),
        Entry("wait:run:other", 4, "run", data="null"),
    ]
    ended = Outcome("run_2", "other", "completed", '"made"')
    found = await verdict(entries, None, [ended])
    if found.verdict == "diverges":  # the fingerprint of a trigger is the SDK's own
        entries[2].fingerprint = found.reason.split(" and is ")[1]
        found = await verdict(entries, None, [ended])
    assert told(found) == ("fits", "wait:event:paid")


async def test_plain_functions_are_replayed_too() -> None:
    @task(id="order")
    def order() -> None:
        assert sync.step("charge", charge) == 7
        sync.wait.for_("1h")

    assert told(await verdict(PAID[:1])) == ("fits", "wait:time")
    assert told(await verdict(PAID)) == ("diverges", "ship")


async def test_what_cannot_be_told_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "LIMIT_S", 0.05)

    @task(id="order")
    async def order(how: str) -> None:
        if how == "raise":
            raise ValueError("no such order")
        if how == "ask":
            await runs.retrieve("run_9")
        if how == "hang":
            await asyncio.Event().wait()

    raised = await verdict((), {"how": "raise"})
    assert (raised.verdict, raised.reason) == ("unknown", "it raises ValueError: no such order")
    asked = await verdict((), {"how": "ask"})
    assert asked.verdict == "unknown"
    assert "a request to the server (Retrieve)" in asked.reason
    hung = await verdict((), {"how": "hang"})
    assert (hung.verdict, "came to no operation" in hung.reason) == ("unknown", True)
    misfit = await verdict((), {"other": 1})
    assert misfit.verdict == "diverges"
    assert "payload does not fit" in misfit.reason


async def test_a_task_that_is_gone_diverges() -> None:
    found = await rehearse({}, waiting(PAID), {})
    assert (found.verdict, found.reason) == ("diverges", "the code has no such task")


CODE = """
import pathlib, socket
from mainspring import step, task

@task(id="write")
async def write() -> None:
    pathlib.Path("made").write_text("x")
    await step("charge", print)

@task(id="connect")
async def connect() -> None:
    try:
        socket.create_connection(("127.0.0.1", 9))
    except OSError:
        pass
    await step("charge", print)

@task(id="read")
async def read() -> None:
    print("printed")
    pathlib.Path(__file__).read_text()
    await step("charge", print)
"""


def test_input_and_output_outside_of_steps_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(CODE)
    code = Question(str(tmp_path), (".",), ())
    order = [waiting(name=name) for name in ("write", "connect", "read")]
    file = tmp_path / "question"
    file.write_bytes(msgspec.msgpack.encode(Rehearse(code, order, [])))
    ended = subprocess.run(
        [sys.executable, "-m", MODULE, str(file)], capture_output=True, check=True, cwd=tmp_path
    )
    lines = ended.stdout.splitlines()
    write, connect, read = (msgspec.json.decode(line, type=Verdict) for line in lines)
    assert (write.verdict, "writing a file" in write.reason) == ("unknown", True)
    assert (connect.verdict, "socket.getaddrinfo" in connect.reason) == ("unknown", True)
    assert told(read) == ("fits", "charge")
    assert not (tmp_path / "made").exists()
    assert b"printed" in ended.stderr
