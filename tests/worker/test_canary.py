"""Secrets put through everything that tells of runs, and looked for where they must not be."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx2
import pytest
from click.testing import CliRunner

from mainspring.cli.main import root
from mainspring.model.variables import HIDDEN
from mainspring.wire import calls
from tests.app import test_collectors
from tests.app.test_collectors import Double
from tests.worker import test_real_server
from tests.worker.test_real_server import SEALING, House

database, double = test_real_server.database, test_collectors.double
pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

SPOKEN = "Sp0ken/c4nary+4fd1&91=7a"
"""Printed, logged, raised: it reaches no table."""
RETURNED = "R3turned/c4nary+88c2&07=e1"
"""Handed on by runs: it is stored for them, and shown to nobody else."""

TASKS = """
import base64, logging, os, sys, warnings
import mainspring
from mainspring import Retry, logger, metadata, meter, step, streams, task, tracer

SPOKEN, RETURNED = os.environ.get("SPOKEN", "missing"), os.environ.get("RETURNED", "missing")
once = Retry(max_attempts=1)
print("imported with", SPOKEN)

@task(retry=Retry(max_attempts=2, min_delay=0.01, max_delay=0.01))
async def speak() -> None:
    print("printed", SPOKEN, base64.b64encode(SPOKEN.encode()).decode())
    print(SPOKEN[:9], end=""); print(SPOKEN[9:])
    sys.stderr.write(f"https://u:{SPOKEN}@host/\\n")
    logging.getLogger(SPOKEN).warning("logged %s", SPOKEN, exc_info=LookupError(SPOKEN))
    logger.info("said " + SPOKEN, deep={"key " + SPOKEN: [SPOKEN]})
    warnings.warn(SPOKEN)
    try:
        raise KeyError(SPOKEN)
    except KeyError as error:
        error.add_note(SPOKEN)
        raise ValueError(f"raised {SPOKEN}") from error

@task(retry=once)
async def abort() -> None:
    raise mainspring.AbortRun(SPOKEN)

@task(retry=once)
async def group() -> None:
    raise ExceptionGroup(SPOKEN, [ValueError(SPOKEN)])

@task(retry=once)
async def steps() -> None:
    async def broken() -> None:
        raise OSError(SPOKEN)
    await step("broken", broken)

@task(retry=once)
def apart(number: int) -> None:
    print("apart", SPOKEN)

@task(retry=once)
async def tell() -> None:
    meter.increment("calls", token=SPOKEN)
    with tracer.span(f"span {SPOKEN}", **{SPOKEN: {"deep": [SPOKEN]}}):
        raise ValueError(SPOKEN)

@task(retry=once)
async def hand_on(given: str) -> str:
    assert given == RETURNED
    return given

@task(retry=once)
async def give_back() -> dict:
    metadata.set("token", RETURNED)
    await streams.append("answer", {"said": RETURNED})
    async def kept() -> str:
        return RETURNED
    assert await step("kept", kept) == RETURNED
    assert await hand_on.trigger_and_wait(RETURNED) == RETURNED
    return {"deep": [RETURNED], RETURNED: 1}
"""


@pytest.fixture
async def house(database: str, tmp_path: Path, double: Double) -> AsyncIterator[House]:
    made = House(tmp_path, database)
    made.collector = double.url
    (tmp_path / "jobs.py").write_text(TASKS)
    await made.open_server()
    env = await made.server.engine.environment("dev")
    secrets = {"SPOKEN": SPOKEN, "RETURNED": RETURNED}
    await made.server.engine.answer(env, calls.SetVariables(secrets, secret=True))
    await made.close_server()
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def forms(secret: str) -> Iterator[str]:
    """What the secret may look like."""
    yield from (secret, quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1])
    yield secret.encode().hex()
    for before in range(3):
        yield base64.b64encode(b"x" * before + secret.encode()).decode()[4:-4]


def found(text: str, secret: str) -> list[str]:
    """The places at which the text has the secret."""
    return [
        text[max(at - 120, 0) : at + 40] for form in forms(secret) if (at := text.find(form)) >= 0
    ]


async def stored(database: str) -> str:
    """All that the database holds, in every file or table."""
    if not database.startswith("postgres"):
        folder = Path(database).parent
        files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".py")
        return "\n".join(path.read_bytes().decode("latin-1") for path in files)
    connection = await asyncpg.connect(database)
    try:
        tables = await connection.fetch(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^(pg_|information_)'"
        )
        rows: list[str] = []
        for schema, table in tables:
            sql = f'SELECT t::text FROM "{schema}"."{table}" t'
            rows += [row[0] for row in await connection.fetch(sql)]
        return "\n".join(rows)
    finally:
        await connection.close()


def foreign(run_id: str) -> dict[str, Any]:
    """What a program that knows the secret tells of a run by OTLP, by what it is."""
    said = {"stringValue": f"foreign {SPOKEN}"}
    labels = [{"key": f"foreign {SPOKEN}", "value": said}]
    resource = {"attributes": [{"key": "mainspring.run", "value": {"stringValue": run_id}}]}
    ids = {"traceId": "7" * 32, "spanId": "8" * 16}
    times = {"startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000001000000000"}
    status = {"code": 2, "message": SPOKEN}
    span = ids | times | {"name": f"foreign {SPOKEN}", "attributes": labels, "status": status}
    event = {"name": "exception", "attributes": [{"key": "exception.message", "value": said}]}
    line = ids | {"severityNumber": 17, "body": said, "attributes": labels}
    point = {"asInt": "1", "attributes": [{"key": "token", "value": {"stringValue": SPOKEN}}]}
    sums = {"dataPoints": [point], "isMonotonic": True, "aggregationTemporality": 1}
    spans = [{"spans": [span | {"events": [event]}]}]
    return {
        "traces": {"resourceSpans": [{"resource": resource, "scopeSpans": spans}]},
        "logs": {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [line]}]}]},
        "metrics": {
            "resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "paid", "sum": sums}]}]}]
        },
    }


PATHS = (
    "/api/v3/runs/{}", "/api/v1/runs/{}/trace", "/api/v1/runs/{}/events", "/api/v1/runs/{}/result",
    "/api/v1/runs/{}/metadata", "/api/mainspring/v1/runs/{}/journal", "/plain/runs/{}",
    "/realtime/v1/runs/{}", "/realtime/v1/streams/{}/answer",
)  # fmt: skip
LISTS = ("/api/v1/runs", "/api/v1/projects/any/envvars/dev", "/metrics", "/api/mainspring/v1/keys",
         "/api/v1/projects/any/envvars/dev/SPOKEN", "/api/mainspring/v1/audit")  # fmt: skip


ASKED = (
    {"type": "find_lines"}, {"type": "errors"}, {"type": "workers"}, {"type": "count_runs"},
    {"type": "batches"}, {"type": "schedules"}, {"type": "deployments"}, {"type": "list_metrics"},
    {"type": "count_lines", "since": 0}, {"type": "bulks"}, {"type": "tokens"},
    {"type": "read_metric", "name": "calls", "since": 0, "by": ["token"]},
    {"type": "read_metric", "name": "paid", "since": 0, "by": ["token"]},
)  # fmt: skip
"""What the pages of the dashboard ask, besides what the API answers."""
COMMANDS = ("runs ls", "env ls", "tasks ls", "queues ls", "whoami", "config show", "deploys ls")
OF_A_RUN = ("inspect", "trace", "logs", "journal", "explain")
OF_RUNS = ("get", "logs", "journal")


async def answers(house: House, ids: list[str], key: str) -> str:
    """What the API tells of these runs, on every route that tells of runs, and to the dashboard."""
    told: list[str] = []
    headers = {"authorization": f"Bearer {key}", "x-mainspring-environment": "dev"}
    async with httpx2.AsyncClient(base_url=house.server.url, headers=headers) as http:
        for path in (*(path.format(run_id) for run_id in ids for path in PATHS), *LISTS):
            try:
                async with http.stream("GET", path, timeout=1.0) as answer:
                    told.append(f"\n{answer.status_code} {path}\n")
                    told += [piece async for piece in answer.aiter_text()]
            except httpx2.ReadTimeout:
                continue  # a stream that goes on
        asked = [dict(body) for body in ASKED]
        asked += [{"type": what, "run_id": run_id} for run_id in ids for what in OF_A_RUN]
        groups = (await http.post("/api/mainspring/v1/call", json={"type": "errors"})).json()
        asked += [{"type": "get_error", "id": group["id"]} for group in groups["groups"]]
        for body in asked:
            answer = await http.post("/api/mainspring/v1/call", json=body)
            told.append(f"\n{answer.status_code} {body['type']}\n{answer.text}")
        for run_id in ids:
            trace = (await http.get(f"/api/v1/runs/{run_id}/trace")).json()
            shown = [await http.get(f"/api/v1/runs/{run_id}/spans/{id_}") for id_ in spans(trace)]
            told += [f"\n{answer.status_code} span\n{answer.text}" for answer in shown]
    return "".join(told)


def bearer(house: House) -> dict[str, str]:
    return {"authorization": f"Bearer {house.key}"}


def typed(house: House, *arguments: str) -> str:
    """What a command prints, in a shell that knows the server."""
    shell = {"MAINSPRING_URL": house.server.url, "MAINSPRING_SECRET_KEY": house.key}
    ran = CliRunner(env=shell).invoke(root, arguments)
    assert ran.exit_code in (0, 1), ran.output
    return ran.output


def spans(value: Any) -> Iterator[str]:
    """The ids of all spans of a trace."""
    if isinstance(value, dict):
        if "children" in value and isinstance(value.get("id"), str):
            yield value["id"]
        for inner in value.values():
            yield from spans(inner)
    if isinstance(value, list):
        for inner in value:
            yield from spans(inner)


async def test_a_secret_is_nowhere_but_where_it_is_needed(
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    house: House,
    database: str,
    double: Double,
) -> None:
    caplog.set_level(logging.DEBUG)
    ids = []
    for task in ("speak", "abort", "group", "steps", "tell", "give_back"):
        ids += await house.trigger(task, "{}")
    ids += await house.trigger("apart", '{"number": 1}')
    runs = [await house.ended(run_id) for run_id in ids]
    add = ("people", "add", "ann", "--role", "admin", "--database", database, "-q")
    personal = (await asyncio.to_thread(typed, house, *add)).strip()
    async with httpx2.AsyncClient(base_url=house.server.url, headers=bearer(house)) as http:
        for what, body in foreign(ids[0]).items():
            assert (await http.post(f"/otel/v1/{what}", json=body)).json() == {}
    told = await answers(house, ids, house.key) + await answers(house, [], personal)
    for line in (*COMMANDS, *(f"runs {verb} {id_}" for id_ in ids for verb in OF_RUNS)):
        told += await asyncio.to_thread(typed, house, *line.split())
    printed = capfd.readouterr()
    await house.close_server()  # which hands over what is to be exported
    exported, kept = repr(double.posted), await stored(database)
    seen = told + exported + repr(runs) + printed.out + printed.err + caplog.text
    assert set(re.findall(r"^\d{3} .*", told, re.MULTILINE)) > {"200 span", "200 /metrics"}
    assert not re.findall(r"^(?:404|5\d\d) .*", told, re.MULTILINE)
    assert f"imported with {HIDDEN}" in printed.out
    assert personal.startswith("tr_pat_")
    for secret in (SPOKEN, RETURNED, house.key, SEALING, personal):
        assert found(seen, secret) == []
    for secret in (SPOKEN, house.key, SEALING, personal):
        assert found(kept, secret) == []
    assert [run.status.value for run in runs] == [*["failed"] * 5, "completed", "completed"]
    assert seen.count(HIDDEN) > 40
    assert all(run_id in exported for run_id in ids)
    assert f"foreign {HIDDEN}" in told
