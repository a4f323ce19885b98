"""Statements: what the files hold, and how one text becomes two."""

import re

import pytest

from mainspring.store import archives, past
from mainspring.store.changes import EXACT, PLAN, Changes
from mainspring.store.dialect import POSTGRES, SQLITE, Dialect
from mainspring.store.statements import COMPOSED, ROOT, Statements, compiled, overrides

DIALECTS = [SQLITE, POSTGRES]
TEXT = """-- rows: run_id text, n bigint
-- takes: shard bigint, note text
-- Why: a reason with {braces} and a :colon.
DELETE FROM active WHERE {among active: run_id}
  AND note = :note AND '12:30' <> :note;"""


def test_a_batch_is_one_parameter_per_column_on_postgresql() -> None:
    statement = compiled("-- rows: run_id text, n bigint\nSELECT r.n FROM {rows};", POSTGRES)
    assert statement.sql == (
        "SELECT r.n FROM unnest(CAST(CAST($1 AS text) AS text[]), "
        "CAST(CAST($2 AS text) AS bigint[])) AS r(run_id, n)"
    )
    assert statement.arguments([("a", 1), ("b", None)], {}) == ['{"a","b"}', "{1,NULL}"]
    assert statement.arguments([], {}) == ["{}", "{}"]


def test_a_batch_is_one_parameter_on_sqlite() -> None:
    statement = compiled("-- rows: run_id text, n bigint\nSELECT r.n FROM {rows};", SQLITE)
    assert statement.sql == (
        "SELECT r.n FROM (SELECT value->>0 AS run_id, value->>1 AS n FROM jsonb_each(:rows)) AS r"
    )
    assert statement.columns == ("run_id", "n")


def test_scalars_come_after_the_batch() -> None:
    statement = compiled(TEXT, POSTGRES)
    assert "note = CAST($4 AS text) AND '12:30' <> CAST($4 AS text)" in statement.sql
    assert statement.arguments([("a", 1)], {"note": "x", "shard": 3, "more": 0}) == [
        '{"a"}',
        "{1}",
        3,
        "x",
    ]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_comments_do_not_reach_the_database(dialect: Dialect) -> None:
    assert "--" not in compiled(TEXT, dialect).sql
    assert "braces" not in compiled(TEXT, dialect).sql


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("text", ["SELECT :nobody", "SELECT {nothing}"])
def test_what_is_not_declared_is_an_error(text: str, dialect: Dialect) -> None:
    with pytest.raises(KeyError):
        compiled(text, dialect)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_each_list_of_a_commit_has_a_statement_with_its_columns(dialect: Dialect) -> None:
    statements = Statements(dialect)
    assert set(PLAN) == set(Changes.__slots__) - {"change", "now"}
    assert set(PLAN) >= EXACT
    for name in PLAN:
        statement = statements[name]
        assert statement.columns, name
        assert set(statement.parameters) <= {"shard", "now", "change"}, name


def test_no_name_is_used_twice() -> None:
    names = [
        name
        for file in ROOT.iterdir()
        if file.name.endswith(".sql")
        for name in re.findall(r"-- name: (\w+)", file.read_text(encoding="utf-8"))
    ]
    assert len(names) == len(set(names))


def test_an_override_says_why_it_is_one() -> None:
    shared = {
        name
        for file in ROOT.iterdir()
        if file.name.endswith(".sql")
        for name in re.findall(r"-- name: (\w+)", file.read_text(encoding="utf-8"))
    }
    found = overrides()
    assert [(database, name) for database, name, _text in found] == [
        ("postgres", "claim"),
        ("citus", "claim"),
    ]
    for database, name, text in found:
        assert name in shared, f"{database}: {name} overrides nothing"
        assert "-- Why not the shared text:" in text, f"{database}: {name} does not say why"


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_every_limited_query_has_an_order(dialect: Dialect) -> None:
    anyhow = {f"past_{table}" for table in (*past._OF_RUNS, "batch_item")}  # all of it is deleted
    anyhow |= {f"old_{table}" for table in archives._INTO}  # only taken when that is all of it
    anyhow.add("objects_referred")  # which row it is does not matter
    for name in set(Statements(dialect)) - anyhow:
        sql = Statements(dialect)[name].sql
        assert sql.count("LIMIT") <= sql.count("ORDER BY"), name


def test_composed_texts_do_not_pile_up() -> None:
    statements = Statements(SQLITE)
    fixed = len(list(statements))
    for at in range(3 * COMPOSED):
        statements.add(f"ids/{at}", f"SELECT {at}")
        assert statements[f"ids/{at}"].sql == f"SELECT {at}"
    assert len(list(statements)) <= fixed + COMPOSED
    assert "fence" in statements
