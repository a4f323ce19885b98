"""What lets a Citus distribute run data by its shard, as far as it can be told without one.

Every statement on run data stays within one shard: each table in it is asked for that shard's rows.
One thing a single node does otherwise: rows to be deleted are named by their place (ctid), which is
unique in a table of one node only; beside it, the shard would lead the planner to walk all of it.
With MAINSPRING_TEST_CITUS the contract of a store (`test_contract.py`) is kept by a real cluster.
"""

import re

import asyncpg
import pytest

from mainspring.store import distribution
from mainspring.store.dialect import CITUS, POSTGRES
from mainspring.store.migrations import known
from mainspring.store.statements import Statement, Statements, compiled, texts
from tests.store.test_schema import GLOBAL

ALL_SHARDS = {
    "shard_owners": "who owns what; one row a shard, read now and then",
    "shard_leave": "a server that stops",
    "upload_sweep": "uploads of all environments, every ten minutes",
    "object_page": "a page of all objects, by one server, twice an hour for each of them",
}
"""Simple statements on one table that every shard answers for itself, and why they are few."""
REFUSED = {
    r"\bSET\s+(\w+ = [^,]+,\s*)*shard_id\b": "the column of distribution never changes",
    r"\bRECURSIVE\b": "recursion stays in one node",
    r"\bTABLESAMPLE\b|\bGROUPING SETS\b|\bCUBE\b|\bROLLUP\b": "not across shards",
    r"\bTRUNCATE\b|\bLOCK TABLE\b|\bCREATE\b": "not in a statement of the hot path",
    r"\b(currval|nextval|random|pg_advisory\w*)\(": "differs from node to node",
}
REFERENCE = re.compile(r"\b(FROM|JOIN|INTO|UPDATE|USING)\s+(\w+)(?:\s+(?:AS\s+)?(\w+))?")
WORDS = {
    "WHERE", "SET", "ON", "ORDER", "LIMIT", "CROSS", "LEFT", "JOIN", "UNION", "FOR", "RETURNING",
    "SELECT", "GROUP", "VALUES", "OFFSET", "USING",
}  # fmt: skip
BAD_THINGS = """
SELECT 'trigger ' || t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
UNION ALL SELECT 'foreign key ' || conname FROM pg_constraint x
  JOIN pg_namespace n ON n.oid = x.connamespace AND n.nspname = 'public' WHERE contype IN ('f', 'x')
UNION ALL SELECT 'sequence ' || relname FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public' WHERE relkind IN ('S', 'v', 'm')
"""  # noqa: E501 - a query for people
STATEMENTS: dict[str, Statement] = {
    name: compiled(text, CITUS, name) for name, text in texts(CITUS).items()
}
HERE = Statements(POSTGRES)


@pytest.fixture
async def run_data(empty_url: str) -> set[str]:
    """The tables that are distributed; the others are the same on each node."""
    connection = await asyncpg.connect(empty_url)
    names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    return {name for (name,) in names} - GLOBAL


def astray(sql: str, tables: set[str]) -> list[str]:
    """The tables of a statement of which it does not say whose rows it means."""
    found = []
    for word, table, alias in REFERENCE.findall(sql):
        if table not in tables:
            continue
        if word == "INTO":
            named = re.search(rf"\bINTO {table}(?: AS \w+)?\s*\(\s*shard_id\b", sql)
        elif alias and alias.upper() not in WORDS:
            named = re.search(rf"\b{alias}\.shard_id = ", sql)
        else:
            named = re.search(rf"(?<![\w.])(?:{table}\.)?shard_id = ", sql)
        if named is None:
            found.append(f"{word} {table} {alias}")
    return found


async def test_every_statement_on_run_data_names_the_shard(run_data: set[str]) -> None:
    wrong = {
        name: found
        for name in STATEMENTS
        if (found := astray(STATEMENTS[name].sql, run_data)) and name not in ALL_SHARDS
    }
    assert wrong == {}


async def test_on_one_node_only_places_of_rows_stand_for_the_shard(run_data: set[str]) -> None:
    for name in HERE:
        if name not in ALL_SHARDS and astray(HERE[name].sql, run_data):
            assert name in {"claim", *deletions()}


def deletions() -> set[str]:
    return {name for name, text in texts(POSTGRES).items() if "{among " in text}


async def test_what_all_shards_answer_is_about_one_table(run_data: set[str]) -> None:
    for name in ALL_SHARDS.keys() & set(STATEMENTS):
        sql = STATEMENTS[name].sql
        assert len(REFERENCE.findall(sql)) == 1, name
        assert astray(sql, run_data), f"{name} names its shard: it needs no exception"


@pytest.mark.parametrize("pattern", REFUSED)
def test_statements_avoid_what_citus_refuses(pattern: str) -> None:
    for name in STATEMENTS:
        assert not re.search(pattern, STATEMENTS[name].sql), (name, REFUSED[pattern])


async def test_a_changing_statement_reads_no_clock(run_data: set[str]) -> None:
    for name in STATEMENTS:
        sql = STATEMENTS[name].sql
        if re.match(r"\s*(UPDATE|DELETE)", sql) and any(
            t in run_data for _, t, _ in REFERENCE.findall(sql)
        ):
            assert "clock_timestamp" not in sql, name


async def test_tables_have_nothing_that_cannot_be_distributed(empty_url: str) -> None:
    connection = await asyncpg.connect(empty_url)
    found = await connection.fetch(BAD_THINGS)
    await connection.close()
    assert found == []


async def test_each_of_our_tables_has_its_place(run_data: set[str]) -> None:
    ours = distribution.tables(known(POSTGRES))
    assert {name for name, is_run_data in ours.items() if is_run_data} == run_data
    assert ours.keys() == run_data | GLOBAL
    assert distribution.KEPT <= GLOBAL


def test_a_statement_without_its_shard_is_noticed() -> None:
    tables = {"run", "run_done"}
    assert astray("SELECT 1 FROM run n WHERE n.run_id = 'x'", tables) == ["FROM run n"]
    assert astray("DELETE FROM run WHERE ctid = ANY (ARRAY(SELECT 1))", tables)
    assert astray("INSERT INTO run (run_id, shard_id) SELECT 1, 2", tables)
    assert not astray("UPDATE run SET task = '' WHERE shard_id = $1", tables)
    assert astray(
        "SELECT 1 FROM run n JOIN run_done d ON d.run_id = n.run_id WHERE n.shard_id = $1", tables
    ) == ["JOIN run_done d"]
