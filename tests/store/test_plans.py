"""No hot statement walks a table: asked of both planners, with history and with wrong statistics.

`tiny`: one run of each kind and statistics that know of it. `absent`: 20,000 ended runs and no
statistics at all. `fresh`: all statistics up to date, the live tables empty. `stale`: live tables
full while the statistics call them empty, as after each burst.
"""

import asyncio
import json
import os
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import apsw
import asyncpg
import pytest

from mainspring.model.run import RunFilter, Status
from mainspring.store.dialect import CITUS, POSTGRES, SQLITE
from mainspring.store.links import OWNER
from mainspring.store.pages import PageQuery
from mainspring.store.postgres import PostgresStore
from mainspring.store.protocol import Store
from mainspring.store.sqlite import SqliteStore
from mainspring.store.statements import Statements
from mainspring.store.waitpoints import TokenQuery
from mainspring.testing.store_rows import Shard
from mainspring.wire.calls import ListTokens
from tests.store.conftest import execute

STAGES = ("tiny", "absent", "fresh", "stale")
HISTORY, BURST = 20_000, 2_000
SMALL = {
    "server", "shard", "environment", "api_key", "task", "queue", "schema_version", "audit",
    "server_secret", "signing_key", "token_use", "person", "person_role", "person_token",
}  # fmt: skip
WHOLE = {
    "live_active", "live_lanes", "live_resumes", "live_rates", "live_inbox", "waits_foreign",
    "bulk_pending", "lease_rows", "lease_older", "deployment_external_ids", "versions_in_use",
    "archive_open",
}  # fmt: skip
"""What reads everything of a shard (or of the run-through of one index) on purpose."""
EVERY = {"object_page"}
"""What goes through all shards on purpose."""
LISTS = (
    "ids/", "waitpoint_page", "live_timers", "live_refill", "runs_children", "log_page",
    "object_page", "bulk_older", "bulk_newer", "schedule_page", "schedules_due", "deployment_older",
    "deployment_newer", "observed_lines", "observed_batches", "faults_page",
    "old_step_of", "old_log_of", "old_span_of", "old_stream_of", "old_input_of", "archive_page",
)  # fmt: skip
WIDE = {
    "run_by_task": "env_id", "ready_by_lane": "env_id", "run_done_by_status": "env_id",
    "schedule_due": "fire_at",
}  # fmt: skip
"""Indexes in which a row is found quickly only by all that stands before its id: what that is."""

OF_CITUS = "citus: "

FILTERS = (
    RunFilter(),
    RunFilter(before="run_0"),
    RunFilter(status=(Status.FAILED, Status.QUEUED, Status.EXECUTING, Status.WAITING)),
    RunFilter(task=("t", "u"), tag=("x",), status=(Status.COMPLETED, Status.DELAYED)),
    RunFilter(batch_id="batch_1", queue=("q",), version=("v",), is_test=True),
    RunFilter(tag=("x", "y"), created_from=1, created_to=2),
    RunFilter(machine=("m", "n"), region=("r",), schedule=("s",), bulk=("b",), error=("E",)),
    RunFilter(queue=("q", "task/t"), version=("v", "w"), is_test=True, status=(Status.QUEUED,)),
    RunFilter(queue=("q",), before="run_0", is_test=True),
)
TOKENS = (
    ListTokens(),
    ListTokens(before="waitpoint_0", status=("waiting", "completed"), tags=("a", "b")),
    ListTokens(idempotency_key="k", created_from=1, created_to=2),
)


def with_pages(statements: Statements) -> Statements:
    """The same statements, and those of each filter by way of each of its indexes."""
    for wanted in FILTERS:
        query = PageQuery(1, 1, wanted)
        statements.add(*query.count())
        for driver in query.drivers:
            statements.add(*query.ids(driver))
    for tokens in TOKENS:
        listed = TokenQuery(1, 1, tokens)
        statements.add(listed.name, listed.text)
    return statements


def guarded() -> list[str]:
    """Names of the statements that read or write run data."""
    statements = with_pages(Statements(POSTGRES))
    words = {name: set(re.findall(r"\w+", statements[name].sql)) for name in statements}
    return sorted(name for name in words if "shard_id" in words[name] and not name_is_small(name))


def distributed() -> list[str]:
    """Those that have a text of their own where run data is distributed."""
    alone, citus = Statements(POSTGRES), Statements(CITUS)
    return [f"{OF_CITUS}{name}" for name in sorted(alone) if alone[name].sql != citus[name].sql]


def name_is_small(name: str) -> bool:
    small = ("shard", "environment", "server", "key_find", "person_environments")
    return name == "fence" or name.startswith(small)


async def fill(store: Store) -> Shard:
    shard = await Shard.taken(store)
    for _ in range(HISTORY // 5_000):
        ids, changes = shard.ids(5_000), shard.changes()
        for run_id in ids:
            shard.run(changes, run_id, payload=None)
            shard.done(changes, run_id, output=None)
        await shard.commit(changes)
    return shard


async def burst(shard: Shard, count: int = 3 * BURST) -> None:
    ids, changes = shard.ids(count), shard.changes()
    for at, run_id in enumerate(ids):
        shard.run(changes, run_id)
        place = (shard.ready, shard.start, None)[at % 3]
        if place is None:
            shard.park(changes, run_id, "wait")
        else:
            place(changes, run_id)
    changes.timer = [(shard.now + at, "ttl", run_id) for at, run_id in enumerate(ids)]
    await shard.commit(changes)


@pytest.fixture(scope="module")
def postgres_plans(postgres_url: str, worker_id: str) -> Iterator[dict[str, dict[str, Any]]]:
    name = f"ms_plans_{os.getpid()}_{worker_id}"
    url = urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))
    asyncio.run(execute(postgres_url, f'CREATE DATABASE "{name}" TEMPLATE template0'))
    try:
        yield asyncio.run(plans_of_postgres(url))
    finally:
        asyncio.run(execute(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)'))


async def plans_of_postgres(url: str) -> dict[str, dict[str, Any]]:
    store = PostgresStore(url)
    await store.open(migrate=True)
    connection = await asyncpg.connect(url)
    for (table,) in await connection.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    ):
        await connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
    await burst(await Shard.taken(store), 3)
    await connection.execute("VACUUM ANALYZE")
    plans = {"tiny": await explained(store)}
    await connection.execute("DELETE FROM pg_statistic")
    shard = await fill(store)
    plans["absent"] = await explained(store)
    await connection.execute("VACUUM ANALYZE")
    plans["fresh"] = await explained(store)
    await burst(shard)
    plans["stale"] = await explained(store)
    await connection.close()
    await store.close()
    return plans


async def explained(store: PostgresStore) -> dict[str, Any]:
    """The generic plan of every guarded statement, under the settings of our sessions."""
    connection = await store.database._place.connect(OWNER)
    statements, citus, plans = with_pages(Statements(POSTGRES)), Statements(CITUS), {}
    for name in (*guarded(), *distributed()):
        alone = name.startswith(OF_CITUS)
        statement = citus[name.removeprefix(OF_CITUS)] if alone else statements[name]
        count = len(statement.columns) + len(statement.parameters)
        await connection.execute(f"PREPARE guarded AS {statement.sql}")
        nulls = f"({', '.join(['NULL'] * count)})" if count else ""
        text = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE guarded{nulls}")
        await connection.execute("DEALLOCATE guarded")
        plans[name] = json.loads(text)[0]["Plan"]
    await connection.close()
    return plans


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", [*guarded(), *distributed()])
def test_postgresql_finds_rows_by_index_whatever_it_believes(
    postgres_plans: dict[str, dict[str, Any]], stage: str, name: str
) -> None:
    plan = postgres_plans[stage][name]
    for node in nodes(plan):
        if node.get("Relation Name", "shard") in SMALL or node["Node Type"] == "ModifyTable":
            continue
        shown = json.dumps(plan, indent=1)
        assert node["Node Type"] in {"Index Scan", "Index Only Scan", "Tid Scan"}, shown
        asked = node.get("Filter", "") + node.get("Join Filter", "")
        passed_by = "run_id" in asked and "drop_key" not in name  # of one row a key
        assert not passed_by, f"looks at rows only to pass them by: {shown}"
        if node["Node Type"] != "Tid Scan" and name not in WHOLE:
            columns = set(re.findall(r"\w+", node["Index Cond"])) - {"shard_id", "AND"}
            assert any(not column.isdigit() for column in columns), f"walks the shard: {shown}"
            skips = WIDE.get(node["Index Name"], "shard_id") not in columns | {"shard_id"}
            assert not skips, f"walks a wide index to look up a row: {shown}"


@pytest.mark.parametrize("stage", STAGES)
def test_postgresql_reads_lists_in_the_order_of_an_index(
    postgres_plans: dict[str, dict[str, Any]], stage: str
) -> None:
    """Below its limit no list is sorted: it stops after the rows that it shows."""
    for name, plan in postgres_plans[stage].items():
        if name.startswith(LISTS):
            for limit in (node for node in nodes(plan) if node["Node Type"] == "Limit"):
                inner = limit["Plans"][0]
                over_index = inner["Node Type"] in {"Index Scan", "Index Only Scan"}
                outermost = any("Append" in n["Node Type"] for n in nodes(inner))
                assert over_index or outermost or limit is plan, json.dumps(limit, indent=1)


@pytest.fixture(scope="module")
def sqlite_plans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[str]]]:
    return asyncio.run(plans_of_sqlite(str(tmp_path_factory.mktemp("plans") / "plans.db")))


async def plans_of_sqlite(path: str) -> dict[str, dict[str, list[str]]]:
    store = SqliteStore(path, synchronous="normal")
    await store.open()
    connection = apsw.Connection(path)
    await burst(await Shard.taken(store), 3)
    connection.execute("ANALYZE")
    plans = {"tiny": queried(path)}
    connection.execute("DELETE FROM sqlite_stat1")
    shard = await fill(store)
    plans["absent"] = queried(path)
    connection.execute("ANALYZE")
    connection.close()
    plans["fresh"] = queried(path)
    await burst(shard)
    plans["stale"] = queried(path)
    await store.close()
    return plans


def queried(path: str) -> dict[str, list[str]]:
    connection, statements = apsw.Connection(path), with_pages(Statements(SQLITE))
    plans = {}
    for name in guarded():
        statement = statements[name]
        bindings = dict.fromkeys(statement.parameters) | {"rows": "[]"}
        rows = connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", bindings)
        plans[name] = [detail for _id, _parent, _, detail in rows]
    connection.close()
    return plans


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", guarded())
def test_sqlite_finds_rows_by_index_whatever_it_believes(
    sqlite_plans: dict[str, dict[str, list[str]]], stage: str, name: str
) -> None:
    plan = sqlite_plans[stage][name]
    for detail in plan:
        scanned = re.match(r"SCAN (\S+)", detail)
        assert not scanned or scanned[1] in {"jsonb_each", "x", "y", "r", "CONSTANT"}, plan
        searched = re.match(r"SEARCH \S+ USING [^(]*\((.*)\)", detail)
        if searched:
            assert searched[1].startswith("shard_id=?") or name in EVERY, plan
            assert "AND" in searched[1] or name in WHOLE | EVERY, f"walks the shard: {plan}"
    if name == "live_lanes" or (name.startswith(LISTS) and not name.startswith("ids/")):
        assert not any("TEMP B-TREE" in detail for detail in plan), plan
