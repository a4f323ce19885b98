"""Bad input by each of the three ways in, over HTTP, from Python and by a command, on both
databases: it is refused by what is wrong with it and the way out, and nothing is changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from mainspring import Client
from mainspring.cli.main import root
from mainspring.errors import MainspringError
from mainspring.wire.worker import Entry, Execute, Park, Record, Wait
from tests.server.conftest import KEY
from tests.server.test_whole import Whole, Worker, make_store, whole

__all__ = ["make_store", "whole"]
pytestmark = pytest.mark.slow
SCHEDULES, VARIABLES = "/api/v1/schedules", "/api/v1/projects/any/envvars/dev"
FIELDS = ("0 9 * * MON-FRI", "@every 10m", "@at 2026-12-24T18:00")


@dataclass(frozen=True)
class Bad:
    """One bad input, by each way; `told` are parts of what everybody is told.

    A way that cannot say it (a command has no wrong types) has None.
    """

    told: tuple[str, ...]
    http: tuple[str, str, Any]
    python: Callable[[Client], Awaitable[Any]]
    typed: tuple[str, ...] | None
    status: int = 422
    code: str = "invalid_options"
    exit: int = 2


WORDS = {
    "timezone": ("timezone", "--timezone"),
    "window": ("window", "--window"),
    "deduplicationKey": ("deduplication_key", "--deduplication-key"),
    "externalId": ("external_id", "--external-id"),
    "catchUp": ("catch_up", "--missed"),
}


def schedule(*told: str, task: str = "work", cron: str = "0 9 * * *", **rest: Any) -> Bad:
    """A schedule that cannot be made; `rest` are fields by their names over HTTP."""
    how = {key: rest.pop(key) for key in ("status", "code", "exit") if key in rest}
    named = {WORDS[name][0]: value for name, value in rest.items()}
    flags = [text for name, value in rest.items() for text in (WORDS[name][1], str(value))]
    return Bad(
        told,
        ("POST", SCHEDULES, {"task": task, "cron": cron} | rest),
        lambda client: client.schedules.create(task, cron, **named),
        ("schedules", "create", task, cron, *flags) if "\0" not in f"{task}{cron}{flags}" else None,
        **how,
    )


def variable(name: str, value: str, *told: str) -> Bad:
    """A variable that cannot be set."""
    return Bad(
        told,
        ("POST", VARIABLES, {"name": name, "value": value}),
        lambda client: client.env_vars.set({name: value}),
        ("env", "set", f"{name}={value}") if "\0" not in value else None,
        status=400,
        code="bad_request",
    )


BAD = {
    "minute": schedule("the minute '61'", "0-59", cron="61 * * * *"),
    "hour": schedule("the hour '25'", "0-23", cron="* 25 * * *"),
    "day": schedule("the day of month '32'", "1-31, L", cron="* * 32 * *"),
    "month": schedule("the month '13'", "1-12 and JAN-DEC", cron="* * * 13 *"),
    "weekday": schedule("the day of week '8'", "0-7 and SUN-SAT", cron="* * * * 8"),
    "step": schedule("'*/90' is longer than 60", '"@every 90m"', cron="*/90 * * * *"),
    "no step": schedule("the minute '*/0'", 'steps "*/5"', cron="*/0 * * * *"),
    "seconds": schedule("five fields", *FIELDS, cron="* * * * * *"),
    "four fields": schedule("five fields", *FIELDS, cron="* * * *"),
    "no cron": schedule("five fields", *FIELDS, cron=""),
    "long cron": schedule("50,008 characters; at most 200", cron="*" * 50_000 + " * * * *"),
    "nickname": schedule("'@daily'", "write '0 0 * * *'", cron="@daily"),
    "digits": schedule("the minute '٠'", "0-59", cron="٠ * * * *"),
    "never": schedule("no month '2' has a day '30'", cron="0 0 30 2 *"),
    "date": schedule("day is out of range", "@at 2026-12-24T18:00", cron="@at 2026-02-30T10:00"),
    "past": schedule("no tick left", "a later date", cron="@at 2020-01-01T00:00"),
    "negative": schedule("'-5m' is not a duration", '"10m"', cron="@every -5m"),
    "too often": schedule("1 second to 366 days", cron="@every 500ms"),
    "too rare": schedule("1 second to 366 days", cron="@every 9000h"),
    "zone": schedule("'Mars/Base' is not known", '"Europe/Berlin"', timezone="Mars/Base"),
    "near zone": schedule("Did you mean 'Europe/Berlin'", timezone="Europe/Belin"),
    "abbreviation": schedule("'CEST' is not known", "abbreviations", timezone="CEST"),
    "offset": schedule("'+02:00' is not known", "offsets", timezone="+02:00"),
    "path": schedule("'../UTC' is not known", '"Europe/Berlin"', timezone="../UTC"),
    "no zone": schedule("timezone '' is not known", '"Europe/Berlin"', timezone=""),
    "window": schedule("'3d' is neither minutes or hours", '"30m"', window="3d"),
    "no window": schedule("'' is neither minutes or hours", '"20%"', window=""),
    "missed": schedule("'some'", "latest", "none", "all", catchUp="some"),
    "no key": schedule("deduplicationKey has 0 characters", "1 to 512", deduplicationKey=""),
    "long key": schedule("deduplicationKey has 600", "1 to 512", deduplicationKey="k" * 600),
    "own key": schedule("must not begin with '!'", deduplicationKey="!k"),
    "NUL in a key": schedule("NUL", "remove it", deduplicationKey="a\0b"),
    "no id": schedule("externalId has 0 characters", externalId=""),
    "task": schedule(
        "No task 'wrok'", "Did you mean 'work'", task="wrok",
        status=404, code="unknown_task", exit=3,
    ),
    "kept key": schedule("the minute '61'", cron="61 * * * *", deduplicationKey="kept"),
    "id": Bad(
        ("No schedule 'sched_x'",),
        ("PUT", f"{SCHEDULES}/sched_x", {"task": "work", "cron": "* * * * *"}),
        lambda client: client.schedules.update("sched_x", "work", "* * * * *"),
        ("schedules", "update", "sched_x", "--cron", "* * * * *"),
        404, "not_found", 3,
    ),
    "digit first": variable("1A", "x", "'1A'", "does not begin with a digit"),
    "blank": variable("A B", "x", "'A B'", "letters, digits and _"),
    "letters": variable("É", "x", "'É'", "letters, digits and _"),
    "nameless": variable("", "x", "''", "letters, digits and _"),
    "long name": variable("A" * 256, "x", "at most 255 characters"),
    "reserved": variable("MAINSPRING_URL", "x", "reserved", "where the worker is started"),
    "long value": variable("A", "x" * 32_769, "32,769 bytes; at most 32,768", "in a file"),
    "NUL": variable("A", "a\0b", "NUL character"),
}  # fmt: skip


Way = Callable[[Whole, Bad], Awaitable[str]]


async def by_http(whole: Whole, bad: Bad) -> str:
    method, path, body = bad.http
    response = await whole.client.request(method, path, json=body)
    assert (response.status_code, response.json()["code"]) == (bad.status, bad.code)
    return str(response.json()["error"])


async def by_python(whole: Whole, bad: Bad) -> str:
    async with Client(f"http://127.0.0.1:{whole.port}", KEY) as client:
        with pytest.raises(MainspringError) as refused:
            await bad.python(client)
    error = refused.value
    if "NUL" not in error.message:  # which is refused wherever it is in a call
        assert error.code == bad.code
    assert 400 <= error.status < 500
    return error.message


async def by_command(whole: Whole, bad: Bad) -> str:
    if bad.typed is None:
        return ""
    ran = await typed(whole, *bad.typed)
    assert (ran.exit_code, ran.stdout) == (bad.exit, ""), ran.output
    assert "Traceback" not in ran.stderr
    return ran.stderr


async def typed(whole: Whole, *words: str) -> Result:
    there = {"MAINSPRING_URL": f"http://127.0.0.1:{whole.port}", "MAINSPRING_SECRET_KEY": KEY}
    return await asyncio.to_thread(CliRunner().invoke, root, words, env=there)


async def refused(way: Way, whole: Whole, bads: Mapping[str, Bad]) -> None:
    for name, bad in bads.items():
        text = await way(whole, bad)
        lacking = [part for part in bad.told if text and part not in text]
        assert lacking == [], f"{name}: {text}"


each_way = pytest.mark.parametrize("way", [by_http, by_python, by_command])


@each_way
async def test_bad_input_is_refused_by_name_and_changes_nothing(way: Way, whole: Whole) -> None:
    await whole.worker(slots=0)
    await whole.post(SCHEDULES, {"task": "work", "cron": "@every 1h", "deduplicationKey": "kept"})
    await whole.post(VARIABLES, {"name": "KEPT", "value": "1"})
    before = await whole.get(SCHEDULES), await whole.get(VARIABLES)
    await refused(way, whole, BAD)
    assert (await whole.get(SCHEDULES), await whole.get(VARIABLES)) == before


@pytest.mark.parametrize(
    "path, body, told",
    [
        (SCHEDULES, {"task": "work", "cron": None}, "`$.cron`"),
        (SCHEDULES, {"task": 5, "cron": "* * * * *"}, "`$.task`"),
        (SCHEDULES, {"task": "work", "cron": "* * * * *", "catchUp": 1000}, "`$.catchUp`"),
        (SCHEDULES, {"task": "work", "cron": "* * * * *", "timezone": ["UTC"]}, "`$.timezone`"),
        (SCHEDULES, {"task": "work", "cron": "* * * * *", "timeZone": "UTC"}, "`timeZone`"),
        (SCHEDULES, {"task": "work"}, "`cron`"),
        (SCHEDULES, [], "`object`"),
        (VARIABLES, {"name": "A", "value": 5}, "`$.value`"),
        (VARIABLES, {"name": "A", "value": "x", "secret": True}, "`secret`"),
        (VARIABLES, {"name": "A", "value": "x", "isSecret": "yes"}, "`$.isSecret`"),
        (f"{VARIABLES}/import", {"variables": {"A": None}}, "`$.variables[...]`"),
    ],
)
async def test_wrong_types_and_unknown_fields_are_refused_by_name(
    path: str, body: Any, told: str, whole: Whole
) -> None:
    await whole.worker(slots=0)
    answer = await whole.client.post(path, content=msgspec.json.encode(body))
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert told in answer.json()["error"]
    listed = await whole.get(SCHEDULES), await whole.get(VARIABLES)
    assert ([row["id"] for row in listed[0]["data"]], listed[1]) == ([], [])


async def test_what_python_cannot_send_is_refused_with_the_type_it_needs(whole: Whole) -> None:
    wrong: Any
    async with Client(f"http://127.0.0.1:{whole.port}", KEY) as client:
        for wrong in (None, 5, object(), "\ud800 * * * *"):
            with pytest.raises(MainspringError, match="a value of the type") as refused:
                await client.schedules.create("work", wrong)
            assert refused.value.code == "bad_request"
        with pytest.raises(MainspringError, match="64 bits"):
            await client.schedules.next_runs(cron="* * * * *", count=1 << 70)


async def test_an_empty_version_or_value_is_no_word_for_none(whole: Whole) -> None:
    for words, told in ((("promote", ""), "--none"), (("env", "set", "A"), "An empty value is A=")):
        ran = await typed(whole, *words)
        assert (ran.exit_code, told in ran.stderr) == (2, True), ran.output
    assert await whole.get(VARIABLES) == []


DEPLOYMENTS = "/api/v1/deployments"
GONE = {
    "rollback": Bad(
        ("'old' is gone", "Start its workers again", "`mainspring deploy`"),
        ("POST", f"{DEPLOYMENTS}/rollback", None),
        lambda client: client.deployments.rollback(),
        ("rollback",),
        400, "conflict", 1,
    ),
    "promotion": Bad(
        ("'old' is gone", "Start its workers again", "`mainspring deploy`"),
        ("POST", f"{DEPLOYMENTS}/old/promote", None),
        lambda client: client.deployments.promote("old"),
        ("promote", "old"),
        400, "conflict", 1,
    ),
    "unknown": Bad(
        ("No version 'odl'", "old", "`mainspring deploys ls`"),
        ("POST", f"{DEPLOYMENTS}/odl/promote", None),
        lambda client: client.deployments.promote("odl"),
        ("promote", "odl"),
        404, "not_found", 3,
    ),
}  # fmt: skip


@each_way
async def test_a_version_that_is_gone_is_not_gone_back_to(way: Way, whole: Whole) -> None:
    old = await whole.worker(slots=0, version="old")
    await whole.house.settle()
    await whole.post(f"{DEPLOYMENTS}/old/promote")
    whole.house.clock.advance(1_000)
    await whole.worker(slots=0, version="new", session="session_2")
    await whole.house.settle()
    await whole.post(f"{DEPLOYMENTS}/new/promote")
    await old.socket.close()
    await whole.house.settle()
    before = await whole.get(f"{DEPLOYMENTS}/current")
    await refused(way, whole, GONE)
    assert await whole.get(f"{DEPLOYMENTS}/current") == before
    assert before["version"] == "new"


STEPS = """
from mainspring import step, task, wait

def charge(): ...

@task
async def work():
    await step("{name}", charge)
    await wait.for_("1h")
"""


async def asleep(whole: Whole, worker: Worker) -> str:
    """A run that has charged and sleeps."""
    run_id = await whole.trigger()
    order = await worker.next(Execute)
    entry = Entry("charge", 1, "step", data="null", fingerprint="charge:")
    wait = Wait(run_id, order.epoch, 0, "wait:time", 2, "time", [], after_ms=3_600_000)
    parked = Park(run_id, order.epoch, ["wait:time"])
    await worker.send(Record(run_id, order.epoch, 0, [entry]), wait, parked)
    await worker.durable()
    return run_id


async def test_code_that_cannot_be_imported_or_breaks_runs_is_not_promoted(
    whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    worker = await whole.worker(version="old")
    await whole.house.settle()
    await whole.post(f"{DEPLOYMENTS}/old/promote")
    run_id = await asleep(whole, worker)
    code = tmp_path / "code"
    code.mkdir()

    broken = "import requestz\n" + STEPS.format(name="charge")
    (code / "tasks.py").write_text(broken)
    ran = await typed(whole, "deploy", str(code))
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert "Nothing was deployed. Install requestz here" in ran.stderr
    assert [one["version"] for one in (await whole.get(DEPLOYMENTS))["data"]] == ["old"]

    (code / "tasks.py").write_text(STEPS.format(name="pay"))
    ran = await typed(whole, "deploy", str(code), "--preflight", "--strict")
    assert (ran.exit_code, ran.stdout) == (1, "")
    for part in ("diverges", "charge", "not promoted", "mainspring promote"):
        assert part in ran.stderr
    assert (await whole.get(f"{DEPLOYMENTS}/current"))["version"] == "old"

    ran = await typed(whole, "deploy", str(code), "-q")  # and whoever promotes it loses no run
    assert (ran.exit_code, ran.stdout.strip() > "2") == (0, True), ran.stderr
    shown = await whole.run(run_id)
    assert (shown["status"], shown["version"]) == ("WAITING", "old")
